"""Keras: `SimpleRNN`, `GRU`, `LSTM`, their cells, `RNN`, `StackedRNNCells`, `Bidirectional`, and models with a chain.

    LSTM         gates i, f, c, o; one bias; state [h, c]
    GRU          gates z, r, h; z keeps the old state; reset_after=True has two biases, the rows of one (2, 3 · units)
    SimpleRNN    one bias, any activation

A kernel is (inputs, gates · units), the transpose of ours. What is imported is the layer in inference: without dropout.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.contract import State
from .arrays import as_numpy
from .imported import Imported
from .keras_models import chain_in
from .layer_blocks import (
    Layer,
    Original,
    belongs_to,
    chain,
    from_original,
    gates_of,
    gru_layer,
    lstm_layer,
    summed,
    vanilla_layer,
)
from .named_arrays import Arrays, Form, are_arrays, import_arrays, only_for_arrays

# what Keras calls the activations of ours
ACTIVATIONS = {"tanh": "tanh", "sigmoid": "logistic", "relu": "relu", "softplus": "softplus", "linear": "identity"}


def from_keras(
    layer: Any,
    *,
    reset: str | None = None,
    activation: str | None = None,
    recorded: tuple[Any, Any] | None = None,
    verify: bool = True,
) -> Imported:
    """Turn Keras layers into a cell of ours, and compare the two.

    Each layer is run beside ours on random states and inputs, as in inference; if the outputs differ, that is an error.
    The layer is not changed. Any backend of Keras will do.

    Args:
        layer: A built `SimpleRNN`, `GRU`, `LSTM`, a cell of these, an `RNN` of cells, `StackedRNNCells` or a
            `Bidirectional`; a list of such layers; a model that contains one of them or a plain chain; or a dict of
            arrays (`kernel`, `recurrent_kernel`, `bias`), nested or flat, or a path to a .safetensors or .npz file.
        reset: For the arrays of a GRU without bias, which do not say it: "before" (`reset_after=False`) or "after".
        activation: For the arrays of a SimpleRNN, which do not say it: "tanh", "sigmoid", "relu", "softplus" or
            "linear". Default: "tanh".
        recorded: Inputs (T, inputs) and the outputs (T, units) that the original gave from the state zero, or batches
            of them. Needed to verify arrays.
        verify: Whether to run a live layer beside the import. Default: True.

    Returns:
        An `Imported` with our `cell`, its `params` and the `verification`. Of a `Bidirectional` it is the forward net,
        and its field `backward` is the other one.

    Cost:
        One compilation of the original and one of ours, for a batch of 7 sequences of 4 steps.

    Example:
        >>> lstm = {"kernel": np.ones((2, 12)), "recurrent_kernel": np.ones((3, 12)), "bias": np.ones(12)}
        >>> net = rd.interop.from_keras({name: array.astype("float32") for name, array in lstm.items()})
        >>> net.source, net.verification.how
        ('Keras LSTM, 3 units', 'none')
    """
    argument.flag("verify", verify)
    if are_arrays(layer):
        return import_arrays("Keras", layer, _forms(reset, activation), recorded, activation=activation, reset=reset)
    only_for_arrays(activation=activation, reset=reset)
    layers = [one for part in layer for one in _in(part)] if isinstance(layer, list | tuple) else _in(layer)
    if len(layers) == 1 and hasattr(layers[0], "forward_layer"):
        return _bidirectional(layers[0], recorded, verify)
    if any(hasattr(one, "forward_layer") for one in layers):
        names = ", ".join(one.name for one in layers)
        raise ValueError(
            f"layer: got the layers {names}; a Bidirectional feeds both its nets to the next, so no net is a chain"
        )
    return from_original("Keras", chain([_original(one) for one in layers]), recorded, verify=verify)


def _forms(reset: str | None, activation: str | None) -> list[Form]:
    needed = ("recurrent_kernel", "kernel")
    ours = ACTIVATIONS[argument.choice("activation", activation or "tanh", ACTIVATIONS)]

    def read(arrays: Arrays) -> Layer:
        vanilla = gates_of(np.asarray(arrays["recurrent_kernel"]).T) == 1
        return _read(arrays, reset, ours, "tanh assumed" if vanilla and activation is None else "")

    return [Form(needed, needed, read, optional=("bias",))]


def _read(arrays: Arrays, reset: str | None, activation: str, note: str = "") -> Layer:
    W, U = np.asarray(arrays["recurrent_kernel"]).T, np.asarray(arrays["kernel"]).T
    b = None if arrays.get("bias") is None else np.asarray(arrays["bias"])
    gates = gates_of(W)
    if gates == 4:
        return lstm_layer(W, U, b, "ifgo", note)
    if gates == 1:
        return vanilla_layer(W, U, b, activation, note)
    if b is not None:
        found = "after" if b.ndim == 2 else "before"
        if reset not in (None, found):
            raise ValueError(f"reset: got {reset!r}, but a bias of shape {b.shape} is that of reset={found!r}")
        reset = found
    if reset not in ("before", "after"):
        raise ValueError(
            f'reset: got {reset!r}, expected "after" (reset_after=True, Keras\'s default) or "before": a GRU without '
            "bias does not say which it is"
        )
    if b is None or reset == "before":
        return gru_layer(W, U, b, None, "zrn", reset=reset, note=note)
    if b.shape != (2, len(W)):
        raise ValueError(f"bias: got shape {b.shape}, expected {(2, len(W))} or {(len(W),)}")
    # outside of the reset product the two biases only occur as their sum
    split = 2 * W.shape[1]
    joint = np.concatenate([summed(b[0, :split], b[1, :split]), b[0, split:]])
    return gru_layer(W, U, joint, b[1, split:], "zrn", note=note)


def _in(layer: Any) -> list[Any]:
    """Return the recurrent layers in order; a cell becomes an RNN of it."""
    if not belongs_to("keras", layer):
        raise TypeError(
            f"layer: got {type(layer).__name__}, expected a layer, cell or model of Keras, a list or arrays"
        )
    import keras

    found = chain_in(keras, layer) if isinstance(layer, keras.Model) else [layer]
    rnns = [keras.layers.RNN(one, name=one.name) if _is_cell(keras, one) else one for one in found]
    for one in rnns:
        if not isinstance(one, keras.layers.RNN | keras.layers.Bidirectional):
            raise ValueError(
                f"layer: got {type(one).__name__} {one.name!r}, expected SimpleRNN, GRU, LSTM, a cell of these, an RNN "
                "of cells, StackedRNNCells, Bidirectional or a model; help(rd.interop) shows how to measure others"
            )
    return rnns


def _is_cell(keras: Any, layer: Any) -> bool:
    layers = keras.layers
    return isinstance(layer, layers.SimpleRNNCell | layers.GRUCell | layers.LSTMCell | layers.StackedRNNCells)


def _bidirectional(layer: Any, recorded: Any, verify: bool) -> Imported:
    if recorded is not None:
        raise ValueError("recorded: given for a bidirectional layer, expected the recording of one of its layers")
    forward, backward = layer.forward_layer, layer.backward_layer
    if forward.go_backwards:
        raise ValueError(
            "layer: its forward layer has go_backwards=True; expected False there, True in the backward layer"
        )
    reading_on = _copy(backward, go_backwards=False)
    other = from_original(
        "Keras", _original(reading_on), of="the backward half of a bidirectional layer", verify=verify
    )
    net = from_original("Keras", _original(forward), of="the forward half of a bidirectional layer", verify=verify)
    return net._replace(backward=other)


def _copy(layer: Any, **options: Any) -> Any:
    """Return a copy that shares the weights, so that the user's layer keeps its options."""
    # copy.copy would save the layer and load it again
    other = object.__new__(type(layer))
    other.__dict__.update(layer.__dict__, **options)
    return other


