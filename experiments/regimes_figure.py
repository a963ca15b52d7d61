"""The figure of `regimes`: gradients over gain and lag, and the exponents that show where they vanish or explode."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot

from . import critical


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one column per cell, at its largest width: the norm over gain and lag, and λ₁ over the gain."""
    hidden, ends = int(dataset.hidden[-1]), tuple(dataset.gain.values[[0, -1]])
    rows = [row for row in critical.critical_gains(dataset) if row.hidden == hidden]
    figure, axes = plt.subplots(2, len(rows), figsize=(2.9 * len(rows) + 1, 6.4), squeeze=False, sharex=True)
    for (above, below), row in zip(axes.T, rows, strict=True):
        at = dataset.sel(cell=row.cell, hidden=hidden)
        last = row is rows[-1]
        norms = at.log_norm.median("net").transpose("gain", "lag").values
        plot.regime_map(above, at.gain.values, np.arange(at.sizes["lag"]), norms, limit=8, bar=last)
        vanish, explode = row.vanish_below[1], row.explode_beyond[1]
        above.set(xlabel="", title=f"{critical.NAMES[row.cell]}: vanish below {critical.shown(vanish, ends)}")
        below.set_title(
            f"half explode beyond {explode:.2f}" if explode < ends[1] else f"at most half explode by {ends[1]:g}"
        )
        exponents_over_gain(below, at, row, names=last)
        if row is not rows[0]:
            above.set_ylabel("")
            below.set_ylabel("")
    figure.suptitle(
        f"Gradients of {dataset.sizes['net']} undriven nets of {hidden} units: medians above, every net below",
        fontsize="medium",
    )
    return figure


def exponents_over_gain(axes: Axes, at: xarray.Dataset, row: critical.Critical, *, names: bool) -> None:
    """Plot λ₁ and the regime of every net, the gain 1/ρ(W) where a linear net would explode, and any theory."""
    first = at.exponents.isel(index=0).transpose("gain", "net").values
    plot.regime_points(axes, at.gain.values, first, at.regime.transpose("gain", "net").values, names=names, ms=3.5)
    axes.axvline(row.by_radius, ls="--", lw=1.1, color="0.35", zorder=1.6)
    axes.annotate(
        r"$1/\rho(W)$",
        (row.by_radius, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        color="0.35",
        textcoords="offset points",
        fontsize=9,
    )
    if np.isfinite(row.mean_field):
        theory = [float(rd.theory.largest_exponent(float(gain))) for gain in at.gain.values]
        axes.plot(at.gain, theory, color="black", lw=1.2, zorder=1.7, label="_theory")
        axes.annotate("mean field", (at.gain.values[-1], theory[-1]), ha="right", va="bottom", fontsize=9)
