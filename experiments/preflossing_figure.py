"""The figure of `preflossing`: how flossing changes the exponents, and which delays the nets then learn."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.curves import band, curve
from rnn_dynamics.train.tasks.levels import FEW

from .counts import table


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw the counts, the training at the delay where starts differ most, and the spectra before training."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6))
    counts, names = learnt(dataset), [str(name) for name in dataset.start.values]
    table(axes[0], counts, nets=dataset.sizes["repeat"], rows=names, columns=dataset.delay.values)
    axes[0].set_title(reach(dataset))
    learning(axes[1], dataset.isel(delay=int(np.argmax(np.ptp(counts, axis=0)))))
    spectra(axes[2], dataset)
    for axis in axes[1:]:
        plot.label_ends(axis)
    return figure


def learnt(dataset: xarray.Dataset) -> np.ndarray:
    """Return how many nets learnt, (start, delay)."""
    return np.asarray(dataset.learnt.sum("repeat").transpose("start", "delay").values)


def reach(dataset: xarray.Dataset) -> str:
    """State the longest delay that most nets learn, from the first start and from the best one."""
    most = learnt(dataset) > dataset.sizes["repeat"] / 2
    longest = np.max(np.where(most, dataset.delay.values, 0), axis=1)
    best = int(np.argmax(longest))
    first, other = dataset.start.values[[0, best]]
    return f"Most nets learn a delay of {longest[0]:g} ({first}),\nof {longest[best]:g} ({other})"


def spectra(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot all exponents before training: the median over nets and their range."""
    index = 1 + np.arange(dataset.sizes["index"])
    for position, name in enumerate(dataset.start.values):
        values = dataset.exponents.sel(start=name).transpose("repeat", "index").values
        curve(axes, index, np.median(values, axis=0), color=f"C{position}", label=str(name))
        band(axes, index, values.min(axis=0), values.max(axis=0), color=f"C{position}")
    plot.level(axes, 0, "gradient is kept")
    axes.set(xlabel="exponent $i$", ylabel=r"$\lambda_i$ before training (nats per step)")
    axes.set_title("Flossing brings the requested number\nof exponents to 0, and no more")


def learning(axes: Axes, at: xarray.Dataset) -> None:
    """Plot the fraction of correct held-out answers over training, for every net and as the median over nets."""
    for position, name in enumerate(at.start.values):
        values = at.correct.sel(start=name).transpose("repeat", "look").values
        axes.plot(at.look.values, values.T, color=f"C{position}", lw=0.8, alpha=0.5, label="_one")
        curve(axes, at.look.values, np.median(values, axis=0), color=f"C{position}", label=str(name))
    plot.level(axes, 1 - FEW, "learnt")
    axes.set(xlabel="updates", ylabel="fraction of correct answers")
    axes.set_title(f"Learning a delay of {at.delay.item():g} steps")