def _original(rnn: Any) -> Original:
    if rnn.go_backwards:
        raise ValueError(
            f"layer: {rnn.name!r} has go_backwards=True; import its cell, layer.cell, and give our net the inputs in "
            "reverse order"
        )
    cells = list(getattr(rnn.cell, "cells", [rnn.cell]))
    layers = [_layer(cell) for cell in cells]
    nested = hasattr(rnn.cell, "cells")
    return Original(layers, lambda states, xs: _run(rnn, cells, nested, states, xs), _dtype(rnn))


def _dtype(rnn: Any) -> Any:
    """Return the coarser of the dtypes that a layer computes in and keeps its variables in."""
    return max((jnp.dtype(rnn.compute_dtype), jnp.dtype(rnn.variable_dtype)), key=lambda dtype: jnp.finfo(dtype).eps)


def _layer(cell: Any) -> Layer:
    import keras

    known = keras.layers.SimpleRNNCell | keras.layers.GRUCell | keras.layers.LSTMCell
    if not isinstance(cell, known):
        raise ValueError(
            f"layer: got the cell {type(cell).__name__}, expected SimpleRNNCell, GRUCell or LSTMCell; "
            "help(rd.interop) shows how to measure any other cell"
        )
    if not cell.built:
        raise ValueError(
            f"layer: {cell.name!r} has no weights yet; call it once, or layer.build((None, None, inputs)) for a layer "
            "and cell.build((None, inputs)) for a cell"
        )
    arrays = {"recurrent_kernel": cell.recurrent_kernel, "kernel": cell.kernel, "bias": cell.bias}
    values = {name: as_numpy(keras.ops.convert_to_tensor(array)) for name, array in arrays.items() if array is not None}
    gated = not isinstance(cell, keras.layers.SimpleRNNCell)
    activation = _activation(keras, cell, "activation", "tanh" if gated else None)
    if gated:
        _activation(keras, cell, "recurrent_activation", "sigmoid")
    reset = getattr(cell, "reset_after", None)
    note = "dropout as in inference" if cell.dropout or cell.recurrent_dropout else ""
    return _read(values, None if reset is None else "after" if reset else "before", activation, note)


def _activation(keras: Any, cell: Any, name: str, wanted: str | None) -> str:
    """Return our name of a cell's activation; raise if our cell has no such one."""
    function = getattr(cell, name)
    called = next((known for known in ACTIVATIONS if function is getattr(keras.activations, known)), None)
    if called is None or wanted not in (None, called):
        allowed = repr(wanted) if wanted else " or ".join(map(repr, ACTIVATIONS))
        raise ValueError(
            f"layer: {cell.name!r} has {name}={getattr(function, '__name__', function)!r}, expected {allowed}, since "
            "our cell has no other; help(rd.interop) shows how to measure it as it is"
        )
    return ACTIVATIONS[called]


def _run(rnn: Any, cells: list[Any], nested: bool, states: State, xs: Any) -> Any:
    """Run a copy of the layer in inference; a stateless scope keeps its variables as they are."""
    import keras

    parts = [
        [keras.ops.convert_to_tensor(np.asarray(leaf)) for leaf in ([one.h, one.c] if hasattr(one, "c") else [one])]
        for one in (states if len(cells) > 1 else (states,))
    ]
    other = _copy(rnn, return_sequences=True, return_state=False, stateful=False)
    with keras.StatelessScope():
        outputs = other(
            keras.ops.convert_to_tensor(np.asarray(xs)), initial_state=parts if nested else parts[0], training=False
        )
    return as_numpy(outputs)
