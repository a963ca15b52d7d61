"""Leave a curve where another crosses it: at branch points, and at flips for the cycles of twice the period.

At a branch point the matrix of the linearised equations has one more null vector than the tangent: φ, perpendicular to
it. Points of the other curve are found by Newton's method from u* ± ε φ in the plane perpendicular to φ, which the
curve that is known meets only in u* itself (Keller 1977).

At a flip of a cycle h with J v = -v over one period, the cycles of twice the period solve equations for which
(h, h) is a branch point with φ = (w, -w): w is v carried around the cycle. Its two signs are the same cycle, begun at
another state.

At a Neimark-Sacker point a closed curve of states begins, which is no cycle: it is located, not switched at.
"""

import numpy as np

from .arclength import Point, corrected, point
from .family import Family, over_one_period
from .special_points import Special

DISTANCES = (1e-2, 3e-3, 1e-3, 3e-2)  # ε, the first that leads to another curve is taken


def others(family: Family, special: Special) -> list[tuple[Family, list[Point]]]:
    """Return the first two points of each curve that leaves this one at a branch point or flip, and its family."""
    if special.kind == "flip":
        doubled = family.of_period(2 * family.period)
        u = np.concatenate([special.u[:-1], special.u])
        directions = [np.append(w, 0.0) for w in _flipping(family, special)]
        return [(doubled, start) for each in directions if (start := _first_points(doubled, u, each))]
    directions = _crossing(family, special)
    starts = [_first_points(family, special.u, sign * each) for each in directions for sign in (1.0, -1.0)]
    return [(family, start) for start in starts if start]


def _crossing(family: Family, special: Special) -> list[np.ndarray]:
    """Return the null vectors perpendicular to the tangent, as many as multipliers cross."""
    vectors = np.linalg.svd(family.matrix(family.at(special.u)))[2][-1 - special.multiplicity :]
    vectors = vectors - np.outer(vectors @ special.tangent, special.tangent)
    found = np.linalg.svd(vectors)[2][: special.multiplicity]
    return list(found * np.where(found.sum(axis=1) < 0, -1.0, 1.0)[:, None])


def _flipping(family: Family, special: Special) -> list[np.ndarray]:
    """Return (w, -w) for each direction that the Jacobian over one period turns around."""
    local = family.at(special.u)
    flipping = np.linalg.svd(over_one_period(local) + np.eye(family.size))[2][-special.multiplicity :]
    found = []
    for v in flipping:
        w = [v]
        for jacobian in local.jacobians[:-1]:
            w.append(jacobian @ w[-1])
        both = np.concatenate([*w, *(-each for each in w)])
        found.append(both / np.linalg.norm(both))
    return found


def _first_points(family: Family, u: np.ndarray, direction: np.ndarray) -> list[Point]:
    """Return the crossing itself and a point beside it in this direction; nothing if none is found."""
    for distance in DISTANCES:
        guess = u + distance * direction * family.scale
        found = corrected(family, guess, direction, polish=True)
        if found is None or np.linalg.norm((found.u - guess) / family.scale) > 10 * distance:
            continue
        beside = point(family, found.u, found.local, direction)
        at = point(family, family.rounded(u), family.at(u), direction)
        return [at._replace(tangent=beside.tangent), beside]
    return []
