"""Names next to single points, where neither curves nor other names are."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from .labels import HALO

LETTERS = 9.0  # points
# where a name may stand, from its point: to the right or left, above or below, near or far, in points
PLACES = [
    (side * across, up)
    for up, across, side in itertools.product((0, 12, -12, 24, -24, 38, -38), (9, 4), (1, -1))
    if across == 9 or up
]
# points of a curve, as close as needed that none slips through a name
DENSE = 400


def name_in_free_places(axes: Axes, names: dict[str, tuple[float, float]]) -> None:
    """Write each name next to its point, where it hides the least of the curves and of the names before it.

    The limits of the axes are fixed before, since the places depend on them.
    """
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    taken = _curves(axes)
    whole = Bbox.from_bounds(0, 0, *_size(axes))
    for name, point in names.items():
        x, y = axes.transLimits.transform(point) * _size(axes)
        boxes = [_box(name, x + across, y + up, across > 0) for across, up in PLACES]
        costs = [_hidden(box, taken) + 1000 * _outside(box, whole) for box in boxes]
        across, up = PLACES[int(np.argmin(costs))]
        taken = np.concatenate([taken, _filled(_box(name, x + across, y + up, across > 0))])
        axes.annotate(
            name,
            point,
            xytext=(across, up),
            textcoords="offset points",
            ha="left" if across > 0 else "right",
            va="center",
            fontsize=LETTERS,
            color="0.15",
            path_effects=HALO,
            zorder=5,
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": "0.35", "shrinkA": 0, "shrinkB": 4} if up else None,
        )


def _size(axes: Axes) -> NDArray:
    """Return the width and the height of the axes in points, as far as they are known before a layout."""
    figure = axes.figure.get_figure(root=True)
    box = axes.get_position()
    return 72 * np.array([box.width, box.height]) * figure.get_size_inches()


def _curves(axes: Axes) -> NDArray:
    """Return the places that curves pass, in points from the lower left corner, (places, 2)."""
    found = [np.zeros((0, 2))]
    for line in axes.get_lines():
        path = axes.transLimits.transform(np.asarray(line.get_xydata(), float)) * _size(axes)
        for start, end in itertools.pairwise(path):
            steps = int(np.clip(np.nan_to_num(np.hypot(*(end - start))), 1, DENSE))
            found.append(np.linspace(start, end, steps + 1))
        found.append(path)
    places = np.concatenate(found)
    return places[np.isfinite(places).all(axis=1)]


def _box(name: str, x: float, y: float, right: bool) -> Bbox:
    """Return the box of a name whose nearer end is at (x, y)."""
    wide = 0.56 * LETTERS * len(name)
    return Bbox.from_bounds(x if right else x - wide, y - 0.65 * LETTERS, wide, 1.3 * LETTERS)


def _hidden(box: Bbox, taken: NDArray) -> int:
    """Return how many of the places lie within a box."""
    return int(np.sum(((taken >= box.min) & (taken <= box.max)).all(axis=1)))


def _outside(box: Bbox, whole: Bbox) -> bool:
    return bool(np.any(box.min < whole.min) or np.any(box.max > whole.max))


def _filled(box: Bbox) -> NDArray:
    """Return places all over a box, which count as much as curves."""
    x, y = np.meshgrid(np.linspace(box.x0, box.x1, 40), np.linspace(box.y0, box.y1, 12))
    return np.stack([x.ravel(), y.ravel()], axis=1)
