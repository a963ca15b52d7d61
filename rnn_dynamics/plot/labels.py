"""Names beside curves instead of a legend: the eye need not travel, and a print without colours can still be read."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

# the share of the height of the axes that a line of text takes, with a little air
LINE = 0.065


def label_ends(axes: Axes, *, line: float = LINE) -> Axes:
    """Write the label of every curve beside its last finite point, in its colour, with none on top of another.

    Call it last: it fixes the limits of the axes. `line` is the height of a line of text as a share of theirs. Curves
    without a label of their own are left alone.
    """
    ends = []
    for curve in axes.get_lines():
        points = np.asarray(curve.get_xydata(), float)
        seen = points[np.isfinite(points).all(axis=1)]
        if len(seen) and not str(curve.get_label()).startswith("_"):
            ends.append((curve, seen[-1]))
    axes.set_ylim(axes.get_ylim())
    axes.set_xlim(axes.get_xlim())
    across = axes.transData + axes.transAxes.inverted()
    places = across.transform([end for _, end in ends]) if ends else np.zeros((0, 2))
    for (curve, _), (right, _), height in zip(ends, places, apart(places[:, 1], line), strict=True):
        axes.annotate(
            str(curve.get_label()),
            (right, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=curve.get_color(),
            annotation_clip=False,
        )
    return axes


def level(axes: Axes, height: float, name: str, *, right: bool = False) -> Axes:
    """A dotted line across the axes at this height, with its name above its left or right end."""
    axes.axhline(height, ls=":", lw=1.2, color="0.35", label="_level")
    axes.annotate(
        name,
        (0.99 if right else 0.02, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if right else "left",
        color="0.35",
        fontsize=9,
    )
    return axes


def apart(heights: NDArray[np.floating], distance: float) -> NDArray[np.floating]:
    """The heights of labels, moved up where one would cover the one below it."""
    moved = np.array(heights, float)
    order = np.argsort(moved, kind="stable")
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + distance)
    return moved
