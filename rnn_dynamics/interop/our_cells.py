"""Our cells as the block matrices that frameworks store: the way back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import argument
from ..cells import CELLS
from ..cells.activations import ACTIVATIONS
from ..cells.affine import Affine
from ..cells.contract import Cell, Params, made_by
from ..cells.gru import GRUParams
from ..cells.lstm import LSTMParams, lstm
from ..cells.mgu import OneGateParams
from ..cells.projected_lstm import ProjectedAffine, ProjectedLSTMParams, projected_lstm
from .arrays import checked_weights
from .layer_blocks import GRU_GATES, LSTM_GATES

# by what makes the cell: its kind, and the type of its parameters
KINDS: dict[str, tuple[str, type]] = {
    "lstm": ("lstm", LSTMParams),
    "projected_lstm": ("projected_lstm", ProjectedLSTMParams),
    "make_gru": ("gru", GRUParams),
    "make_elman": ("vanilla", Affine),
    "make_janet": ("janet", OneGateParams),
}


class Ours(NamedTuple):
    """One layer of a net of ours.

    Attributes:
        kind: "lstm", "projected_lstm", "gru", "vanilla" or "janet".
        options: What it was made with: `update` and `reset`, or `activation`, or `beta`.
        params: Its parameters.
    """

    kind: str
    options: dict[str, Any]
    params: Any

    @property
    def units(self) -> int:
        """The number of units."""
        return self.first.W.shape[0]

    @property
    def inputs(self) -> int:
        """The size of the input."""
        return self.first.U.shape[1]

    @property
    def first(self) -> Affine | ProjectedAffine:
        """The first affine map."""
        return self.params if isinstance(self.params, Affine) else self.params[0]


def layers_of(cell: Cell, params: Params, framework: str) -> list[Ours]:
    """Return the layers of a cell or a stack; raise if one has no counterpart in any framework."""
    name, options = made_by(argument.instance("cell", cell, Cell))
    if name == "stack":
        cells = options["cells"]
        if any(made_by(one)[0] == "stack" for one in cells):
            raise ValueError("cell: got a stack of stacks, expected a stack of cells")
        if not isinstance(params, tuple) or len(params) != len(cells):
            raise TypeError(f"params: got {type(params).__name__}, expected a tuple of {len(cells)}, one per layer")
        return [layer for one, own in zip(cells, params, strict=True) for layer in layers_of(one, own, framework)]
    if cell is CELLS["linear"]:
        name, options = "make_elman", {"activation": "identity", "leak": 1.0}
    name = "lstm" if cell == lstm else "projected_lstm" if cell == projected_lstm else name
    kind, of_params = KINDS.get(name, ("", object))
    if not kind:
        called = next((name for name, one in CELLS.items() if one is cell), name.removeprefix("make_") or "of your own")
        raise ValueError(f"cell: got the cell {called}, which {framework} does not have; expected LSTM, GRU or vanilla")
    if not isinstance(params, of_params):
        raise TypeError(f"params: got {type(params).__name__}, expected {of_params.__name__}")
    for leaf in jax.tree.leaves(params):
        checked_weights("params", np.asarray(leaf))
    if kind == "vanilla":
        options = {**options, "activation": _activation_name(options["activation"])}
        if options["leak"] != 1:
            raise ValueError(f"cell: got leak={options['leak']}, which {framework} does not have; expected leak=1")
    return [Ours(kind, options, params)]


def _activation_name(activation: Any) -> Any:
    return next((name for name, function in ACTIVATIONS.items() if activation is function), activation)


def with_update(layer: Ours, wanted: str) -> GRUParams:
    """Return GRU parameters for the wanted convention: σ(-a) = 1 - σ(a), so the other one's gate has opposite signs."""
    if layer.options["update"] == wanted:
        return layer.params
    W, U, b = layer.params.update
    return layer.params._replace(update=Affine(-W, -U, None if b is None else -b))


def joined(
    params: LSTMParams | ProjectedLSTMParams | GRUParams, order: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return W (gates · n, n), U (gates · n, m) and b (gates · n,), None if no gate has one, in this order of gates.

    With a projection to p numbers W is (gates · n, p).
    """
    names = GRU_GATES if isinstance(params, GRUParams) else LSTM_GATES
    parts = [getattr(params, names[letter]) for letter in order]
    W, U = (np.concatenate([np.asarray(getattr(part, letter)) for part in parts]) for letter in "WU")
    return W, U, None if all(part.b is None for part in parts) else np.concatenate([bias(part) for part in parts])


def bias(part: Affine | ProjectedAffine) -> np.ndarray:
    """Return the bias, zeros if there is none."""
    return np.zeros_like(np.asarray(part.W[:, 0])) if part.b is None else np.asarray(part.b)


def recurrent_bias(params: GRUParams) -> np.ndarray:
    """Return the bias inside the reset product, zeros if there is none."""
    return np.zeros_like(bias(params.candidate)) if params.recurrent_bias is None else np.asarray(params.recurrent_bias)


def refused(layer: Ours, framework: str, reason: str) -> ValueError:
    """Return the error for a layer that the framework cannot represent."""
    options = ", ".join(f"{name}={value!r}" for name, value in layer.options.items() if name != "leak")
    return ValueError(f"cell: got {layer.kind}{f' with {options}' if options else ''}; {framework} {reason}")


def only(layers: Sequence[Any]) -> Any:
    """Return the one element, or the list of several."""
    return layers[0] if len(layers) == 1 else list(layers)
