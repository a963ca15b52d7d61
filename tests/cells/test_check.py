"""Bad input to a cell is refused by name, value and what would be right; nothing is broadcast to fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

GRU, LSTM = rd.cells.gru, rd.cells.lstm
ONES = jnp.ones


def gru_params():
    return GRU.init(jax.random.key(0), inputs=3, hidden=4)


def with_update(**fields):
    params = gru_params()
    return params._replace(update=params.update._replace(**fields))


@pytest.mark.parametrize(
    ("params", "state", "x", "message"),
    [
        (None, ONES(1), ONES(3), r"state: got shape \(1,\), expected \(hidden,\) with hidden = 4 from params.update.W"),
        (None, ONES(()), ONES(3), r"state: got shape \(\), expected \(hidden,\)"),
        (None, ONES((2, 4)), ONES(3), r"state: got shape \(2, 4\), .*; a step takes one unbatched state"),
        (None, ONES(4), ONES(1), r"x: got shape \(1,\), expected \(inputs,\) with inputs = 3 from params.update.U"),
        (with_update(b=ONES(1)), ONES(4), ONES(3), r"params.update.b: got shape \(1,\)"),
        (with_update(W=ONES((4, 3))), ONES(4), ONES(3), r"params.update.W: got shape \(4, 3\), .* a square matrix"),
        (with_update(U=ONES((1, 3))), ONES(4), ONES(3), r"params.update.U: got shape \(1, 3\)"),
        (gru_params()._replace(recurrent_bias=ONES(4)), ONES(4), ONES(3), 'expected None with reset="before"'),
    ],
)
def test_wrong_shapes(params, state, x, message):
    params = gru_params() if params is None else params
    for step in (GRU.step, jax.jit(GRU.step)):
        with pytest.raises(ValueError, match=message):
            step(params, state, x)


@pytest.mark.parametrize(
    ("params", "state", "x", "message"),
    [
        ({"W": 1.0}, ONES(4), ONES(3), r"params: got dict, expected GRUParams\(update, reset, candidate"),
        (gru_params().update, ONES(4), ONES(3), "params: got Affine, expected GRUParams"),
        (None, [0.0] * 4, ONES(3), "state: got .*, expected an array of shape"),
        (None, ONES(4), 1.0, r"x: got 1.0, expected an array of shape \(inputs,\)"),
        (
            None,
            ONES(4, "float32"),
            ONES(3),
            "state: got dtype float32, expected the precision of params.update.W",
        ),
        (None, ONES(4, int), ONES(3), "state: got dtype int64, expected float values"),
        (None, ONES(4), ONES(3, complex), "x: got dtype complex128, expected float values"),
    ],
)
def test_wrong_trees_and_dtypes(params, state, x, message):
    with pytest.raises(TypeError, match=message):
        GRU.step(gru_params() if params is None else params, state, x)


def test_a_short_cell_state_is_not_broadcast(key):
    params = LSTM.init(key, inputs=2, hidden=3)
    with pytest.raises(ValueError, match=r"state.c: got shape \(1,\), expected \(hidden,\) with hidden = 3"):
        LSTM.step(params, rd.cells.LSTMState(h=ONES(3), c=ONES(1)), ONES(2))
    with pytest.raises(TypeError, match=r"state: got tuple, expected LSTMState\(h, c\)"):
        LSTM.step(params, (ONES(3), ONES(3)), ONES(2))


@pytest.mark.parametrize("name", ["lru", "indrnn", "cornn", "antisymmetric", "orthogonal"])
def test_elementwise_cells_do_not_broadcast_either(name, key):
    cell = rd.cells.CELLS[name]
    params = cell.init(key, inputs=2, hidden=3)
    short = jax.tree.map(lambda leaf: leaf[:1], cell.initial_state(params))
    with pytest.raises(ValueError, match=r"got shape \(1,\), expected \(hidden,\) with hidden = 3"):
        cell.step(params, short, ONES(2))


def test_numpy_arrays_are_welcome(key):
    params = jax.tree.map(np.asarray, gru_params())
    assert jax.jit(GRU.step)(params, np.ones(4), np.ones(3)).shape == (4,)


@pytest.mark.parametrize("cell", rd.cells.CELLS.values(), ids=rd.cells.CELLS.keys())
def test_wrong_arguments_to_init(cell, key):
    with pytest.raises(ValueError, match="hidden: got 0, expected a whole number of at least 1"):
        cell.init(key, inputs=1, hidden=0)
    with pytest.raises(ValueError, match="inputs: got -1, expected a whole number of at least 0"):
        cell.init(key, inputs=-1, hidden=2)
    with pytest.raises(ValueError, match="gain: got nan, expected finite values"):
        cell.init(key, inputs=1, hidden=2, gain=float("nan"))
    with pytest.raises(ValueError, match=r"gain: got shape \(2,\), expected a scalar"):
        cell.init(key, inputs=1, hidden=2, gain=ONES(2))
    with pytest.raises(TypeError, match="dtype: got int32, expected a real floating dtype"):
        cell.init(key, inputs=1, hidden=2, dtype=jnp.int32)
    with jax.enable_x64(False), pytest.raises(ValueError, match="dtype: got float64, which needs"):
        cell.init(key, inputs=1, hidden=2, dtype="float64")
    with pytest.raises(TypeError, match="key"):
        cell.init(0, inputs=1, hidden=2)
    with pytest.raises(TypeError, match="hidden"):
        cell.init(key, inputs=1, hidden=2.0)


def test_wrong_biases(key):
    with pytest.raises(ValueError, match=r"bias: got shape \(3,\), expected a scalar or \(2,\)"):
        rd.cells.elman.init(key, inputs=1, hidden=2, bias=ONES(3))
    with pytest.raises(ValueError, match="bias: got inf, expected finite values"):
        LSTM.init(key, inputs=1, hidden=2, forget_bias=float("inf"))
    with pytest.raises(ValueError, match="r_max: got 1"):
        rd.cells.lru.init(key, inputs=1, hidden=2, r_max=1.5)
    with pytest.raises(ValueError, match="r_min: got -0"):
        rd.cells.lru.init(key, inputs=1, hidden=2, r_min=-0.9)
    with pytest.raises(TypeError, match=r"bias: got .* expected real values"):
        rd.cells.elman.init(key, inputs=1, hidden=2, bias=np.array([1j, 2]))
    with pytest.raises(TypeError, match="dtype: got bfloat16, expected float32 or float64"):
        rd.cells.lru.init(key, inputs=1, hidden=2, dtype=jnp.bfloat16)


def test_initial_state_checks_its_parameters(key):
    params = rd.cells.elman.init(key, inputs=1, hidden=2)
    with pytest.raises(TypeError, match="params: got Affine, expected GRUParams"):
        GRU.initial_state(params)
    with pytest.raises(ValueError, match=r"params.W: got shape \(5, 2, 2\), expected \(hidden, hidden\)"):
        rd.cells.elman.initial_state(jax.tree.map(lambda leaf: jnp.stack([leaf] * 5), params))
    with pytest.raises(TypeError, match="params: got 1 layers, expected a tuple of 2"):
        rd.cells.stack(GRU, GRU).initial_state((gru_params(),))
