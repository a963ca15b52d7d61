"""Say what is known of the points at which a search has ended: which are one, how stable each is, who comes there."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .eigen_analysis import EigenAnalysis, eigen_analysis
from .local_maps import as_states, local_maps
from .merge import merged
from .problem import Problem
from .result import Ending, FixedPoints

# steps of Newton's method for an end that was not yet at the last digits
POLISHING = 12
# a point farther from every candidate than so many times the spread of the candidates is an outlier
FAR = 2.0


class Ends(NamedTuple):
    """Ends of a search that may still be the same point, N of them.

    Attributes:
        vectors: (N, n).
        input: The input of each, (N,).
        fixed: Whether it is a fixed point, else it is a slow point, (N,).
        f: step(h) - h, (N, n).
        J: The Jacobian of the step, (N, n, n).
        error: How far each is from the point that it approximates, (N,).
        shift: The displacement within this error that matters most to one component, (N, n).
    """

    vectors: np.ndarray
    input: np.ndarray
    fixed: np.ndarray
    f: np.ndarray
    J: np.ndarray
    error: np.ndarray
    shift: np.ndarray


def described(problem: Problem, ends: np.ndarray, ending: np.ndarray, *, x_axis: int | None = None) -> FixedPoints:
    """Return the distinct points among the ends of a search, and what is known of each.

    Args:
        problem: What was searched; its x has all the inputs.
        ends: Where the search from each candidate ended, (inputs · candidates, n), all candidates of the first input
            first. Rows that did not converge may hold anything.
        ending: How each ended, as `Ending` codes, (inputs · candidates,).
        x_axis: The axis of x along which the inputs are; None for one input.

    Returns:
        A `FixedPoints`.
    """
    ends, ending = np.asarray(ends, np.float64), np.asarray(ending)
    which = np.arange(len(ends)) // len(problem.vectors)
    spread = spread_of(np.asarray(problem.vectors, np.float64))
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    ended_at = np.full(len(ends), -1)
    found = []
    for kind in (Ending.FIXED, Ending.SLOW):
        for one in np.unique(which):
            rows = np.flatnonzero((ending == kind) & (which == one))
            first = sum(len(part.vectors) for part in found)
            points, label = _distinct(problem, ends[rows], kind == Ending.FIXED, int(one), x_axis, spread, eps)
            ended_at[rows] = first + label
            found.append(points)
    points = Ends(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
    count = np.bincount(ended_at[ended_at >= 0], minlength=len(points.vectors))
    order = np.lexsort((-count, points.input))
    place = np.append(np.argsort(order), -1)
    points = Ends(*(array[order] for array in points))
    share = count[order] / max(len(problem.vectors), 1)
    shifted = local_maps(problem, points.vectors + points.shift, points.input, x_axis).J
    analysis = eigen_analysis(points.J, shifted - points.J, eps)
    return _result(problem, points, analysis, share, spread, ending, place[ended_at])


def spread_of(candidates: np.ndarray) -> float:
    """Return the root mean square distance of the candidates from their mean; for a single one its norm, at least 1."""
    spread = float(np.sqrt(np.sum(np.var(candidates, axis=0))))
    return spread if spread > 0 else max(float(np.linalg.norm(candidates[0])), 1.0)


def _distinct(
    problem: Problem, vectors: np.ndarray, fixed: bool, which: int, x_axis: int | None, spread: float, eps: float
) -> tuple[Ends, np.ndarray]:
    """Return the distinct points among the ends of one kind and one input, and for each end which of them it is."""
    floor = eps * (np.linalg.norm(vectors, axis=1) + 1e-3 * spread)
    kept, first_label = merged(vectors, floor, np.zeros(len(vectors)))
    at = Ends(*_examined(problem, vectors[kept], fixed, which, x_axis, spread, eps))
    kept, label = merged(at.vectors, np.maximum(at.error, floor[kept]), np.max(np.abs(at.f), axis=1, initial=0.0))
    return Ends(*(array[kept] for array in at)), label[first_label]


def _examined(
    problem: Problem, vectors: np.ndarray, fixed: bool, which: int, x_axis: int | None, spread: float, eps: float
) -> Ends:
    """Return f, J and the error of each end; fixed points are moved on to the last digits first."""
    inputs = np.full(len(vectors), which)
    f, J = local_maps(problem, vectors, inputs, x_axis)
    error, shift, correction = newton_error(vectors, f, J, eps)
    for _ in range(POLISHING if fixed else 0):
        size = np.linalg.norm(correction, axis=1)
        rows = np.flatnonzero((size > 0.5 * error) & (size < 1e-2 * spread))
        if not len(rows):
            break
        moved = vectors[rows] + correction[rows]
        f_new, J_new = local_maps(problem, moved, inputs[rows], x_axis)
        better = np.linalg.norm(f_new, axis=1) < np.linalg.norm(f[rows], axis=1)
        if not better.any():
            break
        rows = rows[better]
        vectors, f, J = vectors.copy(), f.copy(), J.copy()
        vectors[rows], f[rows], J[rows] = moved[better], f_new[better], J_new[better]
        error, shift, correction = newton_error(vectors, f, J, eps)
    if not fixed:
        error, shift = np.full(len(vectors), eps**0.25 * spread), np.zeros_like(vectors)
    error = np.minimum(error, spread)
    return Ends(vectors, inputs, np.full(len(vectors), fixed), f, J, error, shift)


def newton_error(
    vectors: np.ndarray, f: np.ndarray, J: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far each vector is from a fixed point, the worst displacement by rounding, and Newton's correction.

    To first order a vector is off by (I - J)⁻¹ (f + rounding of f), and |rounding| is about eps (|J| |h| + |h|).
    """
    noise = eps * (np.einsum("kij,kj->ki", np.abs(J), np.abs(vectors)) + 2 * np.abs(vectors) + np.abs(f))
    inverse = inverses(np.eye(J.shape[-1]) - J)
    correction = np.einsum("kij,kj->ki", inverse, f)
    by_rounding = np.einsum("kij,kj->ki", np.abs(inverse), noise)
    worst = np.argmax(by_rounding, axis=1, keepdims=True)[..., None] if len(vectors) else np.zeros((0, 1, 1), int)
    signs = np.sign(np.take_along_axis(inverse, worst, 1)[:, 0])
    shift = np.einsum("kij,kj->ki", inverse, signs * noise) + correction
    return np.linalg.norm(by_rounding, axis=1) + np.linalg.norm(correction, axis=1), shift, correction


