"""The figure of `clipping_hides`: sizes, angles and falls of the loss, over the gain and over the length."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.caveats import note
from rnn_dynamics.plot.curves import band, curve, quantile
from rnn_dynamics.plot.decades import decades

NAMES = {"norm": "by norm", "value": "by value", "step": "each step", "float32": "float32, not clipped"}
EXPLODES = 100  # a gradient counts as exploding above this many limits
COLORS = {"norm": "C0", "value": "C1", "step": "C2", "float32": "C3"}


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw, over gain and length, the size of the gradient, the angles of its clipped forms and falls of the loss."""
    figure, axes = plt.subplots(2, 3, figsize=(11.2, 5.9))
    for row, x in zip(axes, ("gain", "length"), strict=True):
        measured = dataset if x == "gain" else of_length(dataset)
        at = measured.isel({x: slice(0, last_known(measured) + 1)})
        for panel, axis in zip((sizes, angles, falls), row, strict=True):
            panel(axis, at, at[x].values)
            axis.set_xlabel("gain $g$ of the recurrent weights" if x == "gain" else "length $T$ (steps)")
            plot.label_ends(axis, line=0.08)
        say_left_out(row[0], measured, x)
    note(axes[-1, 0], f"median and middle half of {dataset.sizes['net']} nets")
    above = EXPLODES * dataset.attrs["limit"]
    note(
        axes[-1, 2],
        f"loss of another batch after a step of length {dataset.attrs['stride']:g}; means ± 2 standard errors; in the "
        f"titles, a net counts by its mean fall where the norm exceeds {above:g}",
    )
    return figure


def of_length(dataset: xarray.Dataset) -> xarray.Dataset:
    """Return the variables measured over the length, renamed as those over the gain."""
    names = [str(name) for name in dataset.data_vars if str(name).endswith("_of_length")]
    return dataset[names].rename({name: name.removesuffix("_of_length") for name in names})


def trusted(at: xarray.Dataset, name: str) -> np.ndarray:
    """Return the values of the trusted nets, (net, x), and NaN wherever fewer than half of the nets are trusted."""
    believed = at.trusted.astype(bool)
    return np.asarray(at[name].where(believed & (believed.mean("net") >= 0.5)).transpose("net", ...).values)


def median(at: xarray.Dataset, name: str) -> np.ndarray:
    """Return the median over the trusted nets."""
    return quantile(trusted(at, name), 0.5)


