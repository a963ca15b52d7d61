"""How far rounding can have moved the multipliers at the points of a curve.

Over a cycle the multipliers are the eigenvalues of P = J_{p-1} ··· J_0. To first order a rounding error E_i of J_i, of
eps ‖J_i‖, changes P by (J_{p-1} ··· J_{i+1}) E_i (J_{i-1} ··· J_0). These partial products are computed and their norms
are taken: the product of all norms is larger by orders of magnitude. The states are known up to rounding as well, and
moving them changes P. What a change of P does to an eigenvalue is the business of `eigen_analysis.py`.
"""

import numpy as np

from ..eigen_analysis import ROUNDING, eigen_analysis
from .arclength import Point, solved
from .family import Family, over_one_period

# rounding errors of other signs could move a multiplier so many times farther than those that are tried
FACTOR = 4.0


def multiplier_errors(family: Family, points: list[Point]) -> np.ndarray:
    """Return how far rounding can have moved each multiplier, (S, n).

    Of fixed points only those are examined at which a multiplier is near the unit circle. At the others the error is
    that of a matrix with perpendicular eigenvectors, which decides the same.
    """
    found = np.abs(np.array([each.multipliers for each in points]))
    norms = np.array([np.linalg.norm(each.local.jacobians, axis=(1, 2)).max() for each in points])
    errors = np.broadcast_to(ROUNDING * family.eps * norms[:, None], found.shape).copy()
    near = np.any(np.abs(found - 1) <= family.eps**0.25, axis=1) | (family.period > 1)
    some = [points[i] for i in np.flatnonzero(near)]
    if some:
        n = family.size
        P = np.array([over_one_period(each.local) for each in some])
        change = np.zeros((len(some), n, n))
        change[:, 0, 0] = [_change(family, each) for each in some]
        errors[near] = eigen_analysis(P, change, family.eps).error
    return errors


def _change(family: Family, at: Point) -> float:
    """Return how far rounding of the states and of the Jacobians can have moved P, in its Frobenius norm."""
    J = at.local.jacobians
    moved = family.at(at.u + _shift(family, at))
    by_states = np.linalg.norm(over_one_period(moved) - over_one_period(at.local))
    before, after = [np.eye(family.size)], [np.eye(family.size)]
    for i in range(family.period - 1):
        before.append(J[i] @ before[-1])
        after.append(after[-1] @ J[-1 - i])
    parts = [
        np.linalg.norm(ahead) * np.linalg.norm(one) * np.linalg.norm(behind)
        for ahead, one, behind in zip(after[::-1], J, before, strict=True)
    ]
    return float(FACTOR * by_states + family.eps * ROUNDING * np.sum(parts))


def _shift(family: Family, at: Point) -> np.ndarray:
    """Return a displacement of u across the curve, as long as rounding of G makes it."""
    states = np.abs(at.u[:-1].reshape(family.period, family.size))
    sums = np.einsum("pij,pj->pi", np.abs(at.local.jacobians), states)
    rounding = family.eps * (sums + states).ravel() + np.abs(at.local.residual)
    signs = np.where(np.cos(np.outer(np.arange(1, len(rounding) + 1), np.sqrt([2.0, 3.0, 5.0, 7.0]))) > 0, 1.0, -1.0)
    errors = np.vstack([rounding[:, None] * signs, np.zeros((1, 4))])
    moves = np.abs(solved(np.vstack([family.matrix(at.local), at.tangent]), errors)).max(axis=1) * family.scale
    return np.append(moves[:-1], 0.0)
