"""Take one of our cells apart: its layers, and what each of them computes."""

from typing import Any, NamedTuple

from ..cells.activations import ACTIVATIONS
from ..cells.contract import Cell, Params, made_by
from ..cells.lstm import lstm
from ..cells.projected_lstm import projected_lstm


class Described(NamedTuple):
    """A layer of a cell of ours.

    Attributes:
        kind: "elman", "gru", "lstm" or "projected_lstm"; "" for any other cell.
        options: What its maker was given: "activation" and "leak" of an Elman net, "update" and "reset" of a GRU.
        params: Its parameters.
    """

    kind: str
    options: dict[str, Any]
    params: Params


def described(cell: Cell, params: Params) -> list[Described]:
    """Return what each layer of a cell computes; one layer unless the cell is a stack."""
    maker, options = made_by(cell)
    if maker == "stack":
        return [layer for part, p in zip(options["cells"], params, strict=True) for layer in described(part, p)]
    if cell in (lstm, projected_lstm):
        return [Described("lstm" if cell == lstm else "projected_lstm", {}, params)]
    if maker == "make_gru":
        return [Described("gru", options, params)]
    if maker == "make_elman":
        name = next((name for name, phi in ACTIVATIONS.items() if phi is options["activation"]), options["activation"])
        return [Described("elman", {**options, "activation": name}, params)]
    return [Described("", {}, params)]
