"""The figure of `learned_adder`: how the nets learn, and the best one next to the one wired by hand."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.caveats import note
from rnn_dynamics.plot.curves import curve
from rnn_dynamics.plot.decades import decades

from .exercises import adder

NAMES = {"trained": "best", "wired": "wired"}


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw the training and the weights of both adders, and below them the gradients and the states of both."""
    figure, axes = plt.subplots(2, 3, figsize=(11.6, 6.2))
    learning(axes[0, 0], dataset)
    by_hand = np.column_stack([adder.W, adder.U, adder.B, adder.V])
    weights(axes[0, 1], dataset.trained_weights.values, f"Trained, the best net: {said_errors(dataset)}")
    weights(axes[0, 2], by_hand, f"Wired by hand: 0 of {dataset.sums} sums wrong")
    gradients(axes[1, 0], dataset)
    states(axes[1, 1], dataset, "trained", "tanh unit")
    states(axes[1, 2], dataset, "wired", "logistic unit")
    note(axes[1, 1], "dots: means over all pairs and steps; bars: minimum to maximum state")
    return figure


def said_errors(dataset: xarray.Dataset) -> str:
    """State how many sums the best net gets wrong."""
    return f"{int(dataset.wrong[dataset.best])} of {dataset.sums} sums wrong"


def learning(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the held-out loss of every net, in colour if it adds all pairs in the end."""
    errors, updates = dataset.wrong.values, dataset.recorded.values
    for those, color, zorder in ((errors > 0, "0.7", 1), (errors == 0, "C0", 2)):
        for losses in dataset.loss.values[those]:
            axes.plot(updates, np.log10(losses), color=color, lw=0.8, zorder=zorder, label="_net")
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="updates", ylabel="held-out loss (nats per bit)")
    few = int((errors <= dataset.sums / 100).sum())
    axes.set_title(
        f"{(errors == 0).sum()} of {len(errors)} nets add all pairs of {dataset.bits}-bit numbers (blue),\n"
        f"{few} add at least 99 %"
    )


def weights(axes: Axes, table: np.ndarray, title: str) -> None:
    """Show W, U, b and the readout V as numbers on colours, one row per unit."""
    units = len(table)
    reach = np.abs(table).max()
    axes.imshow(table, cmap="RdBu_r", vmin=-1.6 * reach, vmax=1.6 * reach, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=8 if units <= 8 else 6)
    names = [*(f"$W_{{\\cdot {unit + 1}}}$" for unit in range(units)), "$U_a$", "$U_b$", "$b$", "$V$"]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(units), [f"unit {unit + 1}" for unit in range(units)])
    axes.grid(False)
    axes.set_title(title)


def states(axes: Axes, dataset: xarray.Dataset, name: str, unit: str) -> None:
    """Plot every unit over the sum of bits and carry: its mean over all pairs and steps, and its range as a bar."""
    low, mean, high = (dataset[f"{name}_{part}"].values for part in ("low", "mean", "high"))
    counts, units = dataset["count"].values, mean.shape[1]
    for k in range(units):
        beside = counts + 0.4 * ((k + 0.5) / units - 0.5)
        color = curve(axes, beside, mean[:, k], marker="o", ms=5, lw=0.6)
        axes.plot(counts[-1] + 0.2, mean[-1, k], lw=0, color=color, label=f"unit {k + 1}")  # aligns the names
        axes.vlines(beside, low[:, k], high[:, k], color=color, lw=5, alpha=0.35, label="_range")
    axes.set(xlabel="sum of bits and carry", ylabel=f"state of the {unit}", xticks=counts)
    axes.margins(y=0.12)
    carries = carrying(low, high)
    told = "the carry is unit " + " and ".join(map(str, carries + 1)) if len(carries) else "no unit is the carry alone"
    axes.set_title(
        f"{name.capitalize()}: {told}; states for one\nsum of bits and carry differ by up to {spread(low, high)}"
    )
    plot.label_ends(axes)


def spread(low: np.ndarray, high: np.ndarray) -> str:
    """Return by how much the states of one unit differ for the same sum of bits and carry."""
    return f"{np.max(high - low):.2g}"


def carrying(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the units whose state alone separates sums of 2 and 3 from 0 and 1, by over a quarter of its range."""
    gap = np.maximum(low[2:].min(axis=0) - high[:2].max(axis=0), low[:2].min(axis=0) - high[2:].max(axis=0))
    return np.flatnonzero(gap > (high.max(axis=0) - low.min(axis=0)) / 4)


def gradients(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the gradient over the lag, for a carry that is passed on and for random bits."""
    lags = dataset.lag.values
    keep, lose = keeping(dataset)
    for those, color, label in ((keep, "C2", "hold"), (lose, "C3", "lose")):
        lines = decades(dataset.flow_carried.values[those])
        middle = np.argsort(lines[:, -1])[len(lines) // 2] if len(lines) else None
        for place, heights in enumerate(lines):
            named = f"{len(lines)} {label} a carry" if place == middle else None
            curve(axes, lags, heights, color=color, lw=0.6, label=named)
    for name, color in (("trained", "C0"), ("wired", "C1")):
        for kind, style in (("carried", "-"), ("random", "--")):
            heights = np.median(decades(dataset[f"{name}_flow_{kind}"].values), axis=0)
            curve(axes, lags, heights, color=color, ls=style, label=f"{NAMES[name]}, {kind}")
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=r"$\Vert\partial h_t\,/\,\partial h_{t-\ell}\Vert_2$")
    axes.set_title(
        f"Correct sums, carry over {dataset.far} steps: the best net "
        f"{100 * dataset.trained_far_carried.item():.0f} %,\n"
        f"{said_right(dataset)}; wired {100 * dataset.wired_far_carried.item():.0f} %"
    )
    note(axes, f"thin: nets that add {dataset.bits} bits; with at least 99 % correct they hold a carry")
    note(axes, "half of these sums are correct without a carry")
    note(axes, f"wired: logistic units of slope {dataset.slope:g}")
    plot.label_ends(axes)


def keeping(dataset: xarray.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mask the nets with at least 99 % of the sums with a passed-on carry correct, and the other nets that add."""
    right = dataset.far_carried.values
    return right >= 0.99, right < 0.99


def said_right(dataset: xarray.Dataset) -> str:
    """State how many sums with a passed-on carry the nets that add get right; none was chosen for it."""
    right = 100 * dataset.far_carried.values
    right = right[np.isfinite(right)]
    if not len(right):
        return "no net adds"
    return f"{len(right)} nets that add: {right.min():.0f} to {right.max():.0f} %, median {np.median(right):.0f} %"
