"""One step along a curve of fixed points or cycles: predict along the tangent, then correct by Newton's method.

The unknowns are u = (states, μ), the equations G(u) = 0, one fewer. A row r that says where along the curve makes the
system square. It is one of three:

    the tangent τ         pseudo-arclength: the curve may turn back in μ (a fold)
    the last unit vector  μ is kept: the point is solved exactly at a value that was asked for
    a chord               the point of the curve above a place between two known points (`between`)

Lengths and angles are those of u / scale: the root mean square of the states' changes beside the change of μ in units
of its range.
"""

from typing import NamedTuple

import numpy as np

from .family import Family, Local, multipliers

# the largest step; the smallest cosine between the tangents of neighbours; the smallest |∂μ/∂s| at which μ is kept
LARGEST, STRAIGHT, STEEP = 0.02, 0.9, 0.1
NOISE = 30.0  # where the residual falls no more, how many times larger than a rounding error it may be


class Point(NamedTuple):
    """A point of a curve: u, G and its derivatives there, the unit tangent of u / scale, and the multipliers."""

    u: np.ndarray
    local: Local
    tangent: np.ndarray
    multipliers: np.ndarray


class Corrected(NamedTuple):
    """Where Newton's method ended: u, G and its derivatives there, and how often they were evaluated."""

    u: np.ndarray
    local: Local
    evaluations: int


def corrected(
    family: Family, u: np.ndarray, row: np.ndarray, *, polish: bool = False, keep: float | None = None
) -> Corrected | None:
    """Solve G = 0 in the plane through u on which `row` is perpendicular; None if Newton's method does not contract.

    With `polish`, iterate until the residual falls no more, and be patient. `keep` is the exact value that μ keeps.
    """
    start, best, before = family.rounded(u), None, np.inf
    u = start.copy()
    for count in range(40 if polish else 9):
        if keep is not None:
            u[-1] = keep
        local = family.at(u)
        size = float(np.abs(local.residual).max())
        if not np.isfinite(size) or not np.isfinite(local.jacobians).all() or not np.isfinite(local.slopes).all():
            break
        off = size / family.floor(u, local)
        if best is None or off < 0.5 * best[0]:
            best = (off, Corrected(u, local, count + 1))
        elif best[0] <= NOISE:
            break
        if size == 0.0 or (off <= 1.0 and not polish):
            break
        bordered = np.vstack([family.matrix(local), row])
        move = solved(bordered, np.append(local.residual, row @ ((u - start) / family.scale)))
        length = float(np.linalg.norm(move))
        if not np.isfinite(length) or (count and not polish and length > 0.7 * before):
            break
        before, u = length, family.rounded(u - move * family.scale)
    return best[1] if best is not None and best[0] <= NOISE else None


def solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a linear system; a singular one, as at the crossing of two curves, in the least squares sense."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, right, rcond=1e-10)[0]


def point(family: Family, u: np.ndarray, local: Local, towards: np.ndarray) -> Point:
    """Return the point with its tangent in the direction of `towards`, and its multipliers."""
    last = np.zeros(u.size)
    last[-1] = 1.0
    tangent = solved(np.vstack([family.matrix(local), towards]), last)
    length = np.linalg.norm(tangent)
    if not np.isfinite(length) or length == 0.0:
        tangent, length = towards, np.linalg.norm(towards)
    return Point(u, local, tangent / length, multipliers(local))


def first_point(family: Family, u: np.ndarray, local: Local, towards: np.ndarray) -> Point:
    """Return the point as `point` does, and at a fold too, where the curve is perpendicular to `towards`.

    One of its two directions is taken there, and its last component is of the sign of that of `towards`.
    """
    _, sizes, right = np.linalg.svd(family.matrix(local))
    if sizes[-1] <= 1e-6 * sizes[0]:  # two curves cross
        return point(family, u, local, towards)
    tangent = right[-1] * (1.0 if right[-1] @ towards >= 0 else -1.0)
    tangent[-1] += np.finfo(float).tiny * towards[-1]
    return Point(u, local, tangent, multipliers(local))