def inverses(matrices: np.ndarray) -> np.ndarray:
    """Return the inverses of (N, n, n); where there is none, of the matrix with eps² in place of its zero singular values."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        U, s, Vh = np.linalg.svd(matrices)
        s = np.maximum(s, np.finfo(float).eps ** 2)
        return np.einsum("kji,kj,klj->kil", Vh, 1 / s, U)


def _result(
    problem: Problem,
    points: Ends,
    analysis: EigenAnalysis,
    share: np.ndarray,
    spread: float,
    ending: np.ndarray,
    ended_at: np.ndarray,
) -> FixedPoints:
    real = problem.vectors.dtype
    size = np.abs(analysis.eigenvalues)
    off = np.abs(size - 1)
    nearest = np.argmin(off, axis=1)[:, None]
    with np.errstate(divide="ignore"):
        time_constants = np.where(size == 1, np.inf, -1 / np.log(size))
    distance = distances(points.vectors, np.asarray(problem.vectors, np.float64)) / spread
    unsaid = np.zeros(len(points.vectors), int)
    numbers = {
        "speed": np.linalg.norm(points.f, axis=1),
        "residual": np.max(np.abs(points.f), axis=1),
        "fixed": points.fixed,
        "eigenvalues": analysis.eigenvalues,
        "right": analysis.right,
        "left": analysis.left,
        "stable": np.all(size < 1 - analysis.error, axis=1),
        "undecided": np.any(off <= analysis.error, axis=1),
        "unstable": np.sum(size > 1 + analysis.error, axis=1),
        "margin": 1 - np.max(size, axis=1),
        "margin_error": np.take_along_axis(analysis.error, nearest, 1)[:, 0],
        "time_constants": time_constants,
        "frequencies": np.abs(np.angle(analysis.eigenvalues)) / (2 * np.pi),
        "share": share,
        "distance": distance,
        "outlier": distance > FAR,
        "dimension": unsaid,
        "manifold": unsaid - 1,
        "input": points.input,
        "jacobians": points.J,
        "ending": ending,
        "ended_at": ended_at,
    }
    cast = {"f": real, "c": jnp.result_type(real, jnp.complex64), "i": np.int32, "b": np.bool_}
    arrays = {name: jnp.asarray(array.astype(cast[array.dtype.kind])) for name, array in numbers.items()}
    return FixedPoints(points=as_states(problem, points.vectors), **arrays)


def distances(points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the distance from each point to the nearest candidate."""
    return np.array([np.min(np.linalg.norm(candidates - point, axis=1)) for point in points])
