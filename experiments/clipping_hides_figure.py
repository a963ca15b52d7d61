"""The picture of `clipping_hides`: sizes, angles, and what a step is worth, over the gain and over the length."""

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
EXPLODES = 100  # limits: so large is a gradient that explodes
COLORS = {"norm": "C0", "value": "C1", "step": "C2", "float32": "C3"}


def draw(dataset: xarray.Dataset) -> Figure:
    """Over gain and length: the size of the gradient, where its clipped forms point, what that is worth."""
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
        f"both rows: of another batch, in a move of length {dataset.attrs['stride']:g}; means and 2 standard errors; "
        f"nets counted by their mean over g or T where the norm is above {above:g}",
    )
    return figure


def of_length(dataset: xarray.Dataset) -> xarray.Dataset:
    """What was measured over the length, by the names that it has over the gain."""
    names = [str(name) for name in dataset.data_vars if str(name).endswith("_of_length")]
    return dataset[names].rename({name: name.removesuffix("_of_length") for name in names})


def trusted(at: xarray.Dataset, name: str) -> np.ndarray:
    """The values of the nets whose gradient is known, (net, x), and nothing at all where that is less than half."""
    believed = at.trusted.astype(bool)
    return np.asarray(at[name].where(believed & (believed.mean("net") >= 0.5)).transpose("net", ...).values)


def median(at: xarray.Dataset, name: str) -> np.ndarray:
    """Of the nets whose gradient is known."""
    return quantile(trusted(at, name), 0.5)


def draw_median(axes: Axes, x: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """The median of the nets and half of them around it."""
    color = curve(axes, x, quantile(values, 0.5), **style)
    band(axes, x, quantile(values, 0.25), quantile(values, 0.75), color=color)


def said_place(at: xarray.Dataset, x: float) -> str:
    """Where on the axis of a panel."""
    return f"g = {x:.3g}" if "gain" in at.dims else f"T = {x:g}"


def sizes(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """The norm of the true gradient and of what clipping leaves of it."""
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
    axes.set_title(f"{known}: over {over} it grows by $10^{{{grown:.0f}}}$")


def say_left_out(axes: Axes, at: xarray.Dataset, x: str) -> None:
    """Note where nothing is drawn as too few gradients are trusted, and how many are left out elsewhere."""
    doubted = (~at.trusted.astype(bool)).sum("net").values
    nets = at.sizes["net"]
    nothing = doubted > nets / 2
    for place in np.flatnonzero(nothing):
        note(
            axes,
            f"{said_place(at, at[x].values[place])} left out: W off by {at.attrs['nudge']:.0e} turns "
            f"{doubted[place]} of {nets} gradients by over {at.attrs['turn']:g}°",
        )
    if doubted[~nothing].any():
        note(axes, f"likewise {doubted[~nothing].sum()} of {(~nothing).sum() * nets} gradients left out of the curves")


def angles(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """The angle to the true gradient."""
    for name, label in NAMES.items():
        draw_median(axes, x, trusted(at, f"angle_{name}"), color=COLORS[name], label=label)
    axes.set(ylabel="angle to the true one (°)", ylim=(-4, 104), yticks=range(0, 91, 30))
    last = last_known(at)
    found = {name: median(at, f"angle_{name}")[last] for name in NAMES}
    axes.set_title(
        f"{said_place(at, x[last])}: by value {found['value']:.0f}° off, each step {found['step']:.0f}°;\n"
        f"not clipped, by rounding to float32, {found['float32']:.0f}°"
    )
    apart = median(at, "between_norm")[last], median(at, "between_step")[last]
    note(axes, f"gradients of two batches there: {apart[0]:.0f}° apart, if clipped each step {apart[1]:.0f}°")


def last_known(at: xarray.Dataset) -> int:
    """The last place at which at least half of the nets are trusted."""
    return int(np.flatnonzero(np.isfinite(median(at, "log_norm")))[-1])


def falls(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """What a step of the same length along each direction does to the loss of a second batch: mean and 2 errors."""
    for name in ("value", "norm", "step"):
        values = 100 * trusted(at, f"fall_{name}")
        known = np.maximum(np.sum(~np.isnan(values), axis=0), 1)
        mean = np.nansum(values, axis=0) / np.where(np.isnan(values).all(axis=0), np.nan, known)
        label = "by norm, as the true" if name == "norm" else NAMES[name]
        color = curve(axes, x, mean, color=COLORS[name], label=label)
        error = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(known - 1, 1) / known)
        if name != "value":
            band(axes, x, mean - 2 * error, mean + 2 * error, color=color)
    axes.axhline(0, color="0.35", lw=0.8, label="_zero")
    axes.set(ylabel="fall of the loss (%)")
    axes.set_title(f"Where gradients explode the loss falls further\nclipped each step than by norm {said_better(at)}")


def exploding(at: xarray.Dataset) -> xarray.DataArray:
    """The gradients that are known and `EXPLODES` times as large as the limit."""
    return at.trusted.astype(bool) & (at.log_norm > np.log(EXPLODES * at.attrs["limit"]))


def fall_of_nets(at: xarray.Dataset, name: str) -> np.ndarray:
    """The mean fall in % of every net over the gains or lengths at which its gradient explodes, NaN if at none.

    The nets are independent of one another; what one net does at two gains is not.
    """
    return 100 * at[f"fall_{name}"].where(exploding(at)).mean("gain" if "gain" in at.dims else "length").values


def said_better(at: xarray.Dataset) -> str:
    """For how many nets with exploding gradients the loss of a second batch falls further if each step was clipped."""
    more = fall_of_nets(at, "step") - fall_of_nets(at, "norm")
    return f"for {(more > 0).sum()} of {np.isfinite(more).sum()} nets"


def said_falls(at: xarray.Dataset, stride: float) -> str:
    """The same in a sentence, with the means."""
    falls = {name: fall_of_nets(at, name) for name in ("norm", "value", "step")}
    if not np.isfinite(falls["norm"]).any():
        return f"no norm is above {EXPLODES} limits\n"
    means = {name: np.nanmean(values) for name, values in falls.items()}
    more = falls["step"] - falls["norm"]
    error = np.nanstd(more, ddof=1) / np.isfinite(more).sum() ** 0.5
    return (
        f"means of the nets over where their norm is above {EXPLODES} limits: a move of length {stride:g} lowers the "
        f"loss of a second batch by {means['norm']:.1f} % down the true direction, {means['value']:.1f} % clipped by "
        f"value, {means['step']:.1f} % clipped each step; that is {np.nanmean(more):.1f} ± {2 * error:.1f} points (2 "
        f"standard errors) further than down the true one, and further {said_better(at)}\n"
    )
