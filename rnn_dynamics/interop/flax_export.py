"""Our cells as Flax modules, linen or nnx."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.affine import Affine
from ..cells.contract import Cell, Params
from .flax_cells import _original
from .jax_activations import NAMES
from .layer_blocks import LSTM_GATES, chain, verified_beside
from .our_cells import Ours, bias, joined, layers_of, only, recurrent_bias, refused, with_update


def to_flax(cell: Cell, params: Params, *, api: str = "linen") -> Any:
    """Turn a cell of ours into a Flax cell, or a stack into a list of them, and compare the two.

    An LSTM becomes an `LSTMCell`, a GRU with the reset after the product a `GRUCell`, an Elman net a `SimpleCell`, a
    JANET with β = 0 linen's `MGUCell` without reset gate. Where Flax's update gate keeps what ours replaces, the gate
    changes its signs. A missing bias becomes zeros. What Flax cannot represent is refused with the reason.

    Args:
        cell: The cell, or a stack of such cells.
        params: Its parameters.
        api: "linen" or "nnx". Default: "linen".

    Returns:
        For linen, the cell and its variables, {"params": ...}, or a list of cells and a list of variables. For nnx, the
        cell, or a list of them.

    Example:
        >>> module, variables = rd.interop.to_flax(rd.cells.lstm, rd.cells.lstm.init(key, inputs=2, hidden=3))
        >>> variables["params"]["hi"]["kernel"].shape
        (3, 3)
    """
    linen = argument.choice("api", api, ("linen", "nnx")) == "linen"
    layers = layers_of(cell, params, "Flax")
    if not layers[0].inputs:
        raise ValueError("cell: got a net without inputs, expected one input or more, as Flax's initializers do")
    exported = [_linen(layer) if linen else (_nnx(layer), None) for layer in layers]
    original = chain([_original(module, own) for module, own in exported])
    verified_beside(cell, params, "the exported Flax net", original)
    modules = only([module for module, _ in exported])
    return (modules, only([{"params": own} for _, own in exported])) if linen else modules


def _linen(layer: Ours) -> tuple[Any, dict[str, dict[str, Any]]]:
    from flax import linen

    if layer.kind == "lstm":
        maps = {letter: getattr(layer.params, name) for letter, name in LSTM_GATES.items()}
        return linen.LSTMCell(layer.units), _kernels(maps, bias_of="h")
    if layer.kind == "gru":
        own = _gru(layer)
        maps = {"r": own.reset, "z": own.update, "n": own.candidate}
        found = _kernels(maps, bias_of="i")
        found["hn"]["bias"] = jnp.asarray(recurrent_bias(own))
        return linen.GRUCell(layer.units), found
    if layer.kind == "vanilla":
        found = _kernels({"": layer.params}, bias_of="i")
        return linen.SimpleCell(layer.units, activation_fn=_function(layer)), found
    if layer.kind != "janet":
        raise refused(layer, "Flax", "has no LSTM with projection")
    if layer.options["beta"] != 0:
        raise refused(layer, "Flax", "has only the one with beta=0, an MGUCell without reset gate")
    maps = {"f": layer.params.forget, "n": layer.params.candidate}
    return linen.MGUCell(layer.units, reset_gate=False), _kernels(maps, bias_of="i")


def _kernels(maps: dict[str, Affine], bias_of: str) -> dict[str, dict[str, Any]]:
    """Return a kernel of the input and one of the state for each gate; `bias_of` says which of the two has the bias."""
    found = {}
    for gate, part in maps.items():
        found[f"i{gate}"] = {"kernel": jnp.asarray(part.U).T}
        found[f"h{gate}"] = {"kernel": jnp.asarray(part.W).T}
        found[f"{bias_of}{gate}"]["bias"] = jnp.asarray(bias(part))
    return found


def _gru(layer: Ours) -> Any:
    if layer.options["reset"] != "after":
        raise refused(layer, "Flax", 'has only the GRU with reset="after"')
    return with_update(layer, "keep")


def _function(layer: Ours) -> Any:
    activation = layer.options["activation"]
    return next((function for function, name in NAMES.items() if name == activation), activation)


def _nnx(layer: Ours) -> Any:
    from flax import nnx

    options = {"rngs": nnx.Rngs(0), "param_dtype": layer.first.W.dtype, "dtype": layer.first.W.dtype}
    if layer.kind == "lstm":
        made = nnx.OptimizedLSTMCell(layer.inputs, layer.units, **options)
        W, U, b = joined(layer.params, "ifgo")
        place = made.dense_h
    elif layer.kind == "gru":
        own = _gru(layer)
        if own.recurrent_bias is not None and np.asarray(own.recurrent_bias).any():
            raise refused(layer, "Flax", 'nnx has no recurrent_bias in its GRU; linen has: api="linen"')
        made = nnx.GRUCell(layer.inputs, layer.units, **options)
        W, U, b = joined(own, "rzn")
        place = made.dense_i
    elif layer.kind == "vanilla":
        made = nnx.SimpleCell(layer.inputs, layer.units, activation_fn=_function(layer), **options)
        W, U, b = np.asarray(layer.params.W), np.asarray(layer.params.U), bias(layer.params)
        place = made.dense_i
    else:
        raise refused(layer, "Flax", 'nnx has only LSTM, GRU and vanilla cells; linen has it: api="linen"')
    made.dense_h.kernel[...] = jnp.asarray(W.T)
    made.dense_i.kernel[...] = jnp.asarray(U.T)
    place.bias[...] = jnp.zeros(len(W), W.dtype) if b is None else jnp.asarray(b)
    return made
