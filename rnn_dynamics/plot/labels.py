"""Names next to curves instead of a legend: quicker to read, and legible in a print without colours."""

from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from .caveats import note

# the height of a line of text with its spacing, as a share of the height of the axes
LINE = 0.065
# a white edge around every letter keeps text legible on top of points
HALO = [withStroke(linewidth=2.5, foreground="white")]
# the gid of the texts that name curves
ENDS = "ends"


def label_ends(axes: Axes, *, line: float = LINE) -> Axes:
    """Write the label of every curve next to its last point within the limits of x, without overlaps.

    Labels have the colours of their curves. Curves without a label, or with one that starts with "_", get none. Call
    this function last, because it fixes the limits of the axes. A second call replaces the labels of the first.

    Args:
        axes: The Axes whose curves to name.
        line: The height of a line of text as a share of the height of the axes. The letters are smaller where there is
            no room for all labels.

    Returns:
        The same Axes.

    Example:
        >>> _, ax = plt.subplots()
        >>> lines = ax.plot([0, 1, 2], [1, 2, 4], label="grows") + ax.plot([0, 1, 2], [1, 0.5, 0.25], label="shrinks")
        >>> ax = rd.plot.label_ends(ax)
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
    """Draw a dotted horizontal line with its name above one end.

    A height that cannot be drawn (NaN, infinite, or not positive on a logarithmic axis) becomes a note below the axes.

    Args:
        axes: The Axes to draw on.
        height: The height of the line, in the units of the y axis.
        name: What to write above the line.
        right: Whether the name goes above the right end instead of the left one. Default: False.

    Returns:
        The same Axes.

    Example:
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.level(ax, 0.5, "theory")
    """
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
    """Return the heights of labels, moved as little as possible so that none overlap or leave the axes.

    Labels that would overlap are spread evenly about their mean. The order of the labels does not change.

    Args:
        heights: The heights that the labels should have, of shape (labels,), in any unit.
        distance: The smallest distance between neighbours. It is reduced where there is no room for all labels.
        within: The lowest and the highest height allowed. Default: 0 and 1.

    Returns:
        The new heights, of shape (labels,), in the order of `heights`.

    Example:
        >>> rd.plot.apart(np.array([0.5, 0.5, 0.9]), 0.1).round(3).tolist()
        [0.45, 0.55, 0.9]
    """
    low, high = within
    order = np.argsort(heights, kind="stable")
    shifts = min(distance, (high - low) / max(len(order) - 1, 1)) * np.arange(len(order))
    # isotonic regression: without its shift no label may lie below the one before it, and the nearest heights that
    # satisfy this are the means of groups
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
    """Return the points of a curve that lie within the limits of x, as shares of the axes."""
    places = (curve.get_transform() + axes.transAxes.inverted()).transform(np.asarray(curve.get_xydata(), float))
    places = places[np.isfinite(places).all(axis=1)]
    return places[np.abs(places[:, 0] - 0.5) < 0.5 + 1e-9]
