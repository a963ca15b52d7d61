"""The picture of `learned_adder`: how nets learn, and the best one beside the one that was wired by hand."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.curves import band, curve
from rnn_dynamics.plot.decades import decades
from rnn_dynamics.plot.doubts import note

from .exercises import adder


def draw(dataset: xarray.Dataset) -> Figure:
    """Learning, the weights of both adders; the gradient, the states of both."""
    figure, axes = plt.subplots(2, 3, figsize=(12.2, 6.5))
    learning(axes[0, 0], dataset)
    by_hand = np.column_stack([adder.W, adder.U, adder.B, adder.V])
    weights(axes[0, 1], dataset.trained_weights.values, f"Trained, the best net: {said_errors(dataset)}")
    weights(axes[0, 2], by_hand, f"Wired by hand: 0 of {dataset.sums} sums wrong")
    gradients(axes[1, 0], dataset)
    states(axes[1, 1], dataset, "trained", "tanh unit")
    states(axes[1, 2], dataset, "wired", f"logistic unit, slope {dataset.slope:g}")
    return figure


def said_errors(dataset: xarray.Dataset) -> str:
    """What the best net gets wrong."""
    return f"{int(dataset.wrong[dataset.best])} of {dataset.sums} sums wrong"


def learning(axes: Axes, dataset: xarray.Dataset) -> None:
    """The held-out loss of every net, in colour where it adds all pairs in the end."""
    errors, updates = dataset.wrong.values, dataset.recorded.values
    for those, color, zorder in ((errors > 0, "0.7", 1), (errors == 0, "C0", 2)):
        for losses in dataset.loss.values[those]:
            axes.plot(updates, np.log10(losses), color=color, lw=0.8, zorder=zorder, label="_net")
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="updates", ylabel="held-out loss (nats a bit)")
    few = int((errors <= dataset.sums / 100).sum())
    axes.set_title(
        f"{(errors == 0).sum()} of {len(errors)} nets add all pairs of {dataset.bits}-bit numbers (blue),\n"
        f"{few} at least 99 %"
    )


def weights(axes: Axes, table: np.ndarray, title: str) -> None:
    """W, U, b and the readout V as numbers on colours, a row a unit."""
    units = len(table)
    reach = np.abs(table).max()
    axes.imshow(table, cmap="RdBu_r", vmin=-1.6 * reach, vmax=1.6 * reach, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8 if units <= 8 else 6)
    names = [*(f"$W_{{\\cdot {unit + 1}}}$" for unit in range(units)), "$U_a$", "$U_b$", "$b$", "$V$"]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(units), [f"unit {unit + 1}" for unit in range(units)])
    axes.grid(False)
    axes.set_title(title)


def states(axes: Axes, dataset: xarray.Dataset, name: str, unit: str) -> None:
    """Every unit over what is to be added: its mean over all pairs and steps, and the range."""
    low, mean, high = (dataset[f"{name}_{part}"].values for part in ("low", "mean", "high"))
    counts = dataset["count"].values
    for k in range(mean.shape[1]):
        color = curve(axes, counts, mean[:, k], label=f"unit {k + 1}", marker="o", ms=4)
        band(axes, counts, low[:, k], high[:, k], color=color)
    axes.set(xlabel="bits and carry to be added", ylabel=f"state of the {unit}", xticks=counts)
    axes.margins(y=0.12)
    carries = carrying(low, high)
    told = "the carry is unit " + " and ".join(map(str, carries + 1)) if len(carries) else "no unit is the carry alone"
    axes.set_title(
        f"{name.capitalize()}: {told}; states for one\nsum of bits and carry differ by up to {spread(low, high)}"
    )
    plot.label_ends(axes)


def spread(low: np.ndarray, high: np.ndarray) -> str:
    """How much the states of one unit differ although the same is to be added."""
    return f"{np.max(high - low):.2g}"


def carrying(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The units whose state alone tells whether 2 or 3 is to be added, with a gap of a quarter of its range."""
    gap = np.maximum(low[2:].min(axis=0) - high[:2].max(axis=0), low[:2].min(axis=0) - high[2:].max(axis=0))
    return np.flatnonzero(gap > (high.max(axis=0) - low.min(axis=0)) / 4)


def gradients(axes: Axes, dataset: xarray.Dataset) -> None:
    """What is left of a gradient over the lag, for a carry handed on and for random bits."""
    lags = dataset.lag.values
    ends: dict[str, Any] = {}
    for name, color in (("trained", "C0"), ("wired", "C1")):
        for kind, style in (("carried", "-"), ("random", "--")):
            heights = np.median(decades(dataset[f"{name}_flow_{kind}"].values), axis=0)
            curve(axes, lags, heights, color=color, ls=style, label=f"{name}, {kind}")
            ends[f"{name} {kind}"] = heights[-1]
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=r"$\Vert\partial h_t\,/\,\partial h_{t-\ell}\Vert_2$")
    axes.set_title(
        f"A carry over {dataset.far} steps: {100 * dataset.trained_far_carried.item():.0f} % of sums right, "
        f"wired {100 * dataset.wired_far_carried.item():.0f} %;\n"
        f"of the gradient {lags[-1]} steps leave $10^{{{ends['trained carried']:.0f}}}$ (trained), "
        f"$10^{{{ends['wired carried']:.0f}}}$ (wired)"
    )
    note(axes, f"wired: logistic units of slope {dataset.slope:g}; its own threshold: exactly 0")
    note(axes, "half of the sums are right without a carry")
    plot.label_ends(axes)