def draw_median(axes: Axes, x: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """Plot the median over the nets, with a band for the middle half."""
    color = curve(axes, x, quantile(values, 0.5), **style)
    band(axes, x, quantile(values, 0.25), quantile(values, 0.75), color=color)


def said_place(at: xarray.Dataset, x: float) -> str:
    """Format a place on a panel's x axis."""
    return f"g = {x:.3g}" if "gain" in at.dims else f"T = {x:g}"


def sizes(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """Plot the norms of the true gradient and of its clipped forms."""
    norms = trusted(at, "log_norm")
    draw_median(axes, x, decades(norms), color="black", label="true")
    for name in ("norm", "value", "step"):
        share = np.log(trusted(at, f"share_{name}"))
        draw_median(axes, x, decades(norms + share), color=COLORS[name], label=NAMES[name])
    plot.in_powers_of_ten(axes.yaxis)
    grown = np.nanmax(quantile(decades(norms), 0.5)) - quantile(decades(norms), 0.5)[0]
    known, over = (f"T = {at.attrs['at_length']}", "g") if "gain" in at.dims else (f"g = {at.attrs['at_gain']:g}", "T")
    axes.set(ylabel="norm of the gradient")
    axes.margins(y=0.1)
    axes.set_title(f"{known}: it grows with {over} by $10^{{{grown:.0f}}}$")


def say_left_out(axes: Axes, at: xarray.Dataset, x: str) -> None:
    """Note where nothing is drawn because too few gradients are trusted, and how many are left out elsewhere."""
    doubted = (~at.trusted.astype(bool)).sum("net").values
    nets = at.sizes["net"]
    nothing = doubted > nets / 2
    for place in np.flatnonzero(nothing):
        note(
            axes,
            f"{said_place(at, at[x].values[place])} left out: changing W by {at.attrs['nudge']:.0e} turns "
            f"{doubted[place]} of {nets} gradients by over {at.attrs['turn']:g}°",
        )
    if doubted[~nothing].any():
        note(axes, f"left out of the curves too: {doubted[~nothing].sum()} of {(~nothing).sum() * nets} gradients")


def angles(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """Plot the angle to the true gradient."""
    for name, label in NAMES.items():
        draw_median(axes, x, trusted(at, f"angle_{name}"), color=COLORS[name], label=label)
    axes.set(ylabel="angle to true gradient (°)", ylim=(-4, 104), yticks=range(0, 91, 30))
    last = last_known(at)
    found = {name: median(at, f"angle_{name}")[last] for name in NAMES}
    axes.set_title(
        f"{said_place(at, x[last])}: by value {found['value']:.0f}° off, each step {found['step']:.0f}°;\n"
        f"not clipped, float32 rounding: {found['float32']:.0f}°"
    )
    apart = median(at, "between_norm")[last], median(at, "between_step")[last]
    note(axes, f"angle between two batches there: {apart[0]:.0f}°, if clipped each step {apart[1]:.0f}°")


def last_known(at: xarray.Dataset) -> int:
    """Return the last place at which at least half of the nets are trusted."""
    return int(np.flatnonzero(np.isfinite(median(at, "log_norm")))[-1])


def falls(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """Plot how far equal steps along each direction lower the loss of a second batch: mean ± 2 standard errors."""
    for name in ("value", "norm", "step"):
        values = 100 * trusted(at, f"fall_{name}")
        known = np.maximum(np.sum(~np.isnan(values), axis=0), 1)
        mean = np.nansum(values, axis=0) / np.where(np.isnan(values).all(axis=0), np.nan, known)
        label = "by norm (= true)" if name == "norm" else NAMES[name]
        color = curve(axes, x, mean, color=COLORS[name], label=label)
        error = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(known - 1, 1) / known)
        if name != "value":
            band(axes, x, mean - 2 * error, mean + 2 * error, color=color)
    axes.axhline(0, color="0.35", lw=0.8, label="_zero")
    axes.set(ylabel="fall in the loss (%)")
    axes.set_title(f"Exploding gradients: clipping each step\nhelps more than by norm {said_better(at)}")


def exploding(at: xarray.Dataset) -> xarray.DataArray:
    """Mark the gradients that are trusted and more than `EXPLODES` times as large as the limit."""
    return at.trusted.astype(bool) & (at.log_norm > np.log(EXPLODES * at.attrs["limit"]))


def fall_of_nets(at: xarray.Dataset, name: str) -> np.ndarray:
    """Return the mean fall in % of every net over the gains or lengths where its gradient explodes; NaN if nowhere.

    Nets are independent of one another; results of one net at two gains are not.
    """
    return 100 * at[f"fall_{name}"].where(exploding(at)).mean("gain" if "gain" in at.dims else "length").values


def said_better(at: xarray.Dataset) -> str:
    """State for how many nets with exploding gradients clipping each step beats clipping by norm on a second batch."""
    more = fall_of_nets(at, "step") - fall_of_nets(at, "norm")
    return f"for {(more > 0).sum()} of {np.isfinite(more).sum()} nets"


def said_falls(at: xarray.Dataset, stride: float) -> str:
    """State the same in a sentence, with the means."""
    falls = {name: fall_of_nets(at, name) for name in ("norm", "value", "step")}
    if not np.isfinite(falls["norm"]).any():
        return f"no norm exceeds {EXPLODES} limits\n"
    means = {name: np.nanmean(values) for name, values in falls.items()}
    more = falls["step"] - falls["norm"]
    error = np.nanstd(more, ddof=1) / np.isfinite(more).sum() ** 0.5
    return (
        f"means over the nets, where their norm exceeds {EXPLODES} limits: a step of length {stride:g} lowers the loss "
        f"of a second batch by {means['norm']:.1f} % along the true direction, {means['value']:.1f} % if clipped by "
        f"value and {means['step']:.1f} % if clipped each step. The last is {np.nanmean(more):.1f} ± {2 * error:.1f} "
        f"points (2 standard errors) more than along the true direction, and more {said_better(at)}\n"
    )
