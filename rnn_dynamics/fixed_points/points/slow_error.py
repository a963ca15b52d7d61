"""How far a vector is from the slow point that it approximates, a minimum of q(h) = ½ ‖f(h)‖².

With A = J - I, the slope of q is Aᵀf and its Hessian AᵀA + Σ f_i ∇²f_i. The slope is zero at a slow point although f is
not, so A is singular there: A v = 0 for some v. Along v, and wherever A maps a direction to little, the second
derivatives of f curve q. There the Hessian is taken from the slopes on both sides.
"""

from typing import NamedTuple

import numpy as np

from .ends import Searched
from .newton_error import rounding_of

# how far the two sides are, in units of `Searched.reach`
ASIDE = 1e-2
# along so many directions the curvature is measured
MEASURED = 6


class SlowError(NamedTuple):
    """How far N vectors are from the slow points that they approximate, and the least curvature of q there.

    Attributes:
        size: A bound for the distance, (N,).
        shift: A displacement within it, (N, n).
        by_rounding: How far rounding alone may have moved it in the direction of least curvature, (N,).
    """

    size: np.ndarray
    shift: np.ndarray
    by_rounding: np.ndarray


def slow_error(search: Searched, vectors: np.ndarray, inputs: np.ndarray, f: np.ndarray, J: np.ndarray) -> SlowError:
    """Return the error of vectors (N, n) with f and J there."""
    A = J - np.eye(J.shape[-1])
    _, s, Vh = np.linalg.svd(A)
    # rounding of f counts little along v, which A maps to nearly nothing; that of A counts everywhere
    of_f = np.linalg.norm(rounding_of(vectors, f, J, search.eps), axis=1) / np.sqrt(len(s[0]) if len(s) else 1)
    of_A = 4 * search.eps * np.linalg.norm(J, axis=(1, 2)) * np.linalg.norm(f, axis=1)
    slope = np.einsum("kij,kj->ki", Vh, np.einsum("kij,ki->kj", A, f))
    rounding = s * of_f[:, None] + of_A[:, None]
    curvature, axes = _curvatures(search, vectors, inputs, s, Vh)
    turned = np.einsum("kij,klj->kil", axes, Vh)  # from the singular vectors of A to the axes of the curvatures
    along = np.abs(np.einsum("kil,kl->ki", turned, slope))
    by_rounding = np.sqrt(np.einsum("kil,kl->ki", turned**2, rounding**2)) / curvature
    off = np.hypot(along / curvature, by_rounding)
    size = np.linalg.norm(off, axis=1)
    shift = np.einsum("ki,kij->kj", off, axes)
    within = np.minimum(1, search.reach / np.maximum(size, search.reach))[:, None]
    return SlowError(size * within[:, 0], shift * within, by_rounding[:, -1])


def _curvatures(
    search: Searched, vectors: np.ndarray, inputs: np.ndarray, s: np.ndarray, Vh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the curvatures of q, (N, n), and the directions that they belong to, the rows of (N, n, n).

    Along most singular vectors of A the curvature is s². It is measured where s is small.
    """
    n = s.shape[-1]
    few, aside = min(n, MEASURED), ASIDE * search.reach
    V, H = Vh[:, n - few :], np.zeros((len(s), few, few))
    for i in range(few):
        slopes = []
        for side in (aside, -aside):
            there = search.near(vectors + side * V[:, i], inputs)
            slopes.append(np.einsum("kli,kl->ki", there.J - np.eye(n), there.f))
        H[:, i] = np.einsum("kji,ki->kj", V, (slopes[0] - slopes[1]) / (2 * aside))
    values, turns = np.linalg.eigh((H + H.swapaxes(1, 2)) / 2)
    curvature, axes = s**2, Vh.copy()
    curvature[:, n - few :] = values[:, ::-1]
    axes[:, n - few :] = np.einsum("kij,kil->kjl", turns, V)[:, ::-1]
    return np.maximum(curvature, search.eps**2), axes
