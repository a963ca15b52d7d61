"""All curves of a bifurcation diagram: follow each start, switch where curves cross, follow no curve twice."""

from collections import deque
from typing import NamedTuple

import jax
import numpy as np

from .arclength import Point, at_value, corrected
from .branch import Bifurcation, Branch
from .curve import Curve, follow
from .family import Family
from .multiplier_error import multiplier_errors
from .special_points import Special
from .switching import others


class Waiting(NamedTuple):
    """A curve that will be followed: its first points, where it comes from and after how many switches."""

    family: Family
    first: list[Point]
    parent: int
    depth: int


class Limits(NamedTuple):
    """How many switches a curve may be away from a start, how many curves are followed, and over how many points."""

    depth: int
    curves: int
    points: int


def all_curves(
    family: Family, starts: list[Point], upwards: bool, switch: tuple[str, ...], limits: Limits
) -> tuple[list[Curve], int]:
    """Return the curves, in the order in which they were followed, and how many were seen and left out."""
    waiting = deque(Waiting(family, [start], -1, 0) for start in starts)
    curves: list[Curve] = []
    crossings: list[tuple[Family, Special]] = []
    left_out = 0
    while waiting:
        new = waiting.popleft()
        first = _within_range(new.family, new.first)
        if not first or any(_lies_on(curve, first[-1]) for curve in curves):
            continue
        if len(curves) == limits.curves:
            left_out += 1
            continue
        curve = follow(new.family, first[-1], limits.points, upwards)
        curve.points[:0] = first[:-1]
        curve.parent = new.parent
        curves.append(curve)
        for special in curve.specials:
            if special.kind not in switch or any(_same(new.family, special, *each) for each in crossings):
                continue
            crossings.append((new.family, special))
            found = [Waiting(*each, len(curves) - 1, new.depth + 1) for each in others(new.family, special)]
            if new.depth == limits.depth:
                left_out += len(found)
            else:
                waiting += found
    return curves, left_out


def _within_range(family: Family, first: list[Point]) -> list[Point]:
    """Return the first points of a curve, the second at the end of the range if it is beyond; none if all of it is."""
    value = first[-1].u[-1]
    end = float(np.clip(value, family.grid[0], family.grid[-1]))
    if end == value:
        return first
    if abs(first[0].u[-1] - end) <= 1e3 * family.eps * family.scale[-1]:
        return []
    last = at_value(family, first[0], first[-1], end)
    return [] if last is None else [first[0], last]


def branch_of(curve: Curve) -> Branch:
    """Return what is known of a curve as a result."""
    family, points = curve.family, curve.points
    vectors = np.array([each.u[:-1] for each in points]).reshape(len(points), family.period, family.size)
    found = np.array([each.multipliers for each in points])
    error = _errors(curve)
    beyond = np.abs(found) - 1
    complex_type = np.result_type(family.dtype, np.complex64)
    return Branch(
        values=jax.device_put(np.array([each.u[-1] for each in points]).astype(family.dtype)),
        points=family.states(vectors[:, 0] if family.period == 1 else vectors),
        multipliers=jax.device_put(found.astype(complex_type)),
        stable=jax.device_put((beyond < -error).all(axis=1)),
        undecided=jax.device_put((np.abs(beyond) <= error).any(axis=1)),
        unstable=jax.device_put((beyond > error).sum(axis=1)),
        residual=jax.device_put(np.array([np.abs(each.local.residual).max() for each in points]).astype(family.dtype)),
        bifurcations=tuple(_bifurcation(family, each) for each in curve.specials),
        period=family.period,
        ended=curve.ended,
        parent=curve.parent,
    )


def _errors(curve: Curve) -> np.ndarray:
    """Return how far rounding can have moved the multipliers of each point, (S, n)."""
    errors = multiplier_errors(curve.family, curve.points)
    crossings = ([0] if curve.parent >= 0 else []) + ([-1] if curve.shrank else [])
    # points at which a multiplier is 1
    errors[crossings] = np.maximum(errors[crossings], 1e2 * np.sqrt(curve.family.eps))
    return errors


def _bifurcation(family: Family, special: Special) -> Bifurcation:
    state = family.states(special.u[: family.size])
    return Bifurcation(special.kind, float(special.u[-1]), state, special.multiplier, special.multiplicity)


def _same(family: Family, special: Special, other_family: Family, other: Special) -> bool:
    """Return whether two special points are one: of the same kind, at one value, in the same states."""
    if special.kind != other.kind or family.period != other_family.period:
        return False
    near = 1e3 * family.eps**0.75
    return any(np.abs((u - other.u) / family.scale).max() < near for u in _rotations(family, special.u))


def _rotations(family: Family, u: np.ndarray) -> list[np.ndarray]:
    """Return the same cycle begun at each of its states."""
    states = u[:-1].reshape(family.period, family.size)
    return [np.append(np.roll(states, i, axis=0), u[-1]) for i in range(family.period)]


def _lies_on(curve: Curve, found: Point) -> bool:
    """Return whether a point, or its cycle begun at another state, is on a curve that was followed."""
    family, value = curve.family, found.u[-1]
    if found.u.size != curve.points[0].u.size:
        return False
    return any(_meets(family, curve, u, value) for u in _rotations(family, found.u))


def _meets(family: Family, curve: Curve, u: np.ndarray, value: float) -> bool:
    for a, b in zip(curve.points, curve.points[1:], strict=False):
        chord = (b.u - a.u) / family.scale
        gone = (u - a.u) / family.scale
        length = float(np.linalg.norm(chord))
        place = min(max(float(chord @ gone) / length**2, 0.0), 1.0) if length else 0.0
        if np.linalg.norm(gone - place * chord) > max(0.3 * length, 1e-6):
            continue
        row = chord / length if length else a.tangent
        near = corrected(family, u, row)
        on = corrected(family, a.u + place * (b.u - a.u), row)
        if near and on and np.abs((near.u - on.u) / family.scale).max() < 1e3 * family.eps**0.75:
            return True
    return False
