"""Follow a curve of fixed points or cycles from its first point until it leaves the range of the parameter."""

from dataclasses import dataclass, field

import numpy as np

from .arclength import LARGEST, Point, advanced, between, next_value, point
from .family import Family
from .special_points import Special, special_points

FAR = 1e4  # a state is said to diverge where it is so many times larger than at the start


@dataclass
class Curve:
    """A curve that was followed: its points in order, its special points, and why it ends.

    `shrank` says that its last point is a cycle of a shorter period, `parent` from which curve it was switched to.
    """

    family: Family
    points: list[Point]
    specials: list[Special] = field(default_factory=list)
    ended: str = ""
    shrank: bool = False
    parent: int = -1


def follow(family: Family, first: Point, most: int, upwards: bool) -> Curve:
    """Follow the curve from its first point in the direction of the tangent there, over at most so many points.

    `upwards` says that the values that were asked for increase.
    """
    curve = Curve(family, [first])
    length = longest = max(LARGEST, 1.5 * float(np.diff(family.grid).max() / family.scale[-1]))
    while not curve.ended:
        a = curve.points[-1]
        if next_value(family, a, float(a.tangent[-1])) is None:
            last = (a.tangent[-1] >= 0) == upwards
            curve.ended = "reached the last of the values" if last else "came back past the first of the values"
            break
        if len(curve.points) >= most:
            curve.ended = f"reached {most} points, as many as were allowed"
            break
        far = max(1.0, float(np.abs(a.u[:-1]).max()) / family.unit)
        b, length = advanced(family, a, min(length, longest * far))
        if b is None:
            curve.ended = _stuck(family, a)
            break
        _add(curve, a, b)
    return curve


def _stuck(family: Family, a: Point) -> str:
    """Say that no step converges: at a corner of a step that is not smooth, at NaN, or among rounding errors."""
    why = "an end, a corner, or numbers that are not finite"
    if family.eps > 1e-10:
        why = f"{why}, or rounding: try float64"
    return f"no step from {a.u[-1]:.6g} converges, however short: {why}"


def _add(curve: Curve, a: Point, b: Point) -> None:
    """Add the point b and what is special between a and b; see whether the curve ends there."""
    family = curve.family
    for special in special_points(family, a, b):
        divisor = shorter_period(family, special.u) if special.turned else family.period
        if divisor < family.period:
            curve.points.append(point_at(family, special))
            curve.shrank = True
            curve.ended = f"shrank at {special.u[-1]:.6g} to a cycle of period {divisor}"
            return
        curve.specials.append(special)
    curve.points.append(b)
    if np.abs(b.u[:-1]).max() > FAR * family.unit:
        curve.ended = f"diverged at {b.u[-1]:.6g}"
    elif len(curve.points) > 8 and _passes(curve, a, b):
        curve.ended = "closed: came back to its first point"


def point_at(family: Family, special: Special) -> Point:
    """Return a special point as a point of the curve."""
    return point(family, special.u, family.at(special.u), special.tangent)._replace(tangent=special.tangent)


def shorter_period(family: Family, u: np.ndarray) -> int:
    """Return the true period of a cycle, a divisor of the number of its states."""
    states = u[:-1].reshape(family.period, family.size)
    size = max(1.0, float(np.abs(states).max()))
    for divisor in range(1, family.period):
        if family.period % divisor == 0:
            apart = float(np.abs(states - np.roll(states, divisor, axis=0)).max())
            if apart <= 10 * np.sqrt(family.eps) * size:
                return divisor
    return family.period


def _passes(curve: Curve, a: Point, b: Point) -> bool:
    """Return whether the curve comes by its first point between a and b, in the same direction or at a branch point."""
    family, first = curve.family, curve.points[0]
    chord, gone = (b.u - a.u) / family.scale, (first.u - a.u) / family.scale
    place = float(chord @ gone / (chord @ chord))
    if not 0.0 <= place <= 1.0 or np.linalg.norm(gone - place * chord) > 0.1 * np.linalg.norm(chord):
        return False
    found = between(family, a, b, place, polish=True)
    apart = np.inf if found is None else float(np.linalg.norm((found.u - first.u) / family.scale))
    return apart < 1e-3 * float(np.linalg.norm(chord))
