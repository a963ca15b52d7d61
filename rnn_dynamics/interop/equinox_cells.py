"""Equinox: `LSTMCell` and `GRUCell`, alone, in a list, or as the only recurrent layer of a module.

    LSTMCell    rows of the gates i, f, g, o; one bias; state (h, c)
    GRUCell     rows of the gates r, z, n; reset after the product, with its own bias `bias_n`; z keeps the old state

Weights are stored as (gates · units, inputs): as ours are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.contract import Cell, Params, State
from .imported import Imported
from .layer_blocks import (
    Layer,
    Original,
    belongs_to,
    chain,
    from_original,
    gates_of,
    gru_layer,
    lstm_layer,
    over_time,
    verified_beside,
)
from .named_arrays import Arrays, Form, are_arrays, import_arrays
from .our_cells import Ours, joined, layers_of, only, recurrent_bias, refused, with_update


def _read(arrays: Arrays) -> Layer:
    W, U, b = arrays["weight_hh"], arrays["weight_ih"], arrays.get("bias")
    gates = gates_of(W)
    if gates == 1:
        raise ValueError(f"weight_hh: got shape {np.shape(W)}, one gate; Equinox has no vanilla cell")
    if gates == 4:
        return lstm_layer(W, U, b, "ifgo")
    return gru_layer(W, U, b, arrays.get("bias_n"), "rzn")


FORMS = [Form(("weight_hh", "weight_ih"), ("weight_hh", "weight_ih"), _read, ("bias", "bias_n"))]


def from_equinox(module: Any, *, recorded: tuple[Any, Any] | None = None, verify: bool = True) -> Imported:
    """Turn Equinox cells into a cell of ours, and compare the two.

    Each cell is run beside ours on random states and inputs; if the outputs differ, that is an error. The module is not
    changed.

    Args:
        module: A `GRUCell` or `LSTMCell`; a list of them, the one nearest to the input first; a module that contains
            just one; a dict of arrays (`weight_ih`, `weight_hh`, `bias`, `bias_n`), nested or flat, or a path to a
            .safetensors or .npz file of them.
        recorded: Inputs (T, inputs) and the outputs (T, units) that the original gave from the state zero, or batches
            of them. Needed to verify arrays.
        verify: Whether to run a live module beside the import. Default: True.

    Returns:
        An `Imported` with our `cell`, its `params` and the `verification`.

    Cost:
        One compilation of the original and one of ours, for a batch of 7 sequences of 4 steps.

    Example:
        >>> import equinox as eqx
        >>> net = rd.interop.from_equinox(eqx.nn.LSTMCell(2, 3, key=key))
        >>> net.source, net.verification.how
        ('Equinox LSTM, 3 units', 'live')
    """
    argument.flag("verify", verify)
    if are_arrays(module):
        return import_arrays("Equinox", module, FORMS, recorded)
    original = chain([_original(cell) for cell in module]) if isinstance(module, list | tuple) else _original(module)
    return from_original("Equinox", original, recorded, verify=verify)


def _original(module: Any) -> Original:
    if not belongs_to("equinox", module):
        raise TypeError(f"module: got {type(module).__name__}, expected an Equinox module, a list of them or arrays")
    import equinox

    def is_cell(part: Any) -> bool:
        return isinstance(part, equinox.nn.GRUCell | equinox.nn.LSTMCell)

    parts = jax.tree_util.tree_flatten_with_path(module, is_leaf=is_cell)[0]
    cells = {jax.tree_util.keystr(path): part for path, part in parts if is_cell(part)}
    if len(cells) != 1:
        found = ", ".join(f"module{path} ({type(cell).__name__})" for path, cell in cells.items())
        raise ValueError(
            f"module: got {type(module).__name__} with "
            + (
                f"the recurrent layers {found}; expected one, or a list of them in order"
                if cells
                else "no GRUCell or LSTMCell"
            )
        )
    ((_, cell),) = cells.items()
    arrays = {name: getattr(cell, name, None) for name in ("weight_hh", "weight_ih", "bias", "bias_n")}
    layer = _read({name: array for name, array in arrays.items() if array is not None})
    return Original([layer], lambda states, xs: _run(cell, layer.kind == "LSTM", states, xs), cell.weight_hh.dtype)


def _run(cell: Any, is_lstm: bool, states: State, xs: Any) -> Any:
    def advance(state: Any, x: Any) -> tuple[Any, Any]:
        state = jax.vmap(cell)(x, state)
        return state, state[0] if is_lstm else state

    return jax.jit(lambda state, xs: over_time(advance, state, xs))(tuple(states) if is_lstm else states, xs)


def to_equinox(cell: Cell, params: Params) -> Any:
    """Turn a cell of ours into an Equinox cell, or a stack into a list of them, and compare the two.

    An LSTM becomes an `LSTMCell`, a GRU with the reset after the product a `GRUCell`; where Equinox's update gate keeps
    what ours replaces, the gate changes its signs. What Equinox cannot represent is refused with the reason.

    Args:
        cell: The cell, or a stack of such cells.
        params: Its parameters.

    Returns:
        The Equinox cell, or a list with one for each layer.

    Example:
        >>> cell = rd.cells.make_gru(reset="after")
        >>> rd.interop.to_equinox(cell, cell.init(key, inputs=2, hidden=3)).hidden_size
        3
    """
    import equinox

    layers = layers_of(cell, params, "Equinox")
    cells = [_exported(equinox, layer) for layer in layers]
    original = chain([_original(one) for one in cells])
    verified_beside(cell, params, "the exported Equinox net", original)
    return only(cells)


def _exported(equinox: Any, layer: Ours) -> Any:
    if layer.kind == "lstm":
        (W, U, b), make, c = joined(layer.params, "ifgo"), equinox.nn.LSTMCell, None
    elif layer.kind == "gru" and layer.options["reset"] == "after":
        params = with_update(layer, "keep")
        (W, U, b), make, c = joined(params, "rzn"), equinox.nn.GRUCell, recurrent_bias(params)
        b = np.zeros_like(W[:, 0]) if b is None and c.any() else b
    else:
        raise refused(layer, "Equinox", 'has only an LSTM and a GRU with reset="after"')
    made = make(layer.inputs, layer.units, use_bias=b is not None, dtype=W.dtype, key=jax.random.key(0))
    values = [W, U] if b is None else [W, U, b] if c is None else [W, U, b, c]
    names = ("weight_hh", "weight_ih", "bias", "bias_n")[: len(values)]
    return equinox.tree_at(
        lambda cell: [getattr(cell, name) for name in names], made, [jnp.asarray(value) for value in values]
    )
