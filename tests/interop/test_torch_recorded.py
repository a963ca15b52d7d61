"""Imports of arrays agree with what PyTorch itself recorded: outputs and Jacobians, to 1e-6 in float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recorded_nets import NETS, ONE_WAY, flat_state, imported, recorded, weights

import rnn_dynamics as rd


@pytest.fixture(autouse=True)
def _float32():
    with jax.enable_x64(False):
        yield


# each of these has its kind and its number of layers from one of the others
SLOW = (
    "rnn_no_bias",
    "lstm_no_bias",
    "gru_2_layers",
    "lstm_projected_2_layers",
    "rnn_square",
    "gru_square",
    "lstm_square",
)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in ONE_WAY]
)
def test_outputs_and_jacobians_are_those_of_pytorch(case):
    net, facts = imported(case), NETS[case]
    assert net.verification.how == "recorded"
    assert net.verification.difference < 1e-6
    states = rd.unroll(*net.problem(jnp.asarray(facts["inputs"])))
    np.testing.assert_allclose(jax.vmap(net.cell.output)(states), facts["outputs"], atol=1e-6)
    h0 = flat_state(net, facts["state"])
    each = np.asarray(rd.step_jacobians(net.step, net.params, h0, jnp.asarray(facts["inputs"])))
    np.testing.assert_allclose(each[0], facts["jacobian"], atol=1e-6)
    np.testing.assert_allclose(functools.reduce(lambda J, K: K @ J, each), facts["jacobian_of_all"], atol=1e-6)


@pytest.mark.parametrize("case", sorted({*NETS} - {*ONE_WAY}))
def test_a_bidirectional_layer_is_two_nets(case):
    net, facts = imported(case), NETS[case]
    assert "both directions" in net.source
    for each, xs, half in ((net, facts["inputs"], 0), (net.backward, facts["inputs"][::-1], 1)):
        assert each.verification.how == "recorded"
        states = rd.unroll(*each.problem(jnp.asarray(xs)))
        outputs = np.asarray(jax.vmap(each.cell.output)(states))[:: -1 if half else 1]
        n = outputs.shape[1]
        np.testing.assert_allclose(outputs, facts["outputs"][:, half * n : (half + 1) * n], atol=1e-6)


def test_the_state_is_named_and_the_variants_are_the_right_ones():
    lstm, projected = imported("lstm"), imported("lstm_projected")
    assert lstm.cell is rd.cells.lstm
    assert lstm.h0._fields == projected.h0._fields == ("h", "c")
    assert projected.h0.h.shape == (2,)
    assert projected.h0.c.shape == (5,)
    assert imported("gru").cell is rd.cells.make_gru("keep", "after")
    assert imported("rnn_relu").cell is rd.cells.make_elman("relu")
    assert imported("gru_2_layers").cell is rd.cells.stack(*[rd.cells.make_gru("keep", "after")] * 2)
    assert imported("lstm_no_bias").params.forget.b is None
    assert imported("gru_no_bias").params.recurrent_bias is None


def test_what_was_compared_is_said():
    alone = rd.interop.from_torch(weights("lstm"))
    assert alone.verification.how == "none"
    assert np.isnan(alone.verification.difference)
    assert repr(alone).startswith("Imported(PyTorch LSTM, 1 layer, 5 units; not verified")
    assert "verified against the recorded outputs" in repr(imported("lstm"))
    assert "tanh assumed" in rd.interop.from_torch(weights("rnn")).source
    assert "tanh assumed" not in imported("rnn").source


def test_one_layer_of_several():
    both = rd.interop.from_torch(weights("lstm_2_layers"))
    for number in (0, 1):
        one = rd.interop.from_torch(weights("lstm_2_layers"), layer=number)
        jax.tree.map(np.testing.assert_array_equal, one.params, both.params[number])
        assert f"layer {number} alone" in one.source
    with pytest.raises(ValueError, match=r"layer: got 2, expected one of 0, 1"):
        rd.interop.from_torch(weights("lstm_2_layers"), layer=2)


def test_files_and_dicts_give_the_same(tmp_path):
    np.savez(tmp_path / "net.npz", **weights("gru"))
    from_file = rd.interop.from_torch(tmp_path / "net.npz", recorded=recorded("gru"))
    jax.tree.map(np.testing.assert_array_equal, from_file.params, imported("gru").params)
    assert rd.interop.LAYOUTS["torch"](str(tmp_path / "net.npz")).source == from_file.source


def test_a_batch_of_recorded_sequences():
    net = imported("gru")
    xs = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    outputs = jax.vmap(lambda xs: rd.unroll(net.step, net.params, net.h0, xs))(jnp.asarray(xs))
    assert imported("gru", recorded=(xs, outputs)).verification.how == "recorded"
    with pytest.raises(rd.interop.MismatchError) as caught:
        imported("gru", recorded=(xs, np.roll(outputs, 1, axis=0)))
    np.testing.assert_allclose(caught.value.ours, outputs, atol=1e-6)
    np.testing.assert_array_equal(caught.value.original, np.roll(outputs, 1, axis=0))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, jnp.bfloat16])
def test_weights_of_another_precision(dtype):
    arrays = {name: array.astype(dtype) for name, array in weights("lstm").items()}
    net = rd.interop.from_torch(arrays)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(net.params))
    assert f"{jnp.dtype(dtype).name} weights {'rounded to' if dtype is np.float64 else 'held in'} float32" in net.source
    # the recorded outputs are those of the weights before rounding, so they differ by as much
    assert rd.interop.from_torch(arrays, recorded=recorded("lstm")).verification.difference < 0.02