def between(family: Family, a: Point, b: Point, place: float, *, polish: bool = False) -> Point | None:
    """Return the point of the curve above the place a + place · (b - a) of the chord, 0 at a and 1 at b."""
    chord = (b.u - a.u) / family.scale
    row = chord / np.linalg.norm(chord)
    found = corrected(family, a.u + place * (b.u - a.u), row, polish=polish)
    return None if found is None else point(family, found.u, found.local, row)


def advanced(family: Family, a: Point, length: float) -> tuple[Point | None, float]:
    """Return the next point, at a value that was asked for where one is near, and the length for the next step.

    The point is None where even the shortest step fails.
    """
    shortest = max(1e-8, 100 * family.eps)
    while length > shortest:
        found = _tried(family, a, length, length < max(1e-4, 10 * shortest))
        if found is not None:
            b, evaluations = found
            return b, length * (1.5 if evaluations <= 3 else 0.8 if evaluations > 5 else 1.0)
        length /= 2
    return None, length


def next_value(family: Family, a: Point, direction: float) -> float | None:
    """Return the next of the values that were asked for, up (direction >= 0) or down; None behind the last."""
    grid, value = family.grid, a.u[-1]
    if direction >= 0:
        i = int(np.searchsorted(grid, value, side="right"))
        return float(grid[i]) if i < grid.size else None
    i = int(np.searchsorted(grid, value, side="left")) - 1
    return float(grid[i]) if i >= 0 else None


def _tried(family: Family, a: Point, length: float, short: bool) -> tuple[Point, int] | None:
    """Try one step of at most this length; None if it must be shorter. A short one may turn by any angle (a kink)."""
    slope = float(a.tangent[-1])
    value = next_value(family, a, slope)
    row, keep = a.tangent, None
    if value is not None and abs(slope) > STEEP:
        needed = float((value - a.u[-1]) / (slope * family.scale[-1]))
        if needed <= length:
            length, keep, row = needed, value, np.append(np.zeros(a.u.size - 1), 1.0)
    guess = a.u + length * a.tangent * family.scale
    found = corrected(family, guess, row, keep=keep)
    if found is None or not _is_near(family, found, guess, row, 0.5 * length):
        return None
    b = point(family, found.u, found.local, a.tangent)
    if not short and b.tangent @ a.tangent < STRAIGHT:
        return None
    if keep is None:
        behind = next_value(family, a, -slope)
        if behind is not None and not short and (b.u[-1] - behind) * np.sign(slope) < 0:
            return None
        if value is not None and (b.u[-1] - value) * np.sign(slope) > 0:
            b = at_value(family, a, b, value) or b
    return b, found.evaluations


def _is_near(family: Family, found: Corrected, guess: np.ndarray, row: np.ndarray, most: float) -> bool:
    """Return whether the corrector moved the guess by no more than this, and than rounding explains."""
    moved = float(np.linalg.norm((found.u - guess) / family.scale))
    if moved <= most:
        return True
    least = np.linalg.svd(np.vstack([family.matrix(found.local), row]), compute_uv=False)[-1]
    return bool(moved * least <= most * least + 2 * family.floor(found.u, found.local))


def at_value(family: Family, a: Point, b: Point, value: float) -> Point | None:
    """Return the point between a and b at which μ has this value, where the curve is too steep to keep μ."""
    from scipy.optimize import brentq

    def off(place: float) -> float:
        found = a if place == 0 else b if place == 1 else between(family, a, b, place)
        return float("nan") if found is None else float(found.u[-1]) - value

    try:
        place = brentq(off, 0.0, 1.0, xtol=1e-12, maxiter=60, disp=False)
    except ValueError:  # of a NaN: the corrector failed on the way
        return None
    found = between(family, a, b, place)
    if found is None or not abs(found.u[-1] - value) <= 1e3 * family.eps * family.scale[-1]:
        return None
    u = found.u.copy()
    u[-1] = value
    return found._replace(u=u)
