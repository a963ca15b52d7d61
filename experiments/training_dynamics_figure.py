"""The picture of `training_dynamics`: a column a length; the loss, λ_1, and the gradient before and after learning."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.curves import band, curve
from rnn_dynamics.plot.decades import decades, power_of_ten
from rnn_dynamics.plot.doubts import note

NAMES = {"elman": "tanh", "gru": "GRU", "lstm": "LSTM"}
CHANCE, SOLVED = 1 / 6, 0.01


def draw(dataset: xarray.Dataset) -> Figure:
    """Rows: loss, largest exponent, gradient over the lag; a column a length."""
    columns = dataset.sizes["length"]
    figure, axes = plt.subplots(3, columns, figsize=(0.4 + 3.2 * columns, 6.5), sharey="row", squeeze=False)
    for column, length in zip(axes.T, dataset.length.values, strict=True):
        at = dataset.sel(length=length)
        for panel, axis in zip((losses, exponents, gradients), column, strict=True):
            panel(axis, at, int(length))
    for axis in axes.ravel():
        plot.label_ends(axis, line=0.1)
    for axis in axes[:, 1:].ravel():
        axis.set_ylabel("")
    return figure


def name_of(cell: str) -> str:
    """As it is called in text."""
    return NAMES.get(cell, cell)


def solved_after(at: xarray.Dataset) -> np.ndarray:
    """The updates after which each net was first seen to have solved the task, inf for never; (repeat,)."""
    done = at.loss.transpose("repeat", "look").values <= SOLVED
    updates = at.updates.transpose("repeat", "look").values
    return np.where(done.any(axis=1), updates[np.arange(len(done)), done.argmax(axis=1)], np.inf)


def losses(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """The held-out loss of every net."""
    counts = []
    for position, cell in enumerate(at.cell.values):
        of = at.sel(cell=cell)
        for repeat in of.repeat.values:
            one = of.sel(repeat=repeat)
            label = name_of(cell) if repeat == of.repeat.values[0] else None
            curve(axes, one.updates.values, np.log10(one.loss.values), color=f"C{position}", label=label)
        after = solved_after(of)
        counts.append(f"{name_of(cell)} {np.isfinite(after).sum()}")
    axes.axhline(np.log10(CHANCE), ls=":", color="0.35", lw=1.2, label="_chance")
    axes.axhline(np.log10(SOLVED), ls=":", color="0.35", lw=1.2, label="_solved")
    axes.text(
        0.99, np.log10(SOLVED), "solved", transform=axes.get_yaxis_transform(), ha="right", va="bottom", color="0.35"
    )
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="updates", ylabel="held-out loss")
    axes.set_title(f"T = {length}, of {at.sizes['repeat']} nets solve:\n{', '.join(counts)}")


def exponents(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """The mean of λ_1 over nets, with its range, and the rate at which 1 % would be left of a gradient after T."""
    for position, cell in enumerate(at.cell.values):
        of = at.sel(cell=cell)
        values = of.exponent.where(of.reliable.astype(bool)).transpose("repeat", "look").values
        updates = of.updates.isel(repeat=0).values
        curve(axes, updates, values.mean(axis=0), color=f"C{position}", label=name_of(cell))
        band(axes, updates, values.min(axis=0), values.max(axis=0), color=f"C{position}")
    axes.axhline(np.log(0.01) / length, ls="--", lw=1, color="0.35", label="_needed")
    axes.axhline(0, lw=0.8, color="0.35", label="_zero")
    axes.set(xlabel="updates", ylabel=r"$\lambda_1$ (nats per step)")
    last = at.exponent.isel(look=-1).mean("repeat")
    found = ", ".join(f"{name_of(c)} {length * last.sel(cell=c).item():.1f}" for c in at.cell.values)
    axes.set_title(r"At the end $\lambda_1 T$ is on average" + f"\n{found}")
    doubted = int((~at.reliable.astype(bool)).sum())
    note(axes, "dashed: 1 % left after T")
    if doubted:
        note(axes, f"{doubted} not reliable, left out")


def lags(at: xarray.Dataset, look: int, length: int) -> np.ndarray:
    """log₁₀ of ‖∂L/∂h_{T-ℓ}‖ / ‖∂L/∂h_T‖ in the order of ℓ = 0 .. T-1, (repeat, lag)."""
    values = at.log_state_gradient.isel(look=look, time=slice(0, length)).transpose("repeat", "time").values[:, ::-1]
    return decades(values - values[:, :1])


def gradients(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """The gradient over the lag, before the first update (dashed) and after the last one."""
    said = []
    for position, cell in enumerate(at.cell.values):
        of = at.sel(cell=cell)
        for look, style in ((0, "--"), (-1, "-")):
            heights = np.median(lags(of, look, length), axis=0)
            label = name_of(cell) if look else None
            curve(axes, np.arange(length), heights, color=f"C{position}", ls=style, label=label)
        said.append(f"{name_of(cell)} {power_of_ten(round(heights[-1], 1)) if np.isfinite(heights[-1]) else 0}")
    plot.in_powers_of_ten(axes.yaxis)
    symbols = r"$\Vert\partial L/\partial h_{T-\ell}\Vert\,/\,\Vert\partial L/\partial h_T\Vert$"
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=symbols)
    axes.set_title(f"Left after {length - 1} steps, at the end:\n{', '.join(said)}")
    note(axes, "dashed: before the first update")
    if np.isneginf(at.log_state_gradient.isel(look=[0, -1], time=slice(0, length)).values).any():
        note(axes, "triangle, 0: below float32 in one")
