"""Arrays with PyTorch's names: found by a prefix, checked, refused with the reason."""

import jax
import numpy as np
import pytest
from recorded_nets import imported, recorded, weights

import rnn_dynamics as rd


def renamed(arrays, prefix):
    return {name.replace("rnn.", prefix, 1): array for name, array in arrays.items()}


@pytest.mark.parametrize("prefix", ["", "encoder.rnn.", "model/lstm/", "0."])
def test_any_common_prefix_is_found(prefix):
    others = {"head.weight": np.zeros((2, 5)), "epoch": 3, "optimizer": {"lr": 0.1}}
    net = imported("lstm", {**renamed(weights("lstm"), prefix), **others})
    assert net.verification.how == "recorded"


def test_of_several_nets_one_is_chosen():
    arrays = {**renamed(weights("lstm"), "a.rnn."), **renamed(weights("gru"), "b.")}
    with pytest.raises(ValueError, match=r"holds 2 recurrent nets; pass prefix='a.rnn' or 'b'"):
        rd.interop.from_torch(arrays)
    for prefix in ("b", "b."):
        assert "GRU" in rd.interop.from_torch(arrays, prefix=prefix).source
    with pytest.raises(ValueError, match=r"prefix: got 'a', expected 'a.rnn' or 'b'"):
        rd.interop.from_torch(arrays, prefix="a")
    with pytest.raises(ValueError, match=r"prefix: got 'b', expected 'a.rnn'"):
        rd.interop.from_torch(renamed(weights("lstm"), "a.rnn."), prefix="b")


def test_an_import_shares_no_memory_with_the_arrays():
    """JAX does share it where it can: float64 here, 64 bytes at a time."""
    arrays = {"weight_ih_l0": np.zeros((192, 64)), "weight_hh_l0": np.zeros((192, 64)), "bias_ih_l0": np.zeros(192)}
    arrays["bias_hh_l0"] = np.zeros(192)
    net = rd.interop.from_torch(arrays)
    for array in arrays.values():
        array += 1
    assert not any(leaf.any() for leaf in jax.tree.leaves(net.params))


def changed(case, name, change):
    arrays = weights(case)
    return {**arrays, name: change(arrays[name])}


def without(case, *names):
    return {name: array for name, array in weights(case).items() if not name.endswith(names)}


def with_value(array, value):
    array = array.copy()
    array[(1,) * array.ndim] = value
    return array


