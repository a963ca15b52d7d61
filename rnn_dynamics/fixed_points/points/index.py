"""The index of a fixed point, and whether those of all points must add up to 1.

    index(h) = sign det(I - J)

If a continuous map sends a large box into itself, as every net with bounded units does, the indices of all its fixed
points add up to 1 (Lefschetz; Hopf). Another sum proves that points are missing.
"""

import numpy as np

from ...cells.contract import Input
from ..local_maps import local_maps
from ..problem import Problem

# how many states, so many times as far out as the points, are tried
FAR_STATES, FAR_OUT = 16, 1e3


def signs(A: np.ndarray, singular_values: np.ndarray, eps: float) -> np.ndarray:
    """Return the index for each A = J - I, (N, n, n); 0 where it is singular to half of the digits, as on a line."""
    degenerate = singular_values[:, -1] <= np.sqrt(eps) * singular_values[:, 0]
    return np.where(degenerate, 0, np.linalg.slogdet(-A)[0].astype(int))


def is_bounded(problem: Problem, xs: Input, inputs: int, scale: float) -> bool:
    """Return whether the step sends the surface of a large box into the box, at the states tried, for each input."""
    n = problem.vectors.shape[1]
    turns = np.arange(1, FAR_STATES + 1)[:, None] * np.sqrt(2.0) * np.arange(1, n + 1) ** 1.5
    out = np.cos(2 * np.pi * turns)
    out *= FAR_OUT * scale / np.max(np.abs(out), axis=1, keepdims=True)
    out = np.tile(out, (inputs, 1))
    f = local_maps(problem, xs, out, np.repeat(np.arange(inputs), FAR_STATES)).f
    return bool(np.max(np.abs(f + out)) <= FAR_OUT * scale * (1 + 1e-6))  # False for numbers that are not finite
