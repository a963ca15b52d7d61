"""The ends of a search before and after they are merged: a few arrays that go together."""

from typing import NamedTuple

import numpy as np

from ...cells.contract import Input
from ..local_maps import LocalMaps, local_maps
from ..problem import Problem

# a cubic changes by more than rounding over so many cube roots of eps
REACH = 40.0


class Searched(NamedTuple):
    """What is to be described.

    Attributes:
        problem: The step and the candidates.
        xs: The inputs, with a leading axis.
        vectors: The ends, (N, n), in float64.
        ending: How each ended, (N,).
        inputs: The row of xs of each, (N,).
        spread: The spread of the candidates.
        eps: The relative precision of the float type of the states.
    """

    problem: Problem
    xs: Input
    vectors: np.ndarray
    ending: np.ndarray
    inputs: np.ndarray
    spread: float
    eps: float

    @property
    def reach(self) -> float:
        """Return the distance over which a line of points is told from one point.

        It is the spread of the candidates. Where they are close together it is longer, by as much as rounding of their
        states needs: over shorter distances rounding hides whether f changes.
        """
        size = float(np.sqrt(np.mean(np.sum(np.asarray(self.problem.vectors, np.float64) ** 2, axis=1))))
        return max(self.spread, REACH * self.eps ** (1 / 3) * size)

    def near(self, vectors: np.ndarray, inputs: np.ndarray) -> LocalMaps:
        """Return f and J at vectors (N, n) that belong to these inputs (N,)."""
        return local_maps(self.problem, self.xs, vectors, inputs)


class Ends(NamedTuple):
    """Ends of a search that may still be the same point, N of them.

    Attributes:
        vectors: (N, n).
        inputs: The row of xs of each, (N,).
        fixed: Whether it is a fixed point, else it is a slow point, (N,).
        f: step(h) - h, (N, n).
        J: The Jacobian of the step, (N, n, n).
        error: How far each is from the point that it approximates, (N,).
        shift: The displacement within this error that matters most to one component, (N, n).
        loose: Whether rounding leaves its place open, as on a line of fixed points, (N,).
        dimension: Along how many directions its neighbours are such points as well, (N,).
        manifold: The line or surface that it belongs to, (N,); -1 for none.
    """

    vectors: np.ndarray
    inputs: np.ndarray
    fixed: np.ndarray
    f: np.ndarray
    J: np.ndarray
    error: np.ndarray
    shift: np.ndarray
    loose: np.ndarray
    dimension: np.ndarray
    manifold: np.ndarray

    def at(self, places: np.ndarray) -> "Ends":
        """Return some of them."""
        return Ends(*(array[places] for array in self))


def joined(parts: list[Ends]) -> Ends:
    """Return several groups of ends as one."""
    return Ends(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
