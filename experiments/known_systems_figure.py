"""The figure of `known_systems`: largest exponents next to published ones, and three checks of all systems."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.caveats import note

from .known_systems_checks import CHECKS, ENDS, FAR

LETTER = (0.0108, 0.02)  # width and height of a letter as shares of the axes
LOWEST = {"zero": 1e-7, "sum": 1e-16, "twice": 1e-2}  # smaller values are drawn at the left edge
LABELS = {
    "zero": "smallest |λ| of a flow (nats per period)",
    "sum": "|Σλ - mean divergence| / Σ|λ|",
    "twice": "twice the steps: difference / standard error",
}


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw our largest exponents over the published ones, and the distribution of each check with its limit."""
    figure = plt.figure(figsize=(12.5, 7))
    parts = figure.add_gridspec(3, 2, width_ratios=(1.35, 1))
    published(figure.add_subplot(parts[:, 0]), dataset)
    for row, check in enumerate(CHECKS):
        distribution(figure.add_subplot(parts[row, 1]), dataset, check)
    return figure


def published(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot our λ₁ over the published one, in nats per period, on logarithmic axes; names stand where they differ."""
    with_number = dataset.sel(system=dataset.flow & np.isfinite(dataset.published.isel(index=0)))
    period = with_number.period.values
    theirs = with_number.published.max("index").values * period
    ours = with_number.exponents.isel(index=0).values * period
    error = with_number.stderr.isel(index=0).values * period
    low, high, left, right = 1e-3, 30.0, 1e-2, 100.0
    shown = np.isfinite(ours)
    ours = np.clip(ours, low, high)
    far = shown & (np.abs(np.log(ours / theirs)) > np.log(FAR))
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    axes.plot([left, high], [left, high], color="black", lw=1)
    unknown = ENDS / dataset.attrs["periods"]
    axes.axhspan(low, unknown, color="C1", alpha=0.15, lw=0)
    axes.text(right, unknown, "too small to tell from 0 ", ha="right", va="top", fontsize=8, color="0.35")
    axes.fill_between([left, high], [left / FAR, high / FAR], [left * FAR, high * FAR], color="0.93", lw=0)
    for where, colour in ((shown & ~far, "C0"), (far, "C3")):
        bars = np.where(ours > unknown, error, 0)[where]
        axes.errorbar(theirs[where], ours[where], yerr=bars, fmt="o", ms=3.5, lw=0.8, color=colour)
    names_apart(axes, with_number.system.values[far], theirs[far], ours[far])
    axes.set(xlabel="published largest exponent (nats per period)", ylabel="measured here (nats per period)")
    ratio = np.abs(np.log(ours / theirs))[shown]
    axes.set_title(
        f"{np.sum(ratio < np.log(1.1))} of {len(ratio)} published exponents are within 10 %,\n"
        f"{np.sum(ratio > np.log(FAR))} are off by more than a factor of {FAR:g} (red)"
    )
    note(axes, "grey: within a factor of 2; at the lower edge: smaller, or not positive")


def names_apart(axes: Axes, names: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Write names next to their points, each as near as it fits above or below the height of its point."""
    places = axes.transAxes.inverted().transform(axes.transData.transform(np.stack([x, y], axis=1)))
    taken: list[tuple[float, float, float]] = []
    for name, (at, height), above in sorted(
        zip(map(str, names), places, y > x, strict=True), key=lambda row: row[1][1]
    ):
        long = LETTER[0] * len(name)
        begin = at - 0.012 - long if above and at > 0.02 + long else at + 0.012
        tries = [height + LETTER[1] * shift for shift in (0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 3, 4, 5)]
        free = [
            place
            for place in tries
            if place >= 0.02 and all(abs(place - b) >= LETTER[1] or begin > e or begin + long < a for a, e, b in taken)
        ]
        place = free[0] if free else height
        taken.append((begin, begin + long, place))
        axes.text(begin, place, name, transform=axes.transAxes, va="center", fontsize=6.5, color="C3")


def distribution(axes: Axes, dataset: xarray.Dataset, check: str) -> None:
    """Draw a histogram of a check over powers of ten, with its limit; what lies beyond is red."""
    values = dataset[check].values
    values = values[np.isfinite(values)]
    limit, low = CHECKS[check].limit, LOWEST[check]
    drawn = np.log10(np.maximum(values, low))
    edge = np.log10(limit)
    width = (edge - np.log10(low)) / 24
    bins = edge + width * np.arange(-24, max(2, np.ceil((drawn.max() - edge) / width) + 1))
    axes.hist(drawn[values <= limit], bins, color="C0")
    axes.hist(drawn[values > limit], bins, color="C3")
    axes.axvline(edge, color="black", lw=1)
    plot.in_powers_of_ten(axes.xaxis)
    beyond = int(np.sum(values > limit))
    axes.set(xlabel=LABELS[check], ylabel="systems")
    axes.set_title(f"{len(values) - beyond} of {len(values)} below {limit:g}", fontsize=10)
