"""What an import returns: one of our cells, its parameters, and how they were verified."""

from typing import Any, NamedTuple

import numpy as np

from ..cells.contract import Cell, Input, Params, State, Step


class Verification(NamedTuple):
    """How an imported net was compared with the original.

    Attributes:
        how: "live" if the original module ran beside it, "recorded" if it was compared with recorded outputs, "none" if
            there was nothing to compare with.
        difference: The largest absolute difference between the outputs; NaN for "none".
        tolerance: The difference that rounding explains at that step; NaN for "none".
    """

    how: str
    difference: float = float("nan")
    tolerance: float = float("nan")

    def __str__(self) -> str:
        """Say in a sentence how far the import can be trusted."""
        if self.how == "none":
            return "not verified: the outputs were compared with nothing"
        beside = "the original, run on random states and inputs" if self.how == "live" else "the recorded outputs"
        return f"verified against {beside}: largest difference {self.difference:.1e}"


class Imported(NamedTuple):
    """A net from another framework as one of our cells.

    Attributes:
        cell: One of `rd.cells`, or a stack of them with one layer for each of the original's.
        params: Its parameters.
        source: What was read, such as "PyTorch LSTM, 2 layers, 128 units".
        verification: How the net was compared with the original.
        backward: The net that reads the sequence from its end, if the original is bidirectional; else None. Give it the
            inputs in reverse order.
    """

    cell: Cell
    params: Params
    source: str
    verification: Verification
    backward: "Imported | None" = None

    @property
    def step(self) -> Step:
        """The map `step(params, state, x) -> state` that measurements take."""
        return self.cell.step

    @property
    def h0(self) -> State:
        """The initial state: all zeros."""
        return self.cell.initial_state(self.params)

    def problem(self, xs: Input) -> tuple[Step, Params, State, Input]:
        """Return `(step, params, h0, xs)`, the arguments of every measurement."""
        return self.cell.step, self.params, self.h0, xs

    def __repr__(self) -> str:
        """Say what was read and whether it was verified."""
        return f"Imported({self.source}; {self.verification})"


class MismatchError(ValueError):
    """The imported net and the original give different outputs.

    Attributes:
        ours: The outputs of the imported net.
        original: The outputs of the original.
    """

    def __init__(self, message: str, ours: np.ndarray, original: np.ndarray) -> None:
        super().__init__(message)
        self.ours = ours
        self.original = original


def unverified(cell: Cell, params: Any, source: str) -> Imported:
    """Return an import that nothing was compared with."""
    return Imported(cell, params, source, Verification("none"))