REFUSED = {
    "no names of PyTorch": ({"a": np.zeros(3)}, ValueError, "no arrays with PyTorch's names"),
    "a checkpoint": (
        {"epoch": 3, "model": weights("lstm"), "optimizer": {}},
        ValueError,
        "holds the dicts 'model', 'optimizer': pass the one with the weights",
    ),
    "pruned weights": (
        {**without("lstm", "weight_hh_l0"), "rnn.weight_hh_l0_orig": np.ones((20, 5)), "rnn.weight_hh_l0_mask": 1.0},
        ValueError,
        "no weight_hh; of parametrised or pruned weights",
    ),
    "a bias under another name": (
        {**without("lstm", "bias_ih_l0", "bias_hh_l0"), "rnn.bias_l0": np.ones(20, np.float32)},
        ValueError,
        "holds 'rnn.bias_l0' beside the weights of the net",
    ),
    "the arrays of Equinox": (
        {"weight_ih": np.ones((4, 3)), "weight_hh": np.ones((4, 1)), "bias": np.ones(4)},
        ValueError,
        "holds 'bias' beside",
    ),
    "no arrays at all": ({}, ValueError, "no arrays with PyTorch's names"),
    "no dict": ([1, 2], TypeError, "got list, expected a live module, a dict of arrays, or the path"),
    "no weight_hh": (without("lstm", "weight_hh_l0"), ValueError, "but no weight_hh"),
    "one bias": (without("lstm", "bias_hh_l0"), ValueError, "but no bias_hh"),
    "a gap between layers": (without("lstm_2_layers", "_l0"), ValueError, "holds the layers l1, expected l0"),
    "one direction": (without("lstm_both_directions", "_l0"), ValueError, "holds the layers l0_reverse, expected l0"),
    "5 gates": (changed("lstm", "rnn.weight_hh_l0", lambda a: np.zeros((25, 5))), ValueError, r"\(25, 5\)"),
    "a wide recurrence": (
        changed("lstm", "rnn.weight_hh_l0", np.transpose),
        ValueError,
        r"\(5, 20\), expected \(n, n\)",
    ),
    "a transposed kernel": (
        changed("lstm", "rnn.weight_ih_l0", np.transpose),
        ValueError,
        r"weight_ih of l0 has shape",
    ),
    "a short bias": (
        changed("gru", "rnn.bias_hh_l0", lambda a: a[:-1]),
        ValueError,
        r"bias_hh of l0 has shape \(14,\)",
    ),
    "a flat kernel": (changed("gru", "rnn.weight_hh_l0", np.ravel), ValueError, "of 1 axes, expected 2"),
    "an empty kernel": (changed("rnn", "rnn.weight_hh_l0", lambda a: a[:0, :0]), ValueError, r"shape \(0, 0\)"),
    "a projection to nothing": (
        {
            "weight_ih": np.zeros((4 * 10**12, 0)),
            "weight_hh": np.zeros((4 * 10**12, 0)),
            "weight_hr": np.zeros((0, 10**12)),
        },
        ValueError,
        r"weight_hh of l0 has shape \(4000000000000, 0\)",
    ),
    "a thousand layers": (
        {f"weight_{part}_l{layer}": np.ones((1, 1)) for layer in range(1000) for part in ("ih", "hh")},
        ValueError,
        "holds 1000 layers, expected at most 64",
    ),
    "a thousand gaps": (
        {f"weight_{part}_l{2 * layer}": np.ones((1, 1)) for layer in range(1000) for part in ("ih", "hh")},
        ValueError,
        "l18 and 990 more, expected l0, l1",
    ),
    "another projection": (changed("lstm_projected", "rnn.weight_hr_l0", np.transpose), ValueError, "weight_hr of l0"),
    "another second layer": (
        changed("lstm_2_layers", "rnn.weight_ih_l1", lambda a: a[:, :-1]),
        ValueError,
        "one column for each of the 5 outputs of l0",
    ),
    "whole numbers": (changed("lstm", "rnn.bias_hh_l0", lambda a: a.astype(int)), TypeError, "got dtype int64"),
    "complex numbers": (changed("lstm", "rnn.bias_hh_l0", lambda a: a + 0j), TypeError, "got dtype complex"),
    "NaN": (
        changed("lstm", "rnn.bias_hh_l0", lambda a: with_value(a, np.nan)),
        ValueError,
        r"1 of 20 values.*at \(1,\)",
    ),
    "inf": (changed("gru", "rnn.weight_ih_l0", lambda a: with_value(a, np.inf)), ValueError, r"first at \(1, 1\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_the_arrays_is_said(name):
    arrays, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        rd.interop.from_torch(arrays)


def test_a_bidirectional_net_of_two_layers_has_no_step():
    arrays = {}
    for layer in (0, 1):
        for direction in ("", "_reverse"):
            arrays[f"weight_ih_l{layer}{direction}"] = np.full((4, 2 if layer == 0 else 8), 0.1)
            arrays[f"weight_hh_l{layer}{direction}"] = np.eye(4)
    with pytest.raises(
        ValueError, match="a bidirectional net of 2 layers has no step: layer 1 reads what layer 0 made"
    ):
        rd.interop.from_torch(arrays)
    second = rd.interop.from_torch(arrays, layer=1)
    assert second.params.U.shape == second.backward.params.U.shape == (4, 8)


def test_options():
    with pytest.raises(ValueError, match="nonlinearity: got 'elu', expected one of 'tanh', 'relu'"):
        rd.interop.from_torch(weights("rnn"), nonlinearity="elu")
    with pytest.raises(ValueError, match="nonlinearity: got 'relu', but the arrays are those of a LSTM"):
        rd.interop.from_torch(weights("lstm"), nonlinearity="relu")
    with pytest.raises(TypeError, match="prefix"):
        rd.interop.from_torch(weights("lstm"), prefix=3)
    with pytest.raises(ValueError, match="layer: got True, expected a whole number"):
        rd.interop.from_torch(weights("lstm"), layer=True)


X, Y = recorded("lstm")
RECORDED = {
    "one array": ((X, Y[None]), r"inputs of shape \(1, 20, 3\)"),
    "other steps": ((X, Y[:-1]), r"expected \(T, m\) and \(T, n\)"),
    "two steps": ((X[:2], Y[:2]), "got 2 steps, expected at least 3"),
    "no inputs": ((0 * X, Y), "of zeros, expected at least 3 steps with inputs that are not all 0"),
    "NaN": ((X, np.full_like(Y, np.nan)), "not finite"),
    "other units": ((X, Y[:, :-1]), r"outputs have shape \(1, 20, 5\), the original's \(1, 20, 4\)"),
}


def test_a_recording_is_a_pair_of_arrays():
    with pytest.raises(TypeError, match="recorded"):
        imported("lstm", recorded=(X, Y, Y))
    torch = pytest.importorskip("torch")
    outputs = torch.tensor(Y, requires_grad=True)
    assert imported("lstm", recorded=(torch.tensor(X), outputs)).verification.how == "recorded"


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_that_shows_nothing_is_refused(name):
    pair, message = RECORDED[name]
    with pytest.raises(ValueError, match=message):
        imported("lstm", recorded=pair)
