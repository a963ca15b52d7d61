"""Say what is known of the points at which a search has ended: which are one, how stable each is, who comes there."""

import jax.numpy as jnp
import numpy as np

from ..eigen_analysis import EigenAnalysis, eigen_analysis
from ..local_maps import as_arrays, as_states
from ..problem import Problem
from ..result import Ending, FixedPoints
from .continua import FAR, OPEN, continua, is_loose
from .ends import Ends, Searched, joined
from .merge import merged
from .newton_error import newton_error
from .search import Search
from .slow_error import slow_error

# steps of Newton's method for an end that was not yet at the last digits
POLISHING = 12
# isolated points are known at least to this share of `Searched.reach`, or to that of the root of a cubic
LOOSE = 1e-3


def described(problem: Problem, search: Search) -> FixedPoints:
    """Return the distinct points among the ends of a search, and what is known of each."""
    count = len(search.vectors)
    searched = Searched(
        problem,
        search.xs,
        np.concatenate([search.vectors, search.more], dtype=np.float64),
        np.concatenate([search.ending, np.full(len(search.more), Ending.FIXED)]),
        np.concatenate([search.input, search.more_input]),
        spread_of(np.asarray(problem.vectors, np.float64)),
        float(jnp.finfo(problem.vectors.dtype).eps),
    )
    points, ended_at = _points(searched)
    share = np.bincount(ended_at[:count][ended_at[:count] >= 0], minlength=len(points.vectors)) / len(problem.vectors)
    order = _most_visited_first(points, share)
    points, share = points.at(order), share[order]
    shifted = searched.near(points.vectors + points.shift, points.inputs).J
    analysis = eigen_analysis(points.J, shifted - points.J, searched.eps)
    ending = np.where(ended_at < 0, Ending.NOT_CONVERGED, searched.ending)
    ended_at = np.append(np.argsort(order), -1)[ended_at]
    return _result(searched, points, analysis, share, ending[:count], ended_at[:count])


def _most_visited_first(points: Ends, share: np.ndarray) -> np.ndarray:
    """Return the order of points by input and share, in which those of a line or surface stay together."""
    together = share.copy()
    for manifold in range(points.manifold.max(initial=-1) + 1):
        members = points.manifold == manifold
        together[members] = share[members].sum()
    return np.lexsort((-share, points.manifold, -together, points.inputs))


def _points(search: Searched) -> tuple[Ends, np.ndarray]:
    """Return the distinct points, and for each end which of them it is; -1 for those that did not converge."""
    ended_at = np.full(len(search.vectors), -1)
    found: list[Ends] = []
    count = 0
    for kind in (Ending.FIXED, Ending.SLOW):
        for one in np.unique(search.inputs):
            rows = np.flatnonzero((search.ending == kind) & (search.inputs == one))
            points, label = _distinct(search, rows, kind == Ending.FIXED)
            ended_at[rows] = np.where(label < 0, -1, count + label)
            count += len(points.vectors)
            listed = 1 + max((part.manifold.max(initial=-1) for part in found), default=-1)
            found.append(points._replace(manifold=np.where(points.manifold < 0, -1, points.manifold + listed)))
    return joined(found), ended_at


def spread_of(candidates: np.ndarray) -> float:
    """Return the root mean square distance of the candidates from their mean; for a single one its norm, at least 1."""
    away = candidates - candidates[0]  # copies of one state differ from their mean by rounding
    unit = float(np.max(np.abs(away))) or 1.0  # squares of small numbers are zero
    spread = unit * float(np.sqrt(np.sum(np.var(away / unit, axis=0))))
    return spread if spread > 0 else max(float(np.linalg.norm(candidates[0])), 1.0)


def _distinct(search: Searched, rows: np.ndarray, fixed: bool) -> tuple[Ends, np.ndarray]:
    """Return the distinct points among some ends of one kind and one input, and for each end which of them it is.

    That is -1 for an end at which the step or its Jacobian is not finite.
    """
    vectors = search.vectors[rows]
    floor = search.eps * (np.linalg.norm(vectors, axis=1) + search.spread)
    if not fixed:  # a descent ends where the slope is the root of eps, which leaves a minimum open by some root of that
        floor = np.full(len(rows), search.eps**0.25 * search.reach)
    kept, first_label = merged(vectors, floor, np.zeros(len(vectors)))
    ends, known = _examined(search, rows[kept], fixed)
    points, label = continua(search, ends)
    alone = np.flatnonzero(label < 0)
    ends = _bounded(ends, max(LOOSE, search.eps ** (1 / 3)) * search.reach, floor[kept][known]).at(alone)
    isolated, alone_label = merged(ends.vectors, ends.error, np.max(np.abs(ends.f), axis=1, initial=0.0))
    label[alone] = len(points.vectors) + alone_label
    labels = np.full(len(kept), -1)
    labels[known] = label
    return joined([points, ends.at(isolated)]), labels[first_label]


