"""The figure of `rescue`: the gradient over the lag and the held-out loss, as initialised and after the advice."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.decades import decades

from .training_dynamics_figure import said_line

AS_DRAWN, FIRST = "as initialised", "as advised"
BEFORE = "0.55"


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one row per cell: the gradient over the lag, and the loss over training for each task."""
    cells, tasks = dataset.cell.values, dataset.task.values
    figure, axes = plt.subplots(
        len(cells), 1 + len(tasks), figsize=(0.8 + 2.9 * (1 + len(tasks)), 0.8 + 2.1 * len(cells)), squeeze=False
    )
    for row, cell in zip(axes, cells, strict=True):
        gradients(row[0], dataset.sel(cell=cell))
        for axis, task in zip(row[1:], tasks, strict=True):
            losses(axis, dataset.sel(cell=cell, task=task))
    for axis in axes[:-1].ravel():
        axis.set_xlabel("")
    for column in axes[:, 1:].T:
        low, high = zip(*(axis.get_ylim() for axis in column), strict=True)
        for axis in column:
            axis.set_ylim(min(low), max(high))
    for axis in axes.ravel():
        plot.label_ends(axis)
    figure.suptitle(finding(dataset), x=0.01, ha="left")
    return figure


def solved_after(one: xarray.Dataset) -> np.ndarray:
    """Return after how many updates each net was first seen to solve its task, (net,); inf for never."""
    done = one.loss.transpose("net", "look").values <= one.solved.item()
    return np.where(done.any(axis=1), one.made.values[done.argmax(axis=1)], np.inf)


def learnt(at: xarray.Dataset) -> dict[str, int]:
    """Return how many nets of one cell and task learn from each start."""
    return {str(start): int(np.isfinite(solved_after(at.sel(start=start))).sum()) for start in at.start.values}


def colour(position: int) -> str:
    """Return grey for the nets as they were, and a colour for every change."""
    return f"C{position - 1}" if position else BEFORE


def paler(position: int) -> tuple[float, ...]:
    """Return the same colour mixed with white, for single nets."""
    return tuple(0.55 * part + 0.45 for part in to_rgb(colour(position)))


def finding(dataset: xarray.Dataset) -> str:
    """State how many nets learn before and after, over all cells and tasks."""
    counts = [learnt(dataset.sel(cell=cell, task=task)) for cell in dataset.cell.values for task in dataset.task.values]
    before, after = (sum(count[start] for count in counts) for start in (AS_DRAWN, FIRST))
    nets = dataset.sizes["net"] * len(counts)
    names = " or ".join(np.unique(dataset.advice.sel(start=FIRST)))
    return (
        f"Over {dataset.length} steps {before} of {nets} nets learn as initialised, {after} of {nets} as advised "
        f"(remedy: {names})"
    )


def gradients(axes: Axes, of: xarray.Dataset) -> None:
    """Plot the gradient of every net over the lag, from each start."""
    ends = {}
    for position, start in enumerate(of.start.values):
        heights = decades(of.flow.sel(start=start).transpose("task", "net", "lag").values)
        heights = heights.reshape(-1, heights.shape[-1])
        axes.plot(of.lag.values, heights.T, color=paler(position), lw=0.6, label="_one")
        axes.plot(of.lag.values, np.median(heights, axis=0), color=colour(position), label=str(start))
        ends[str(start)] = np.median(heights[:, -1])
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=r"$\Vert\partial h_T/\partial h_{T-\ell}\Vert$")
    axes.set_title(
        f"{of.cell.item()}: a gradient after {of.length} steps is\n"
        f"$10^{{{ends[AS_DRAWN]:.0f}}}$ as initialised, $10^{{{ends[FIRST]:.1f}}}$ as advised"
    )


def losses(axes: Axes, at: xarray.Dataset) -> None:
    """Plot the held-out loss of every net over its training, from each start."""
    for position, start in enumerate(at.start.values):
        heights = np.log10(at.loss.sel(start=start).transpose("net", "look").values)
        axes.plot(at.made.values, heights.T, color=paler(position), lw=0.6, label="_one")
        # the first panel of the row names the colours
        axes.plot(at.made.values, np.median(heights, axis=0), color=colour(position), label=f"_{start}")
    said_line(axes, np.log10(at.chance.item()), "chance")
    said_line(axes, np.log10(at.solved.item()), "learnt", below=True)
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="updates", ylabel="held-out loss")
    counts, nets = learnt(at), at.sizes["net"]
    others = [f"with {start} {count}" for start, count in counts.items() if start not in (AS_DRAWN, FIRST)]
    axes.set_title(
        f"{at.cell.item()}, {at.task.item()}: {counts[AS_DRAWN]} of {nets} learn;\n"
        + ", ".join([f"as advised {counts[FIRST]}", *others])
    )
