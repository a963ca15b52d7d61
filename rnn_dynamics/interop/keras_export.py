"""Our cells as Keras layers."""

from typing import Any

import numpy as np

from ..cells.contract import Cell, Params
from .keras_layers import ACTIVATIONS, _original
from .layer_blocks import chain, verified_beside
from .our_cells import Ours, bias, joined, layers_of, only, recurrent_bias, refused, with_update


def to_keras(cell: Cell, params: Params) -> Any:
    """Turn a cell of ours into a built Keras layer, or a stack into a list of them, and compare the two.

    An LSTM becomes an `LSTM`, a GRU a `GRU` with `reset_after` as ours has it, an Elman net a `SimpleRNN`. Where
    Keras's update gate keeps what ours replaces, the gate changes its signs. What Keras cannot represent is refused
    with the reason. Every layer returns its outputs at all steps, so that `keras.Sequential(layers)` is the stack.

    Args:
        cell: The cell, or a stack of such cells.
        params: Its parameters.

    Returns:
        The layer, or a list with one for each layer of the stack.

    Example:
        >>> layer = rd.interop.to_keras(rd.cells.lstm, rd.cells.lstm.init(key, inputs=2, hidden=3))
        >>> layer.units
        3
    """
    layers = layers_of(cell, params, "Keras")
    made = [_exported(layer) for layer in layers]
    original = chain([_original(one) for one in made])
    verified_beside(cell, params, "the exported Keras net", original)
    return only(made)


def _exported(layer: Ours) -> Any:
    import keras

    if layer.first.W.dtype.itemsize < 4:
        raise ValueError(f"params: got {layer.first.W.dtype}, expected float32 or float64, as Keras's initializers do")
    options = {"return_sequences": True, "dtype": layer.first.W.dtype.name}
    if layer.kind == "lstm":
        W, U, b = joined(layer.params, "ifgo")
        made = keras.layers.LSTM(layer.units, use_bias=b is not None, **options)
    elif layer.kind == "gru":
        own = with_update(layer, "keep")
        after = layer.options["reset"] == "after"
        W, U, b = joined(own, "zrn")
        c = recurrent_bias(own)
        if after and (b is not None or c.any()):
            b = np.zeros_like(W[:, 0]) if b is None else b
            b = np.stack([b, np.concatenate([np.zeros(2 * layer.units, c.dtype), c])])
        made = keras.layers.GRU(layer.units, use_bias=b is not None, reset_after=after, **options)
    elif layer.kind == "vanilla":
        W, U, b = np.asarray(layer.params.W), np.asarray(layer.params.U), bias(layer.params)
        called = {ours: name for name, ours in ACTIVATIONS.items()}.get(layer.options["activation"])
        if called is None:
            raise refused(layer, "Keras", f"has only {', '.join(ACTIVATIONS)} of our activations")
        made = keras.layers.SimpleRNN(layer.units, activation=called, **options)
    else:
        raise refused(layer, "Keras", "has only LSTM, GRU and vanilla layers")
    made.build((None, None, layer.inputs))
    made.set_weights([U.T, W.T] if b is None else [U.T, W.T, b])
    return made
