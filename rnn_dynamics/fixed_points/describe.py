"""Say what is known of the points at which a search has ended: which are one, how stable each is, who comes there."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input
from .eigen_analysis import EigenAnalysis, eigen_analysis
from .local_maps import as_states, local_maps
from .merge import merged
from .problem import Problem
from .result import Ending, FixedPoints

# steps of Newton's method for an end that was not yet at the last digits
POLISHING = 12
# a point farther from every candidate than so many times the spread of the candidates is an outlier
FAR = 2.0


class Searched(NamedTuple):
    """What is to be described.

    Attributes:
        problem: The step and the candidates.
        xs: The inputs, with a leading axis.
        vectors: The ends, (N, n), in float64.
        ending: How each ended, (N,).
        input: The row of xs of each, (N,).
        spread: The spread of the candidates.
        eps: The relative precision of the float type of the states.
    """

    problem: Problem
    xs: Input
    vectors: np.ndarray
    ending: np.ndarray
    input: np.ndarray
    spread: float
    eps: float


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


def described(
    problem: Problem,
    vectors: np.ndarray,
    ending: np.ndarray,
    *,
    input: np.ndarray | None = None,
    xs: Input = None,
    more: np.ndarray | None = None,
    more_input: np.ndarray | None = None,
) -> FixedPoints:
    """Return the distinct points among the ends of a search, and what is known of each.

    Args:
        problem: What was searched, and its candidates.
        vectors: Where the search from each candidate ended, (inputs · candidates, n). Rows that did not converge may
            hold anything.
        ending: How each ended, as `Ending` codes, (inputs · candidates,).
        input: The row of xs that each belongs to; None for 0.
        xs: The inputs, a pytree with a leading axis of inputs; None for an undriven step or for problem.x alone.
        more: Further fixed points, at which no candidate ended, (M, n).
        more_input: The row of xs that each of those belongs to.

    Returns:
        A `FixedPoints`.
    """
    ended = len(vectors)
    more = np.zeros((0, vectors.shape[1])) if more is None else more
    inputs = [np.zeros(len(part), int) if of is None else of for part, of in ((vectors, input), (more, more_input))]
    if xs is None:
        xs = jax.tree.map(lambda leaf: np.asarray(leaf)[None], problem.x)
    search = Searched(
        problem,
        xs,
        np.concatenate([vectors, more], dtype=np.float64),
        np.concatenate([ending, np.full(len(more), Ending.FIXED)]),
        np.concatenate(inputs),
        spread_of(np.asarray(problem.vectors, np.float64)),
        float(jnp.finfo(problem.vectors.dtype).eps),
    )
    points, ended_at = _points(search)
    count = np.bincount(ended_at[:ended][ended_at[:ended] >= 0], minlength=len(points.vectors))
    order = np.lexsort((-count, points.input))
    place = np.append(np.argsort(order), -1)
    points = Ends(*(array[order] for array in points))
    share = count[order] / max(len(problem.vectors), 1)
    shifted = local_maps(problem, xs, points.vectors + points.shift, points.input).J
    analysis = eigen_analysis(points.J, shifted - points.J, search.eps)
    return _result(search, points, analysis, share, search.ending[:ended], place[ended_at[:ended]])


def _points(search: Searched) -> tuple[Ends, np.ndarray]:
    """Return the distinct points, and for each end which of them it is; -1 for those that did not converge."""
    ended_at = np.full(len(search.vectors), -1)
    found, count = [], 0
    for kind in (Ending.FIXED, Ending.SLOW):
        for one in np.unique(search.input):
            rows = np.flatnonzero((search.ending == kind) & (search.input == one))
            points, label = _distinct(search, rows, kind == Ending.FIXED)
            ended_at[rows] = count + label
            count += len(points.vectors)
            found.append(points)
    return Ends(*(np.concatenate(arrays) for arrays in zip(*found, strict=True))), ended_at


def spread_of(candidates: np.ndarray) -> float:
    """Return the root mean square distance of the candidates from their mean; for a single one its norm, at least 1."""
    spread = float(np.sqrt(np.sum(np.var(candidates, axis=0))))
    return spread if spread > 0 else max(float(np.linalg.norm(candidates[0])), 1.0)


def _distinct(search: Searched, rows: np.ndarray, fixed: bool) -> tuple[Ends, np.ndarray]:
    """Return the distinct points among some ends of one kind and one input, and for each end which of them it is."""
    vectors = search.vectors[rows]
    floor = search.eps * (np.linalg.norm(vectors, axis=1) + search.spread)
    kept, first_label = merged(vectors, floor, np.zeros(len(vectors)))
    at = _examined(search, rows[kept], fixed)
    kept, label = merged(at.vectors, np.maximum(at.error, floor[kept]), np.max(np.abs(at.f), axis=1, initial=0.0))
    return Ends(*(array[kept] for array in at)), label[first_label]


def _examined(search: Searched, rows: np.ndarray, fixed: bool) -> Ends:
    """Return f, J and the error of each end; fixed points are moved on to the last digits first."""
    vectors, inputs = search.vectors[rows], search.input[rows]
    f, J = local_maps(search.problem, search.xs, vectors, inputs)
    if fixed:
        vectors, f, J = polished(search, vectors, inputs, f, J)
        error, shift, _ = newton_error(vectors, f, J, search.eps)
    else:
        error, shift = np.full(len(vectors), search.eps**0.25 * search.spread), np.zeros_like(vectors)
    return Ends(vectors, inputs, np.full(len(vectors), fixed), f, J, np.minimum(error, search.spread), shift)


def polished(
    search: Searched, vectors: np.ndarray, inputs: np.ndarray, f: np.ndarray, J: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make Newton steps where rounding allows a better fixed point; return the points, f and J."""
    vectors, f, J = vectors.copy(), f.copy(), J.copy()
    rows = np.arange(len(vectors))
    for _ in range(POLISHING):
        error, _, correction = newton_error(vectors[rows], f[rows], J[rows], search.eps)
        size = np.linalg.norm(correction, axis=1)
        hopeful = (size > 0.5 * error) & (size < 1e-2 * search.spread)
        rows, moved = rows[hopeful], (vectors[rows] + correction)[hopeful]
        if not len(rows):
            break
        new = local_maps(search.problem, search.xs, moved, inputs[rows])
        better = np.linalg.norm(new.f, axis=1) < np.linalg.norm(f[rows], axis=1)
        rows = rows[better]
        vectors[rows], f[rows], J[rows] = moved[better], new.f[better], new.J[better]
    return vectors, f, J


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
    """Return the inverses of (N, n, n); where there is none, with eps² for its zero singular values."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        U, s, Vh = np.linalg.svd(matrices)
        s = np.maximum(s, np.finfo(float).eps ** 2)
        return np.einsum("kji,kj,klj->kil", Vh, 1 / s, U)


def _result(
    search: Searched,
    points: Ends,
    analysis: EigenAnalysis,
    share: np.ndarray,
    ending: np.ndarray,
    ended_at: np.ndarray,
) -> FixedPoints:
    """Return what is known of the points, in the float type of the states."""
    candidates = search.problem.vectors
    real = candidates.dtype
    size = np.abs(analysis.eigenvalues)
    off = np.abs(size - 1)
    nearest = np.argmin(off, axis=1)[:, None]
    with np.errstate(divide="ignore"):
        time_constants = np.where(size == 1, np.inf, -1 / np.log(size))
    distance = distances(points.vectors, np.asarray(candidates, np.float64)) / search.spread
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
    return FixedPoints(points=as_states(search.problem, points.vectors), **arrays)


def distances(points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the distance from each point to the nearest candidate."""
    return np.array([np.min(np.linalg.norm(candidates - point, axis=1)) for point in points])
