"""Equinox's cells against the real package; what is no chain; and the way back."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from originals import assert_equal_to, random_weights, stacked, variants

import rnn_dynamics as rd
from rnn_dynamics.cells import LSTMState
from rnn_dynamics.interop import MismatchError, from_equinox, to_equinox

KINDS = {"LSTMCell": eqx.nn.LSTMCell, "GRUCell": eqx.nn.GRUCell}


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


def made(kind, inputs=3, units=4, seed=3, **options):
    cell = eqx.filter_eval_shape(KINDS[kind], inputs, units, key=jax.random.key(0), **options)
    return random_weights(cell, seed)


def step_of(cell):
    def step(state, x):
        new = cell(x, tuple(state) if isinstance(state, LSTMState) else state)
        return (LSTMState(*new), new[0]) if isinstance(state, LSTMState) else (new, new)

    return step


@pytest.mark.parametrize("use_bias", variants([True, False], slow=[False]))
@pytest.mark.parametrize("kind", KINDS)
def test_cells_equal_ours(kind, use_bias):
    cell = made(kind, use_bias=use_bias)
    net = from_equinox(cell)
    assert net.verification.how == "live"
    assert_equal_to(net, stacked(step_of(cell)))


class Net(eqx.Module):
    first: eqx.nn.Linear
    cells: tuple

    def __init__(self, *cells):
        self.first = eqx.nn.Linear(3, 3, key=jax.random.key(0))
        self.cells = cells


def test_a_list_is_a_stack_and_a_module_with_several_cells_is_refused():
    cells = [made("LSTMCell"), made("GRUCell", 4, 5)]
    net = from_equinox(cells)
    assert net.source == "Equinox LSTM of 4 units + GRU of 5 units"
    assert_equal_to(net, stacked(*map(step_of, cells)))
    one = from_equinox(Net(cells[0]))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, one.params, net.params[0]))
    with pytest.raises(
        ValueError, match=r"layers module\.cells\[0\] \(LSTMCell\), module\.cells\[1\] \(GRUCell\); expected"
    ):
        from_equinox(Net(*cells))
    with pytest.raises(ValueError, match="Net with no GRUCell or LSTMCell"):
        from_equinox(Net())
    with pytest.raises(TypeError, match="module: got int, expected an Equinox module"):
        from_equinox(3)


def test_arrays_are_verified_if_recorded():
    cell = made("GRUCell")
    arrays = {f"0.{name}": np.asarray(getattr(cell, name)) for name in ("weight_ih", "weight_hh", "bias", "bias_n")}
    assert from_equinox(arrays).verification.how == "none"
    xs = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    outputs = jax.lax.scan(lambda h, x: (cell(x, h),) * 2, jnp.zeros(4), xs)[1]
    net = from_equinox(arrays, recorded=(xs, outputs))
    assert net.verification.how == "recorded"
    assert from_equinox(cell, recorded=(xs, outputs)).verification.how == "live"
    with pytest.raises(MismatchError):
        from_equinox(cell, recorded=(xs, outputs[::-1]))
    with pytest.raises(ValueError, match=r"recurrent bias: got shape \(1,\), expected \(4,\)"):
        from_equinox({**arrays, "0.bias_n": np.ones(1, np.float32)})
    of_torch = {"weight_ih": cell.weight_ih, "weight_hh": cell.weight_hh, "bias_ih": cell.bias, "bias_hh": cell.bias}
    with pytest.raises(ValueError, match="'bias_ih', 'bias_hh' beside 'weight_hh', expected nothing but"):
        from_equinox(of_torch)
    with pytest.raises(ValueError, match="one gate; Equinox has no vanilla cell"):
        from_equinox({"weight_ih": np.ones((4, 3), np.float32), "weight_hh": np.ones((4, 4), np.float32)})


def test_the_precision_of_the_weights_is_said_and_compared_with():
    cell = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), made("GRUCell"))
    arrays = {name: np.asarray(getattr(cell, name)) for name in ("weight_ih", "weight_hh", "bias", "bias_n")}
    assert from_equinox(arrays).source == "Equinox GRU, 4 units, bfloat16 weights held in float32"
    xs = np.random.default_rng(0).normal(size=(6, 3))
    inputs = jnp.asarray(xs, jnp.bfloat16)
    outputs = jax.lax.scan(lambda h, x: (cell(x, h),) * 2, jnp.zeros(4, jnp.bfloat16), inputs)[1]
    net = from_equinox(arrays, recorded=(xs.astype(np.float32), np.asarray(outputs, np.float32)))
    assert 1e-5 < net.verification.difference < net.verification.tolerance < 0.1
    double = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert from_equinox(double).source == "Equinox GRU, 4 units, float64 weights rounded to float32"


BACK = {
    "lstm": rd.cells.lstm,
    "gru, keep": rd.cells.make_gru(reset="after"),
    "gru, replace": rd.cells.make_gru("replace", "after"),
    "stack": rd.cells.stack(rd.cells.lstm, rd.cells.lstm),
}


@pytest.mark.parametrize("name", variants(BACK, slow=["gru, keep"]))
def test_there_and_back(name, key):
    params = random_weights(BACK[name].init(key, inputs=2, hidden=3))
    again = from_equinox(to_equinox(BACK[name], params))
    if name == "gru, replace":  # the sign of the gate
        np.testing.assert_array_equal(again.params.update.W, -params.update.W)
    else:
        assert jax.tree.all(jax.tree.map(jnp.array_equal, again.params, params))


def test_a_missing_bias_stays_missing_and_cells_without_a_counterpart_are_refused(key):
    params = rd.cells.lstm.init(
        key, inputs=2, hidden=3, input_bias=None, forget_bias=None, cell_bias=None, output_bias=None
    )
    assert to_equinox(rd.cells.lstm, params).bias is None
    for cell in (rd.cells.gru, rd.cells.elman, rd.cells.mgu, rd.cells.projected_lstm):
        with pytest.raises(ValueError, match="Equinox"):
            to_equinox(cell, cell.init(key, inputs=2, hidden=3))