def _bounded(ends: Ends, most: float, least: np.ndarray) -> Ends:
    """Return isolated ends with errors between these bounds."""
    shrunk = np.minimum(1, most / np.maximum(np.linalg.norm(ends.shift, axis=1), most))
    return ends._replace(error=np.clip(ends.error, least, np.maximum(most, least)), shift=ends.shift * shrunk[:, None])


def _examined(search: Searched, rows: np.ndarray, fixed: bool) -> tuple[Ends, np.ndarray]:
    """Return the ends at which f and J are finite, with their errors, and which they are.

    Fixed points are moved on to the last digits first.
    """
    vectors, inputs = search.vectors[rows], search.inputs[rows]
    f, J = search.near(vectors, inputs)
    known = np.flatnonzero(np.isfinite(f).all(axis=1) & np.isfinite(J).all(axis=(1, 2)))
    vectors, inputs, f, J = (array[known] for array in (vectors, inputs, f, J))
    if fixed:
        vectors, f, J = polished(search, vectors, inputs, f, J)
        error = newton_error(vectors, f, J, search.eps)
        size, shift, loose = error.size, error.shift, is_loose(search, J, error)
    else:
        size, shift, by_rounding = slow_error(search, vectors, inputs, f, J)
        loose = by_rounding >= OPEN * search.reach
    kind, nothing = np.full(len(known), fixed), np.zeros(len(known), int)
    return Ends(vectors, inputs, kind, f, J, size, shift, loose, nothing, nothing - 1), known


def polished(
    search: Searched, vectors: np.ndarray, inputs: np.ndarray, f: np.ndarray, J: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make Newton steps where rounding allows a better fixed point; return the points, f and J."""
    vectors, f, J = vectors.copy(), f.copy(), J.copy()
    rows = np.arange(len(vectors))
    for _ in range(POLISHING):
        error = newton_error(vectors[rows], f[rows], J[rows], search.eps)
        size = np.linalg.norm(error.correction, axis=1)
        hopeful = (size > 0.5 * error.size) & (size < 1e-2 * search.reach)
        rows, moved = rows[hopeful], (vectors[rows] + error.correction)[hopeful]
        if not len(rows):
            break
        new = search.near(moved, inputs[rows])
        better = np.linalg.norm(new.f, axis=1) < np.linalg.norm(f[rows], axis=1)
        better &= np.isfinite(new.J).all(axis=(1, 2))
        rows = rows[better]
        vectors[rows], f[rows], J[rows] = moved[better], new.f[better], new.J[better]
    return vectors, f, J


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
    size = np.abs(analysis.eigenvalues)
    judged, nearest = _judged(analysis.eigenvalues, points.fixed)
    with np.errstate(divide="ignore"):
        time_constants = np.where(size == 1, np.inf, -1 / np.log(size))
    distance = distances(points.vectors / search.spread, np.asarray(candidates, np.float64) / search.spread)
    numbers = {
        "speed": np.linalg.norm(points.f, axis=1),
        "residual": np.max(np.abs(points.f), axis=1),
        "fixed": points.fixed,
        "eigenvalues": analysis.eigenvalues,
        "right": analysis.right,
        "left": analysis.left,
        "stable": np.all(judged < 1 - analysis.error, axis=1),
        "undecided": np.any(np.abs(judged - 1) <= analysis.error, axis=1),
        "unstable": np.sum(judged > 1 + analysis.error, axis=1),
        "margin": 1 - np.max(size, axis=1),
        "margin_error": np.take_along_axis(analysis.error, nearest, 1)[:, 0],
        "time_constants": time_constants,
        "frequencies": np.abs(np.angle(analysis.eigenvalues)) / (2 * np.pi),
        "share": share,
        "distance": distance,
        "outlier": distance > FAR,
        "dimension": points.dimension,
        "manifold": points.manifold,
        "input": points.inputs,
        "jacobians": points.J,
        "ending": ending,
        "ended_at": ended_at,
    }
    arrays = as_arrays(numbers, candidates.dtype)
    return FixedPoints(points=as_states(search.problem, points.vectors), **arrays)


def _judged(eigenvalues: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the |eigenvalues| that stability is judged by, and the place of the one nearest to 1 among them, (N, 1).

    At a slow point, where (J - I)ᵀ f = 0, one eigenvalue is 1. It tells nothing and is replaced by 0.
    """
    judged = np.abs(eigenvalues)
    slow = np.flatnonzero(~fixed)
    judged[slow, np.argmin(np.abs(eigenvalues[slow] - 1), axis=1)] = 0.0
    return judged, np.argmin(np.abs(judged - 1), axis=1)[:, None]


def distances(points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the distance from each point to the nearest candidate."""
    return np.array([np.min(np.linalg.norm(candidates - point, axis=1)) for point in points])
