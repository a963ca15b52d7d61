"""The kinds of fixed points: the name, the colour and the marker that each has in every picture."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from ..fixed_points import FixedPoints
from ..fixed_points.plane import rows
from .caveats import DOUBTED, say_some


class Kind(NamedTuple):
    """How a kind of points is drawn.

    Attributes:
        name: Its name in a legend.
        color: Its colour.
        marker: Its marker, so that it can be told apart in grey.
        filled: Whether the marker is filled: stable points are.
        size: The size of the marker in points, so that all markers look equally large.
    """

    name: str
    color: str
    marker: str
    filled: bool
    size: float

    def style(self) -> dict[str, Any]:
        """Return the options of `axes.plot`."""
        inside = self.color if self.filled else "none"
        return {"color": self.color, "mfc": inside, "mec": self.color, "mew": 1.4, "ms": self.size, "ls": "none"}


STABLE = Kind("stable", "#0072B2", "o", True, 5.5)
# saddles, by their number of unstable directions; the last holds all that have more
SADDLES = (
    Kind("1 unstable", "#D55E00", "^", False, 7.0),
    Kind("2 unstable", "#009E73", "s", False, 6.0),
    Kind("3 unstable", "#CC79A7", "D", False, 5.8),
    Kind("4+ unstable", "#E69F00", "v", False, 7.0),
)
# one eigenvalue of each is 1, so that it is neither stable nor unstable
ON_A_LINE = Kind("on a line", "#56B4E9", "o", False, 5.0)
UNDECIDED = Kind("undecided", DOUBTED, "o", False, 6.5)
SLOW = Kind("slow", "0.35", "x", False, 5.5)
KINDS = (STABLE, *SADDLES, ON_A_LINE, UNDECIDED, SLOW)


def finite_rows(states: Any) -> NDArray:
    """Return states as vectors, (states, n); one with a number that is not finite is NaN throughout."""
    vectors = rows(states).astype(float)
    return np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, np.nan)


def kind_of(found: FixedPoints, i: int) -> Kind:
    """Return the kind of one point."""
    if not found.fixed[i]:
        return SLOW
    if found.undecided[i]:
        return ON_A_LINE if found.dimension[i] else UNDECIDED
    unstable = int(found.unstable[i])
    return STABLE if unstable == 0 else SADDLES[min(unstable, len(SADDLES)) - 1]


def by_kind(axes: Axes, found: FixedPoints, *, outliers: bool) -> dict[Kind, NDArray]:
    """Return the indices of the points to draw, by kind; notes count those that are left out."""
    finite = np.isfinite(finite_rows(found.points)).all(axis=1)
    say_some(axes, ~finite, "not drawn: NaN or infinite", "points")
    far = np.asarray(found.outlier, bool) & finite & (not outliers)
    say_some(axes, far, "not drawn: far from the states visited", "points")
    kinds: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for i in np.flatnonzero(finite & ~far).tolist():
        kinds[kind_of(found, i)].append(i)
    return {kind: np.array(those) for kind, those in kinds.items() if those}


def name_kinds(axes: Axes, labels: dict[str, Any], *, points: float = 6.0) -> None:
    """Write a legend of markers to the right of the axes, so many points away."""
    if labels:
        away = axes.transAxes + ScaledTranslation(points / 72, 0, axes.figure.get_figure(root=True).dpi_scale_trans)
        place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "bbox_transform": away}
        style: dict[str, Any] = {"fontsize": 9, "handlelength": 1.4, "handletextpad": 0.3, "borderaxespad": 0}
        axes.legend(list(labels.values()), list(labels), **place, **style)
