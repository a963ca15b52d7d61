"""Names beside curves instead of a legend: the eye need not travel, and a print without colours can still be read."""

from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from .caveats import note

# the share of the height of the axes that a line of text takes, with a little air
LINE = 0.065
# text on top of points: a white edge around every letter
HALO = [withStroke(linewidth=2.5, foreground="white")]
# the artists that name curves
ENDS = "ends"


def label_ends(axes: Axes, *, line: float = LINE) -> Axes:
    """Write the label of every curve beside its last point within the limits of x, in its colour, none on another.

    Call it last: it fixes the limits of the axes; called again it writes anew. `line` is the height of a line of text
    as a share of the axes; where there is no room for all, letters are smaller. Curves without a label of their own are
    left alone.
    """
    for written in [text for text in axes.texts if text.get_gid() == ENDS]:
        written.remove()
    axes.set_ylim(axes.get_ylim())
    axes.set_xlim(axes.get_xlim())
    named = [curve for curve in axes.get_lines() if not str(curve.get_label()).startswith("_")]
    ends = [(curve, place) for curve in named for place in _places(axes, curve)[-1:]]
    heights = apart(np.array([height for _, (_, height) in ends]), line)
    for (curve, (right, _)), height in zip(ends, heights, strict=True):
        axes.annotate(
            str(curve.get_label()),
            (right, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=curve.get_color(),
            fontsize=rcParams["font.size"] * min(1, 1 / (line * len(ends))),
            path_effects=HALO,
            annotation_clip=False,
            gid=ENDS,
        )
    return axes


def level(axes: Axes, height: float, name: str, *, right: bool = False) -> Axes:
    """A dotted line across the axes at this height, its name above its left or right end; a note if it has none."""
    logarithmic = axes.get_yscale() == "log"
    if not np.isfinite(height) or (logarithmic and height <= 0):
        text = {np.inf: r"$\infty$", -np.inf: r"$-\infty$"}.get(height, "NaN" if np.isnan(height) else f"{height:g}")
        note(axes, f"{name}: {text}{' on a logarithmic axis' if logarithmic else ''}, not drawn")
        return axes
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
        path_effects=HALO,
        annotation_clip=True,
    )
    return axes


def apart(
    heights: NDArray[np.floating], distance: float, *, within: tuple[float, float] = (0.0, 1.0)
) -> NDArray[np.floating]:
    """The heights of labels moved as little as possible, so that neighbours are `distance` apart and none is outside.

    Labels that would cover one another are spread about their mean; where there is no room, distances are smaller.
    """
    low, high = within
    order = np.argsort(heights, kind="stable")
    shifts = min(distance, (high - low) / max(len(order) - 1, 1)) * np.arange(len(order))
    # less its shift, a label may be level with the one below but no lower: the nearest such heights are means of groups
    groups: list[list[float]] = []
    for height in np.clip(np.asarray(heights, float)[order], low, high) - shifts:
        groups.append([height])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    moved = np.empty(len(order))
    moved[order] = np.clip(level, low, high - shifts[-1:].sum()) + shifts
    return moved


def _places(axes: Axes, curve: Any) -> NDArray:
    """The points of a curve that lie within the limits of x, as shares of the axes."""
    places = (curve.get_transform() + axes.transAxes.inverted()).transform(np.asarray(curve.get_xydata(), float))
    places = places[np.isfinite(places).all(axis=1)]
    return places[np.abs(places[:, 0] - 0.5) < 0.5 + 1e-9]
