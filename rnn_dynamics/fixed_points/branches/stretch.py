"""The curve between two neighbours: its points above any place of their chord, and where a function of them is 0."""

from collections.abc import Callable

import numpy as np

from .arclength import Point, between
from .family import Family


class Stretch:
    """The curve between two neighbours; each of its points is computed once."""

    def __init__(self, family: Family, a: Point, b: Point) -> None:
        self.family, self.a, self.b = family, a, b
        self.length = float(np.linalg.norm((b.u - a.u) / family.scale))
        self._known: dict[float, Point | None] = {0.0: a, 1.0: b}

    def at(self, place: float) -> Point | None:
        """Return the point at this place, 0 at a and 1 at b."""
        if place not in self._known:
            self._known[place] = between(self.family, self.a, self.b, place, polish=True)
        return self._known[place]

    def root(self, function: Callable[[Point], float], lower: float, upper: float) -> float:
        """Return where a function of a point changes its sign; if the corrector fails there, the best known place."""
        from scipy.optimize import brentq

        def value(place: float) -> float:
            found = self.at(float(place))
            return float("nan") if found is None else float(function(found))

        digits = max(1e-14, self.family.eps / self.length)
        try:
            return float(brentq(value, lower, upper, xtol=digits, rtol=1e-14, maxiter=100, disp=False))
        except ValueError:  # of a NaN
            known = {place: abs(function(found)) for place, found in self._known.items() if found is not None}
            return min((place for place in known if lower <= place <= upper), key=known.__getitem__)

    @property
    def apart(self) -> float:
        """Return how far from a crossing the corrector has digits enough, in units of the chord."""
        return float(self.family.eps**0.3 / self.length)

    def around(self, place: float) -> list[tuple[int, Point]]:
        """Return up to six points at whole multiples of `apart` from a place, near enough for a polynomial."""
        places = {k: place + k * self.apart for k in (-3, -2, -1, 1, 2, 3)}
        return [(k, found) for k, each in places.items() if (found := self.at(each)) is not None]

    def sides(self, place: float) -> tuple[Point, Point]:
        """Return the nearest of these points on both sides."""
        around = self.around(place)
        before, after = [found for k, found in around if k < 0], [found for k, found in around if k > 0]
        return (before or [self.a])[-1], (after or [self.b])[0]
