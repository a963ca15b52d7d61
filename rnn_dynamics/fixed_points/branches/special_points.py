"""Find the points between two neighbours of a curve at which multipliers cross the unit circle, or the curve turns.

The k-th largest |multiplier| is continuous along the curve. If the numbers of multipliers outside the unit circle
differ at the two ends, N_a and N_b, then for each k between them the k-th largest passes 1, and is bracketed. What
crosses says what happens, with J the Jacobian over one period:

    +1, the curve turns back in μ               fold
    +1, the curve goes on                       branch point: another curve crosses (pitchfork, transcritical)
    -1                                          flip: cycles of twice the period begin
    e^{iθ}                                      Neimark-Sacker: a closed curve begins

Two real multipliers with λ₁ λ₂ = 1 (a neutral saddle) cross nothing and are never met. On the curve that a pitchfork or
flip sheds, the multiplier touches 1 and turns; there only the turning of the curve shows it.

At a branch point the corrector loses digits: its linear system is singular. So the point is interpolated from six at
some distance on both sides, where it is not.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .arclength import Point
from .family import Family
from .stretch import Stretch

# a multiplier that is at most so many times eps from the unit circle at both neighbours is taken to stay on it, as one
# does where fixed points form a line, and pairs do in maps that keep areas
NEUTRAL = 1e3


class Special(NamedTuple):
    """A located point: its kind, u, the unit tangent, the multiplier and how many cross there.

    `turned` says that the curve turns back in μ, `place` orders the points of one step.
    """

    kind: str
    u: np.ndarray
    tangent: np.ndarray
    multiplier: complex
    multiplicity: int
    turned: bool
    place: float


def special_points(family: Family, a: Point, b: Point) -> list[Special]:
    """Return the special points between two neighbours, in their order along the curve."""
    return sorted(_within(Stretch(family, a, b), 0.0, 1.0, 5), key=lambda each: each.place)


def _decided(a: Point, b: Point, eps: float) -> np.ndarray:
    """Return which multipliers do not stay on the unit circle, as far as rounding lets one tell."""
    off = [np.abs(np.abs(found.multipliers) - 1.0) for found in (a, b)]
    return np.maximum(*off) > NEUTRAL * eps


def _counts(found: Point, decided: np.ndarray) -> tuple[int, int, int]:
    """Return how many of these multipliers are outside the unit circle, how many above 1, and how many below -1."""
    chosen = found.multipliers[decided]
    real = chosen.real[chosen.imag == 0]
    return int(np.sum(np.abs(chosen) > 1)), int(np.sum(real > 1)), int(np.sum(real < -1))


def _within(stretch: Stretch, lower: float, upper: float, depth: int) -> list[Special]:
    a, b = stretch.at(lower), stretch.at(upper)
    if a is None or b is None:
        return []
    turned = bool(a.tangent[-1] * b.tangent[-1] < 0)
    decided = _decided(a, b, stretch.family.eps)
    counts = _counts(a, decided), _counts(b, decided)
    if counts[0] == counts[1] and not turned:
        return []
    found = _crossings(stretch, lower, upper, decided)
    seen = sum(each.multiplicity * (2 if each.kind == "neimark_sacker" else 1) for each in found)
    change = abs(counts[0][0] - counts[1][0])
    if depth and (seen != change or (change == 0 and counts[0] != counts[1])):  # some come in and others go out
        middle = (lower + upper) / 2
        return _within(stretch, lower, middle, depth - 1) + _within(stretch, middle, upper, depth - 1)
    if turned and not any(each.turned for each in found):
        found += _turning(stretch, lower, upper)
    return found


def _crossings(stretch: Stretch, lower: float, upper: float, decided: np.ndarray) -> list[Special]:
    """Return the points at which the k-th largest |multiplier| passes 1, for each k between the numbers outside."""
    a, b = (np.abs(each.multipliers) > 1 for each in (stretch.at(lower), stretch.at(upper)) if each is not None)
    places: dict[float, list[int]] = {}
    for k in map(int, np.flatnonzero((a != b) & decided)):

        def beyond(found: Point, k: int = k) -> float:
            return float(np.abs(found.multipliers[k])) - 1.0

        near = (place for place in places if _is_zero(stretch, place, beyond))
        place = next(near, None)
        if place is None:
            root = stretch.root(beyond, lower, upper)
            place = next((other for other in places if _are_one(stretch, other, root, k)), root)
        places.setdefault(place, []).append(k)
    return [each for place, which in places.items() for each in _described(stretch, place, which)]


def _is_zero(stretch: Stretch, place: float, function: Callable[[Point], float]) -> bool:
    found = stretch.at(place)
    return found is not None and abs(function(found)) < 1e3 * stretch.family.eps


def _are_one(stretch: Stretch, place: float, other: float, k: int) -> bool:
    """Return whether two places are one at which several multipliers are 1: there the corrector loses digits."""
    found = stretch.at(place)
    if found is None or abs(place - other) * stretch.length > 100 * np.sqrt(stretch.family.eps):
        return False
    return bool(abs(found.multipliers[k] - 1) < 1e-3)


def _described(stretch: Stretch, place: float, which: list[int]) -> list[Special]:
    """Say what the multipliers number `which`, which cross at this place, mean."""
    found, eps = stretch.at(place), stretch.family.eps
    if found is None:
        return []
    crossing = found.multipliers[which]
    if np.abs(np.abs(crossing) - 1).max() > 10 * np.sqrt(eps):
        sides = [stretch.at(place - 1e-3), stretch.at(place + 1e-3)]
        turned = len({bool(side.tangent[-1] > 0) for side in sides if side is not None}) == 2
        jump = complex(crossing[0])
        return [Special("border_collision", found.u, found.tangent, jump, len(which), turned, place)]
    real = np.abs(crossing.imag) <= 10 * np.sqrt(eps)
    specials = []
    ones, minus = int(np.sum(real & (crossing.real > 0))), int(np.sum(real & (crossing.real < 0)))
    if ones:
        specials.append(_at_one(stretch, place, ones))
    if minus:
        specials.append(Special("flip", found.u, found.tangent, complex(-1.0), minus, False, place))
    angles = np.sort(np.angle(crossing[~real & (crossing.imag > 0)]))
    for group in np.split(angles, np.flatnonzero(np.diff(angles) > 10 * np.sqrt(eps)) + 1) if angles.size else []:
        multiplier = complex(np.exp(1j * group.mean()))
        specials.append(Special("neimark_sacker", found.u, found.tangent, multiplier, group.size, False, place))
    return specials


def _at_one(stretch: Stretch, place: float, multiplicity: int) -> Special:
    """Tell a fold from a branch point, and locate the branch point from both of its sides."""
    found = stretch.at(place)
    assert found is not None
    before, after = stretch.sides(place)
    turned = bool(before.tangent[-1] * after.tangent[-1] < 0)
    crossed = _side(stretch.family, before) != _side(stretch.family, after)
    if turned and not (crossed and multiplicity == 1):
        return Special("fold", found.u, found.tangent, complex(1.0), multiplicity, True, place)
    return _interpolated(stretch, place, _nearest_to_one, multiplicity, turned)


def _nearest_to_one(found: Point) -> float:
    """Return how far the real multiplier that is nearest to 1 is above it."""
    real = found.multipliers.real[found.multipliers.imag == 0]
    beyond = (real if real.size else found.multipliers.real) - 1.0
    return float(beyond[np.argmin(np.abs(beyond))])


def _turning(stretch: Stretch, lower: float, upper: float) -> list[Special]:
    """Return the point where the curve turns back in μ although nothing crosses: it was shed there by another."""
    place = stretch.root(lambda found: float(found.tangent[-1]), lower, upper)
    found = stretch.at(place)
    if found is None:
        return []
    before, after = stretch.sides(place)
    if _side(stretch.family, before) == _side(stretch.family, after):
        return [Special("fold", found.u, found.tangent, complex(1.0), 1, True, place)]
    return [_interpolated(stretch, place, lambda found: float(found.tangent[-1]), 1, True)]


def _side(family: Family, found: Point) -> bool:
    """Return the sign of the determinant that changes where another curve crosses."""
    return bool(np.linalg.slogdet(np.vstack([family.matrix(found.local), found.tangent]))[0] > 0)


def _interpolated(
    stretch: Stretch, place: float, function: Callable[[Point], float], multiplicity: int, turned: bool
) -> Special:
    """Return the branch point at which a smooth function is 0, from the points around it."""
    around = stretch.around(place)
    powers = np.vander(np.array([float(k) for k, _ in around]), increasing=True)
    roots = np.roots(np.linalg.solve(powers, np.array([function(found) for _, found in around]))[::-1])
    nearest = min(roots, key=abs, default=0.0)
    shift = float(np.real(nearest)) if abs(nearest) < 1.0 else 0.0
    weights = np.linalg.solve(powers.T, shift ** np.arange(len(around)))
    u = weights @ np.array([found.u for _, found in around])
    tangent = weights @ np.array([found.tangent for _, found in around])
    tangent /= np.linalg.norm(tangent)
    return Special("branch", u, tangent, complex(1.0), multiplicity, turned, place + shift * stretch.apart)
