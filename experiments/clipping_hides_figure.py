"""The picture of `clipping_hides`: sizes, angles, and what a step is worth, over the gain and over the length."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.curves import band, curve, quantile
from rnn_dynamics.plot.decades import decades
from rnn_dynamics.plot.doubts import note

NAMES = {"norm": "by norm", "value": "by value", "step": "each step", "float32": "float32, not clipped"}
COLORS = {"norm": "C0", "value": "C1", "step": "C2", "float32": "C3"}


def draw(dataset: xarray.Dataset) -> Figure:
    """Over gain and length: the size of the gradient, where its clipped forms point, what that is worth."""
    figure, axes = plt.subplots(2, 3, figsize=(11.8, 6.1))
    for row, x in zip(axes, ("gain", "length"), strict=True):
        at = dataset if x == "gain" else of_length(dataset)
        for panel, axis in zip((sizes, angles, falls), row, strict=True):
            panel(axis, at, at[x].values)
            axis.set_xlabel("gain $g$ of the recurrent weights" if x == "gain" else "length $T$ (steps)")
            plot.label_ends(axis)
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
    left_out = int((~at.trusted.astype(bool)).sum())
    note(
        axes,
        f"medians of {at.sizes['net']} nets and half of them; {left_out} of {at.trusted.size} gradients not trusted",
    )


def angles(axes: Axes, at: xarray.Dataset, x: np.ndarray) -> None:
    """The angle to the true gradient."""
    for name, label in NAMES.items():
        draw_median(axes, x, trusted(at, f"angle_{name}"), color=COLORS[name], label=label)
    axes.set(ylabel="angle to the true one (degrees)", ylim=(-4, 104), yticks=range(0, 91, 30))
    last = last_known(at)
    found = {name: median(at, f"angle_{name}")[last] for name in NAMES}
    axes.set_title(
        f"{said_place(at, x[last])}: by value {found['value']:.0f}° off, each step {found['step']:.0f}°;\n"
        f"not clipped, by rounding to float32, {found['float32']:.0f}°"
    )
    apart = median(at, "between_norm")[last], median(at, "between_step")[last]
    note(axes, f"there two batches have true gradients {apart[0]:.0f}° apart, clipped each step {apart[1]:.0f}°")


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
    axes.set(ylabel="fall of another batch's loss (%)")
    better, both = better_each_step(at)
    axes.set_title(
        f"Where the gradient explodes a step of {at.attrs['stride']:g} gains\n"
        f"more if clipped each step in {better} of {both} cases"
    )
    note(axes, "mean of the nets and 2 standard errors")


def exploding(at: xarray.Dataset) -> xarray.DataArray:
    """The nets whose gradient is known and more than a hundred times as large as the limit."""
    return at.trusted.astype(bool) & (at.log_norm > np.log(100 * at.attrs["limit"]))


def better_each_step(at: xarray.Dataset) -> tuple[int, int]:
    """In how many of how many exploding nets the loss of a second batch falls further if each step was clipped."""
    those = exploding(at)
    return int(((at.fall_step > at.fall_norm) & those).sum()), int(those.sum())


def said_falls(at: xarray.Dataset, stride: float) -> str:
    """The same in a sentence, with the means."""
    (better, both), those = better_each_step(at), exploding(at)
    means = {name: 100 * float(at[f"fall_{name}"].where(those).mean()) for name in ("norm", "value", "step")}
    return (
        f"where the norm is above 100 limits, {both} cases, a step of {stride:g} lowers the loss of a second batch by "
        f"{means['norm']:.1f} % down the true direction, {means['value']:.1f} % by value, {means['step']:.1f} % if "
        f"clipped each step, which is better in {better}\n"
    )
