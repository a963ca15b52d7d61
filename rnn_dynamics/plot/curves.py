"""Curves and bands that show gaps and mark where values become infinite, however few points they have."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import NDArray

from .caveats import on_edge

STROKES = ("-", "--", "-.", ":")
# how far a band with an infinite edge reaches beyond the data, in multiples of their range: outside any plot of them
BEYOND = 1000


def curve(
    axes: Axes, x: NDArray, heights: NDArray, *, label: str | None = None, color: Any = None, **style: Any
) -> Any:
    """Draw a line through the finite heights and return its colour.

    The line has gaps at NaN. A triangle on the edge marks where it goes to -inf or inf. A single point between two gaps
    is a dot.
    """
    finite = np.isfinite(heights)
    (line,) = axes.plot(x, np.where(finite, heights, np.nan), label=label or "_curve", color=color, **style)
    color = line.get_color()
    # the limits include x values at the ends that have no finite height
    axes.update_datalim(np.stack([x, np.zeros(len(x))], axis=1), updatey=False)
    alone = np.array([run[0] for run in runs(finite) if len(run) == 1], int)
    if len(alone):
        axes.plot(x[alone], heights[alone], "o", ms=4, color=color, zorder=line.get_zorder(), label="_alone")
    for infinity, marker, top in ((-np.inf, "v", False), (np.inf, "^", True)):
        starts = np.array([run[0] for run in runs(heights == infinity)], int)
        on_edge(axes, x[starts], marker, top=top, color=color)
    return color


def band(axes: Axes, x: NDArray, low: NDArray, high: NDArray, *, color: Any, alpha: float = 0.2) -> None:
    """Fill the area from `low` to `high`, with gaps at NaN; an infinite edge extends beyond the limits of the plot."""
    finite = np.concatenate([edge[np.isfinite(edge)] for edge in (low, high)])
    if not len(finite):
        return
    far = BEYOND * (np.ptp(finite) + 1)
    bottom = np.where(low == -np.inf, finite.min() - far, low)
    top = np.where(high == np.inf, finite.max() + far, high)
    drawn = np.isfinite(bottom) & np.isfinite(top)
    for run in runs(drawn):
        edges = np.concatenate([np.stack([x, bottom], axis=1)[run], np.stack([x, top], axis=1)[run[::-1]]])
        area = (
            LineCollection([edges], colors=[color], alpha=2 * alpha, linewidths=4, capstyle="butt")
            if len(run) == 1
            else PolyCollection([edges], facecolors=[color], alpha=alpha, linewidths=0)
        )
        axes.add_collection(area, autolim=False)
        for edge in (low[run], high[run]):
            ends = np.stack([x[run], edge], axis=1)[np.isfinite(edge)]
            axes.update_datalim(ends)
    axes.autoscale_view()


def runs(chosen: NDArray) -> list[NDArray]:
    """Return the indices where `chosen` is True, as one array for each run of neighbours."""
    pieces = np.split(np.arange(len(chosen)), np.flatnonzero(np.diff(chosen)) + 1)
    return [piece for piece in pieces if chosen[piece[0]]]


def quantile(values: NDArray, share: float) -> NDArray:
    """Return a quantile over the first axis, without NaN; NaN where nothing is left. ±inf count as numbers."""
    ordered = np.sort(values, axis=0)  # NaN last
    known = np.sum(~np.isnan(values), axis=0)
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below, above))
    weight = place - below
    with np.errstate(invalid="ignore"):  # 0 · inf is not used; a quantile between -inf and inf is NaN
        return np.where((weight == 0) | (low == high), low, (1 - weight) * low + weight * high)
