"""The figure of `training_dynamics`, one column per length: loss, λ_1 T, and the gradient before and after training."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.caveats import note
from rnn_dynamics.plot.curves import curve
from rnn_dynamics.plot.decades import decades

NAMES = {"elman": "tanh", "gru": "GRU", "lstm": "LSTM"}
CHANCE, SOLVED = 1 / 6, 0.01


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw rows of the loss, the largest exponent times T and the gradient over the lag, one column per length."""
    columns = dataset.sizes["length"]
    figure, axes = plt.subplots(3, columns, figsize=(0.5 + 3.1 * columns, 5.8), squeeze=False)
    for axis in axes[:2, 1:].ravel():
        axis.sharey(axes[axis.get_subplotspec().rowspan.start, 0])
    for column, length in zip(axes.T, dataset.length.values, strict=True):
        at = dataset.sel(length=length)
        for panel, axis in zip((losses, exponents, gradients), column, strict=True):
            panel(axis, at, int(length))
    for axis in axes[:2, 1:].ravel():
        axis.tick_params(labelleft=False)
    for axis in axes[0]:
        axis.set_xlabel("")
        axis.tick_params(labelbottom=False)
    for axis in axes.ravel():
        plot.label_ends(axis, line=0.12)
    for axis in axes[:, 1:].ravel():
        axis.set_ylabel("")
    note(axes[1, 0], "dashed: 1 % left after T")
    note(axes[2, 0], "dashed: before the first update\nin all rows, one line per net")
    return figure


def name_of(cell: str) -> str:
    """Return the cell's name as used in text."""
    return NAMES.get(cell, cell)


def solved_after(at: xarray.Dataset) -> np.ndarray:
    """Return after how many updates each net was first seen to solve the task, (repeat,); inf for never."""
    done = at.loss.transpose("repeat", "look").values <= SOLVED
    updates = at.made.transpose("repeat", "look").values
    return np.where(done.any(axis=1), updates[np.arange(len(done)), done.argmax(axis=1)], np.inf)


def of_every_net(axes: Axes, x: np.ndarray, heights: np.ndarray, *, label: str | None = None, **style: Any) -> None:
    """Plot one curve per net of `heights` (net, x); the first one gets the label."""
    for net, values in enumerate(heights):
        curve(axes, x, values, label=None if net else label, **style)


def said_line(axes: Axes, height: float, name: str, *, below: bool = False) -> None:
    """Draw a dotted line across the axes, with its name at the right end, above or below it."""
    axes.axhline(height, ls=":", color="0.35", lw=1.2, label="_line")
    axes.annotate(
        name,
        (0.99, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3 if below else 2),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
        color="0.35",
        fontsize=8,
    )


def said_range(values: np.ndarray, said: Callable[[float], str]) -> str:
    """Format the range of the known values, as mathematics."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "unknown"
    least, most = said(known.min()), said(known.max())
    return f"${least}$" if least == most else f"${least}$ to ${most}$"


def said_number(value: float) -> str:
    """Format a number, with one decimal if it is below ten."""
    return f"{value:.{int(abs(value) < 9.95)}f}"


def in_two_lines(start: str, found: list[str]) -> str:
    """Put the first of the findings after `start`, and the others on a second line."""
    return start + ",\n".join([found[0], *([", ".join(found[1:])] if found[1:] else [])])


def said_share(log: float) -> str:
    """Format 10^log, as a power of ten if it is below a hundredth."""
    return f"10^{{{log:.0f}}}" if -np.inf < log < -2 else f"{10**log:.1g}"


def losses(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """Plot the held-out loss of every net."""
    counts = []
    for position, cell in enumerate(at.cell.values):
        of = at.sel(cell=cell)
        heights = np.log10(of.loss.transpose("repeat", "look").values)
        of_every_net(axes, of.made.isel(repeat=0).values, heights, color=f"C{position}", label=name_of(cell))
        counts.append(f"{name_of(cell)} {np.isfinite(solved_after(of)).sum()}")
    said_line(axes, np.log10(CHANCE), "chance", below=True)
    said_line(axes, np.log10(SOLVED), "solved")
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="updates", ylabel="held-out loss")
    axes.set_title(f"T = {length}, nets out of {at.sizes['repeat']} that solve it:\n{', '.join(counts)}")


def exponents(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """Plot λ_1 T of every net where it is reliable, and the height at which 1 % of a gradient is left."""
    found = []
    reliable = at.reliable.astype(bool)
    seen = length * at.exponent.where(reliable).transpose("cell", "repeat", "look")
    for position, cell in enumerate(at.cell.values):
        values = seen.sel(cell=cell).values
        updates = at.made.sel(cell=cell).isel(repeat=0).values
        of_every_net(axes, updates, values, color=f"C{position}", label=name_of(cell))
        found.append(f"{name_of(cell)} {said_range(values[:, -1], said_number)}")
    axes.axhline(np.log(0.01), ls="--", lw=1, color="0.35", label="_needed")
    axes.axhline(0, lw=0.8, color="0.35", label="_zero")
    axes.set_yscale("symlog", linthresh=1, linscale=0.6)
    axes.set_yticks([-100, -10, -1, 0, 1], ["$-100$", "$-10$", "$-1$", "$0$", "$1$"])
    axes.set(xlabel="updates", ylabel=r"$\lambda_1 T$ (nats)")
    axes.set_title(in_two_lines(r"$\lambda_1 T$ at the end: ", found))
    doubted = int((~reliable).sum())
    if doubted:
        note(axes, f"{doubted} unreliable, left out")


def lags(at: xarray.Dataset, look: int, length: int) -> np.ndarray:
    """Return log₁₀ of ‖∂L/∂h_{T-ℓ}‖ / ‖∂L/∂h_T‖ for ℓ = 0 .. T-1, (repeat, lag)."""
    values = at.log_state_gradient.isel(look=look, time=slice(0, length)).transpose("repeat", "time").values[:, ::-1]
    return decades(values - values[:, :1])


def gradients(axes: Axes, at: xarray.Dataset, length: int) -> None:
    """Plot the gradient of every net over the lag, before the first update (dashed) and after the last one."""
    found = []
    for position, cell in enumerate(at.cell.values):
        of = at.sel(cell=cell)
        for look, style in ((0, "--"), (-1, "-")):
            heights = lags(of, look, length)
            label = name_of(cell) if look else None
            of_every_net(axes, np.arange(length), heights, color=f"C{position}", ls=style, label=label)
        found.append(f"{name_of(cell)} {said_range(heights[:, -1], said_share)}")
    plot.in_powers_of_ten(axes.yaxis)
    symbols = r"$\Vert\partial L/\partial h_{T-\ell}\Vert\,/\,\Vert\partial L/\partial h_T\Vert$"
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=symbols)
    axes.set_title(in_two_lines(rf"Left at $\ell = {length - 1}$: ", found))
