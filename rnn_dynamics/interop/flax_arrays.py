"""The arrays of Flax's cells, linen and nnx: how they are called and what they mean.

    LSTMCell             ii, if, ig, io (kernels) and hi, hf, hg, ho (kernels and biases); nnx calls `if` `if_`
    GRUCell, linen       ir, iz, in (kernels and biases), hr, hz, hn (kernels), the bias of hn inside the reset product
    MGUCell, linen       if, in (kernels and biases), hf, hn (kernels), the bias of hn only with a reset gate
    SimpleCell, linen    i (kernel and bias), h (kernel)
    nnx, the others      dense_i and dense_h with joint kernels: i, f, g, o for OptimizedLSTMCell; r, z, n for GRUCell,
                         whose recurrent product has no bias (its docstring says otherwise)

A kernel is (inputs, units), the transpose of ours. z keeps the old state, and the state of an LSTM is (c, h).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..cells.affine import Affine
from ..cells.janet import make_janet
from ..cells.mgu import OneGateParams
from .layer_blocks import Layer, affine_maps, gates_of, gru_layer, lstm_layer, summed, vanilla_layer
from .named_arrays import Arrays, Form

Activation = str | Callable[..., Any] | None

LSTM_KERNELS = tuple(f"{side}{gate}/kernel" for side in "ih" for gate in "ifgo")
LSTM_NAMES = (*LSTM_KERNELS, *(f"h{gate}/bias" for gate in "ifgo"))
GRU_NAMES = (*(f"{side}{gate}/kernel" for side in "ih" for gate in "rzn"), *(f"i{gate}/bias" for gate in "rzn"))


def _joined(arrays: Arrays, names: list[str]) -> np.ndarray:
    parts = [np.asarray(arrays[name]).T for name in names]
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(f"{name} {part.shape[::-1]}" for name, part in zip(names, parts, strict=True))
        raise ValueError(f"kernels and biases of the gates: got shapes {shapes}, expected equal ones")
    return np.concatenate(parts)


def _lstm(arrays: Arrays) -> Layer:
    W, U = (_joined(arrays, [f"{side}{gate}/kernel" for gate in "ifgo"]) for side in "hi")
    return lstm_layer(W, U, _joined(arrays, [f"h{gate}/bias" for gate in "ifgo"]), "ifgo")


def _nnx_lstm(arrays: Arrays) -> Layer:
    return _lstm({name.replace("if_", "if"): array for name, array in arrays.items()})


def _gru(arrays: Arrays) -> Layer:
    W, U = (_joined(arrays, [f"{side}{gate}/kernel" for gate in "rzn"]) for side in "hi")
    return gru_layer(W, U, _joined(arrays, [f"i{gate}/bias" for gate in "rzn"]), arrays["hn/bias"], "rzn")


def _mgu(arrays: Arrays) -> Layer:
    """Return a GRU whose gates z and r are the one gate, or without a reset gate a JANET with β = 0."""
    W, U = (_joined(arrays, [f"{side}{gate}/kernel" for gate in "fn"]) for side in "hi")
    b = _joined(arrays, ["if/bias", "in/bias"])
    if "hn/bias" in arrays:
        W, U, b = (np.concatenate([np.split(array, 2)[0], array]) for array in (W, U, b))
        note = "a minimal gated unit, as a GRU with equal gates"
        return gru_layer(W, U, b, arrays["hn/bias"], "zrn", note=note)
    maps: dict[str, Affine] = affine_maps("fn", W, U, b)
    params = OneGateParams(forget=maps["f"], candidate=maps["n"])
    units, inputs = params.forget.U.shape
    return Layer(
        make_janet(beta=0.0), params, "MGU", inputs, units, U.dtype, "without reset gate, as JANET with beta 0"
    )


def simple(arrays: Arrays, activation: Activation = None, residual: bool | None = None) -> Layer:
    """Return a SimpleCell; what a residual one adds to the pre-activation, the state itself, is part of W.

    None stands for what nobody said: tanh and no residual are assumed.
    """
    W = np.asarray(arrays["h/kernel"]).T
    if residual:
        W = summed(W, np.eye(len(W)))
    assumed = ["tanh"] * (activation is None) + ["residual=False"] * (residual is None)
    note = "residual: W includes the identity" if residual else " and ".join(assumed) + " assumed" if assumed else ""
    activation = "tanh" if activation is None else activation
    return vanilla_layer(W, np.asarray(arrays["i/kernel"]).T, arrays.get("i/bias"), activation, note)


def dense(arrays: Arrays, activation: Activation = None, residual: bool | None = None) -> Layer:
    """Return one of nnx's cells with joint kernels."""
    W, U = np.asarray(arrays["dense_h/kernel"]).T, np.asarray(arrays["dense_i/kernel"]).T
    of_input, of_state = arrays.get("dense_i/bias"), arrays.get("dense_h/bias")
    gates = gates_of(W)
    used, unused, place = (of_state, of_input, "dense_h") if gates == 4 else (of_input, of_state, "dense_i")
    if used is None or unused is not None:
        raise ValueError(f"bias: expected {place}/bias and no other, as the cell with {gates} gates has it")
    if gates == 4:
        return lstm_layer(W, U, used, "ifgo")
    if gates == 3:
        return gru_layer(W, U, used, None, "rzn")
    renamed = {"h/kernel": W.T, "i/kernel": U.T, "i/bias": used}
    return simple(renamed, activation, residual)


GATED = [
    Form(("hi/kernel", "ii/kernel", "if/kernel"), LSTM_NAMES, _lstm),
    Form(
        ("hi/kernel", "ii/kernel", "if_/kernel"),
        tuple(name.replace("if/", "if_/") for name in LSTM_NAMES),
        _nnx_lstm,
    ),
    Form(("hr/kernel", "ir/kernel"), (*GRU_NAMES, "hn/bias"), _gru),
    Form(
        ("hf/kernel", "hn/kernel"),
        ("if/kernel", "if/bias", "in/kernel", "in/bias", "hf/kernel", "hn/kernel"),
        _mgu,
        optional=("hn/bias",),
    ),
]


def forms(activation: Activation = None) -> list[Form]:
    """Return the forms of all cells; the activation is that of a SimpleCell, whose arrays do not show it."""
    joint = ("dense_h/kernel", "dense_i/kernel")
    return [
        *GATED,
        Form(("h/kernel", "i/kernel"), ("h/kernel", "i/kernel", "i/bias"), lambda arrays: simple(arrays, activation)),
        Form(joint, joint, lambda arrays: dense(arrays, activation), optional=("dense_h/bias", "dense_i/bias")),
    ]
