"""Lines and surfaces of fixed points: found among the ends of a search by a singular I - J, and listed by a few points.

At a point of such a continuum I - J maps its tangents to 0. That alone also holds at a bifurcation, where a point is
about to split. So a step is made along each such direction, back to where f vanishes across it: on a continuum f then
vanishes altogether, or for slow points is what it was.
"""

import numpy as np

from ..manifolds.manifolds import LISTED, NEAR, lies_between, linked, nearest, spread_out
from .ends import Ends, Searched, joined
from .newton_error import NewtonError, inverses_across, newton_error, rounding_of

# an end is loose if rounding of f could have moved it by this share of `Searched.reach`, or if I - J is singular but
# for so many eps ‖J‖
OPEN, SINGULAR = 0.1, 64.0
# how far the steps along a direction go, in units of that reach, and how many corrections bring them back
ALONG, CORRECTIONS = 5e-2, 4
# a point farther from every candidate than so many times the spread of the candidates is an outlier
FAR = 2.0
# directions tried at each point; more are believed if these hold. And how many ends are tried
TRIED, ENDS_TRIED = 2, 32


def continua(search: Searched, ends: Ends) -> tuple[Ends, np.ndarray]:
    """Return the listed points of all lines and surfaces among loose ends, and for each end the nearest, else -1."""
    listed: list[Ends] = []
    label, count = np.full(len(ends.vectors), -1), 0
    loose = np.flatnonzero(ends.loose)
    dimension = _inherited_dimensions(search, ends.at(loose))
    on, dimension = loose[dimension > 0], dimension[dimension > 0]
    groups = _groups(search, ends.at(on))
    for group in np.unique(groups):
        members = on[groups == group]
        few = _well_spread(search, ends.vectors[members])
        points = _point_on(search, ends.at(members[few]), dimension[groups == group][few])
        label[members] = count + nearest(ends.vectors[members], points.vectors)
        listed.append(points._replace(manifold=np.full(len(points.vectors), len(listed))))
        count += len(points.vectors)
    return joined([ends.at(loose[:0]), *listed]), label


def _well_spread(search: Searched, vectors: np.ndarray) -> np.ndarray:
    """Return the places of some well-spread points, of those that are no outliers if there are such."""
    candidates = np.asarray(search.problem.vectors, np.float64)
    apart = np.linalg.norm(vectors - candidates[nearest(vectors, candidates)], axis=1)
    inside = np.flatnonzero(apart <= FAR * search.spread)
    inside = inside if len(inside) else np.arange(len(vectors))
    return inside[spread_out(vectors[inside], LISTED)]


def _inherited_dimensions(search: Searched, ends: Ends) -> np.ndarray:
    """Return along how many directions each loose end goes on, (N,): well-spread ones are tried, others as these."""
    tried = spread_out(ends.vectors, ENDS_TRIED)
    if not len(tried):
        return np.zeros(0, int)
    return _dimensions(search, ends.at(tried))[nearest(ends.vectors, ends.vectors[tried])]


def is_loose(search: Searched, J: np.ndarray, error: NewtonError) -> np.ndarray:
    """Return whether rounding leaves the places of ends open, (N,)."""
    singular = SINGULAR * search.eps * np.linalg.norm(J, axis=(1, 2)) * error.inverse_norm >= 1
    return singular | (error.size >= OPEN * search.reach)


def _point_on(search: Searched, ends: Ends, dimension: np.ndarray) -> Ends:
    """Return points of a continuum with the errors that they have across it."""
    across = inverses_across(np.eye(ends.J.shape[-1]) - ends.J, dimension)
    f = ends.f if ends.fixed.all() else np.zeros_like(ends.f)
    error = newton_error(ends.vectors, f, ends.J, search.eps, across)
    return ends._replace(error=error.size, shift=error.shift, dimension=dimension)


def _dimensions(search: Searched, ends: Ends) -> np.ndarray:
    """Return along how many directions each point goes on, (N,)."""
    flat, Vh = _flat(search, ends)
    goes_on = np.zeros((len(flat), TRIED), bool)
    for i in range(TRIED):
        rows = np.flatnonzero(flat > i)
        if not len(rows):
            break
        for side in (1, -1):
            rows = rows[~goes_on[rows, i]]
            goes_on[rows, i] = _goes_on(search, ends.at(rows), side * Vh[rows, -1 - i], flat[rows])
    held = goes_on.sum(axis=1)
    return np.where(held == np.minimum(flat, TRIED), flat, held)


def _flat(search: Searched, ends: Ends) -> tuple[np.ndarray, np.ndarray]:
    """Return how many singular values of I - J are 0 but for rounding, as far as `OPEN` can tell, and its Vᴴ."""
    rounding = np.linalg.norm(rounding_of(ends.vectors, ends.f, ends.J, search.eps), axis=1)
    zero = rounding / (OPEN * search.reach) + SINGULAR * search.eps * np.linalg.norm(ends.J, axis=(1, 2))
    _, s, Vh = np.linalg.svd(np.eye(ends.J.shape[-1]) - ends.J)
    return np.sum(s <= zero[:, None], axis=1), Vh


def _goes_on(search: Searched, ends: Ends, directions: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return whether there are such points a little farther along a direction as well, (N,)."""
    step = ALONG * search.reach * directions
    vectors, holds, _ = _onto(search, ends.vectors + step, ends, flat)
    return holds & (np.linalg.norm(vectors - ends.vectors - step, axis=1) < 0.5 * ALONG * search.reach)


def _onto(search: Searched, vectors: np.ndarray, ends: Ends, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, Ends]:
    """Move vectors onto a continuum of such points as the ends.

    Return where they are, whether they are such points too, and what they are.
    """
    f, J = search.near(vectors, ends.inputs)
    for _ in range(CORRECTIONS):
        across = inverses_across(np.eye(J.shape[-1]) - J, flat)
        vectors = vectors + np.einsum("kij,kj->ki", across, f)
        f, J = search.near(vectors, ends.inputs)
    change = f - np.where(ends.fixed[:, None], 0.0, ends.f)
    rounding = rounding_of(vectors, f, J, search.eps)
    holds = np.linalg.norm(change, axis=1) <= 10 * np.linalg.norm(rounding, axis=1)
    return vectors, holds, ends._replace(vectors=vectors, f=f, J=J)


def _groups(search: Searched, ends: Ends) -> np.ndarray:
    """Return which continuum each loose end may be on, (N,): between neighbours on one there are more such points."""

    def bridged(edges: np.ndarray) -> np.ndarray:
        start = ends.at(edges[:, 0])
        one, other = start.vectors, ends.vectors[edges[:, 1]]
        vectors, holds, found = _onto(search, (one + other) / 2, start, _flat(search, start)[0])
        return holds & (_flat(search, found)[0] > 0) & lies_between(vectors, one, other)

    return linked(ends.vectors, bridged, NEAR * search.reach) if len(ends.vectors) else np.zeros(0, int)
