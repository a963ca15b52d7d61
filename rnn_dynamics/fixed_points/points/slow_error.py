"""How far a vector is from the slow point that it approximates, a minimum of q(h) = ½ ‖f(h)‖².

With A = J - I, the slope of q is Aᵀf. It is zero at a slow point although f is not, so A is singular there: A v = 0 for
some v. Along v only the second derivatives of f curve q. This curvature is taken from the slopes on both sides.
"""

from typing import NamedTuple

import numpy as np

from .ends import Searched
from .newton_error import rounding_of

# how far the two sides are, in units of `Searched.reach`
ASIDE = 1e-2


class SlowError(NamedTuple):
    """How far N vectors are from the slow points that they approximate, and the least curvature of q there.

    Attributes:
        size: A bound for the distance, (N,).
        shift: A displacement within it, along v, (N, n).
        by_rounding: How far rounding alone may have moved it along v, (N,).
    """

    size: np.ndarray
    shift: np.ndarray
    by_rounding: np.ndarray


def slow_error(search: Searched, vectors: np.ndarray, inputs: np.ndarray, f: np.ndarray, J: np.ndarray) -> SlowError:
    """Return the error of vectors (N, n) with f and J there."""
    A = J - np.eye(J.shape[-1])
    _, s, Vh = np.linalg.svd(A)
    v, aside = Vh[:, -1], ASIDE * search.reach
    slopes = []
    for side in (aside, -aside):
        there = search.near(vectors + side * v, inputs)
        slopes.append(np.einsum("kj,kij,ki->k", v, there.J - np.eye(J.shape[-1]), there.f))
    curvature = s**2
    curvature[:, -1] = (slopes[0] - slopes[1]) / (2 * aside)
    # rounding of f counts little along v, which A maps to nearly nothing; that of A counts everywhere
    of_f = np.linalg.norm(rounding_of(vectors, f, J, search.eps), axis=1) / np.sqrt(len(s[0]) if len(s) else 1)
    of_A = 4 * search.eps * np.linalg.norm(J, axis=(1, 2)) * np.linalg.norm(f, axis=1)
    slope = np.einsum("kij,kj->ki", Vh, np.einsum("kij,ki->kj", A, f))
    curvature = np.maximum(curvature, search.eps**2)
    rounding = s * of_f[:, None] + of_A[:, None]
    off = np.hypot(slope, rounding) / curvature
    size = np.minimum(np.linalg.norm(off, axis=1), search.reach)
    return SlowError(size, size[:, None] * v, rounding[:, -1] / curvature[:, -1])
