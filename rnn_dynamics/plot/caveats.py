"""Notes and marks on a plot for values that cannot be drawn or are not reliable."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

# the colour of what is not reliable, in every plot
DOUBTED = "0.6"
# the gid of the text that holds the notes of its axes
NOTES = "notes"
LETTERS = 8.0  # points


def note(axes: Axes, text: str) -> None:
    """Write lines in small grey letters below the label of the x axis, where there are no curves; repeats are skipped.

    Lines are wrapped to the width of the axes, because a layout would spread the axes apart for wider ones.
    """
    inches = axes.get_position().width * axes.figure.get_figure(root=True).get_figwidth()
    wide = max(24, int(inches * 72 / (0.53 * LETTERS)))  # in letters, each about half as wide as it is high
    lines = "\n".join(textwrap.fill(line, wide) for line in text.split("\n"))
    held = [artist for artist in axes.texts if artist.get_gid() == NOTES]
    if held:
        said = held[0].get_text()
        held[0].set_text(said if f"\n{lines}\n" in f"\n{said}\n" else f"{said}\n{lines}")
        return
    axes.annotate(
        lines,
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -36),
        textcoords="offset points",
        va="top",
        color="0.35",
        fontsize=LETTERS,
        gid=NOTES,
    )


def say_some(axes: Axes, those: NDArray, what: str, unit: str) -> None:
    """Add a note, if there are any: what the values selected by `those` mean, and how many there are."""
    if those.any():
        note(axes, f"{what}, {those.sum()} of {np.ma.count(those)} {unit}")


def on_edge(axes: Axes, places: NDArray, marker: str, *, top: bool = False, **style: Any) -> None:
    """On the lower or upper edge, mark values without a finite height; `style` takes matplotlib's long option names."""
    if len(places):
        edge = axes.get_xaxis_transform()
        style = {"markersize": 5, "color": DOUBTED, "clip_on": False, "label": "_on_edge", **style}
        axes.plot(places, np.full(len(places), float(top)), marker, transform=edge, **style)


def say_hidden(
    axes: Axes,
    x: NDArray,
    values: NDArray,
    symbol: str,
    *,
    label: str | None = None,
    unit: str = "nets",
    lowest: str = "exactly 0",
) -> None:
    """Note which of `values` (nets, x) are not finite, how many nets have such values, and where the first one is.

    `lowest` is what -inf means: for a logarithm, that the number itself is 0.
    """
    whose = f"{' '.join(label.split())}: " if label else ""
    several = len(values) > 1
    kinds = {lowest: values == -np.inf, "infinite": values == np.inf, "NaN": np.isnan(values)}
    for kind, those in kinds.items():
        if those.any():
            share = f" in {those.any(axis=1).sum()} of {len(values)} {unit}" if several else ""
            left_out = ", left out" if several and kind == "NaN" else ""
            note(axes, f"{whose}{kind}{share}{left_out}, first at {symbol} = {x[those.any(axis=0)][0]:g}")
