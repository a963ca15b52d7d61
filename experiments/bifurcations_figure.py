"""The figure of `bifurcations`: the attractor, the Lyapunov exponents and the gradient over the gain, on one axis."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.fixed_points import Branch
from rnn_dynamics.plot.bifurcations import BIFURCATIONS, COLORS, LOOKS
from rnn_dynamics.plot.decades import decades
from rnn_dynamics.plot.labels import HALO

if TYPE_CHECKING:
    from .bifurcations import Found

# an exponent this near to 0 counts as 0, in nats per step
ZERO = 0.012
# a kind of attractor counts from where it holds for so many gains
HOLDS = 3
CHAOS, LOCKED = "#FBE3D6", "C2"


def draw(found: Found) -> Figure:
    """Draw the three panels over the gain, with chaos shaded in all."""
    figure, axes = plt.subplots(3, 1, figsize=(8.8, 8.6), sharex=True, height_ratios=(1.6, 1, 1))
    at = found.attractor
    orbits(axes[0], found)
    exponents(axes[1], at)
    gradients(axes[2], at)
    for axis in axes:
        shade(axis, at)
        axis.set_xlim(at.gain.values[0], at.gain.values[-1])
    axes[2].set_xlabel("gain $g$, the spectral radius of the recurrent matrix")
    plot.label_ends(axes[1])
    plot.label_ends(axes[2], line=0.14)
    figure.suptitle(finding(found), x=0.01, ha="left")
    return figure


def kinds(at: xarray.Dataset) -> np.ndarray:
    """Name the attractor at each gain by its period or by the signs of its two largest exponents."""
    first, second = at.exponent.transpose("index", "gain").values
    error = 3 * at.stderr.transpose("index", "gain").values[0]
    closed = np.where(second > -ZERO, "torus", "closed curve")
    found = np.where(first > ZERO + error, "chaos", np.where(first > -ZERO, closed, "cycle"))
    found = found.astype(object)
    for i, period in enumerate(at.period.values):
        if period:
            found[i] = "fixed point" if period == 1 else f"{period}-cycle"
    return found


def regimes(at: xarray.Dataset) -> list[tuple[float, float, str, float]]:
    """Return stretches of gains with one kind of attractor, with the median gradient in powers of ten."""
    gains, powers = at.gain.values, decades(at.log_norm.values)
    found, start = [], 0
    for name, group in itertools.groupby(kinds(at)):
        stop = start + len(list(group))
        found.append((gains[start], gains[stop - 1], str(name), float(np.median(powers[start:stop]))))
        start = stop
    return found


def held(at: xarray.Dataset) -> list[tuple[float, float, str]]:
    """Return the stretches that hold for some gains, cycles of more than two states under one name; joined if alike."""
    names = ["locked cycle" if "cycle" in name and name != "2-cycle" else name for name in kinds(at)]
    found: list[tuple[float, float, str]] = []
    start = 0
    for name, group in itertools.groupby(names):
        stop = start + len(list(group))
        first, last = at.gain.values[start], at.gain.values[stop - 1]
        start, long = stop, len(names) < 4 * HOLDS or stop - start >= HOLDS
        if found and found[-1][2] == name:
            found[-1] = (found[-1][0], last, name)
        elif long:
            found.append((first, last, name))
    return found


def of_the_origin(found: Found) -> list[Branch]:
    """Return the branch of the origin and those of the 2-cycles that leave it."""
    return [one for one in found.branches if one.parent < 0 or (one.parent == 0 and one.period == 2)]


def finding(found: Found) -> str:
    """State the route to chaos in the order of the gain, each kind once."""
    at = found.attractor
    first: dict[str, float] = {}
    for start, _, name in held(at):
        first.setdefault(name, start)
    first.pop("locked cycle", None)
    located = [one.value for branch in of_the_origin(found) for one in branch.bifurcations]
    step = at.gain.values[1] - at.gain.values[0]
    words = []
    for name, start in first.items():
        # the attractor is seen to have changed at the first gain after the point
        exact = [value for value in located if start - 1.5 * step < value <= start + 0.5 * step]
        words.append(f"{name} from {min(exact):.2f}" if exact else f"{name} from {start:.2f}")
    words[0] = words[0].split(" from")[0]
    return f"A growing gain takes this net to {where_it_ends(at)}:\n{', '.join(words)}"


def where_it_ends(at: xarray.Dataset) -> str:
    """State whether there is chaos, and whether the median gradient there is larger than any elsewhere."""
    if "chaos" not in [name for _, _, name in held(at)]:
        return "other attractors"
    chaos = kinds(at) == "chaos"
    grown = at.log_norm.values
    return "chaos, where gradients explode" if np.median(grown[chaos]) > grown[~chaos].max(initial=0) else "chaos"


def shade(axes: Axes, at: xarray.Dataset) -> None:
    """Shade the gains with chaos."""
    half = (at.gain.values[1] - at.gain.values[0]) / 2
    for first, last, name, _ in regimes(at):
        if name == "chaos":
            axes.axvspan(first - half, last + half, color=CHAOS, lw=0, zorder=0)


def orbits(axes: Axes, found: Found) -> None:
    """Draw the orbit at every gain as dots, and the branches on top."""
    at = found.attractor
    leading = at.leading.values
    heights = at.orbit.values @ leading
    gains = np.repeat(at.gain.values, heights.shape[1])
    axes.plot(gains, heights.ravel(), ".", color="0.35", ms=1.5, mew=0, label="_orbit")
    component = partial(np.dot, leading)
    plot.bifurcation_diagram(axes, of_the_origin(found), component=component, label=False)
    for branch in found.locked:
        locked(axes, branch, leading)
    axes.set(xlabel="", ylabel=r"$u\cdot h$, $u$ the leading left eigenvector of $W$")
    reach = np.abs(heights).max()
    axes.set_ylim(-1.15 * reach, 1.75 * reach)  # with room for the legend
    name_regimes(axes, at)
    name_curves(axes)
    axes.set_title("The attractor, and the fixed points and cycles that lose their stability", pad=20)


def name_curves(axes: Axes) -> None:
    """Write the legend of the curves and markers above them."""
    fixed, cycles = COLORS[:2]
    named: dict[str, dict[str, Any]] = {
        "attractor": {"marker": ".", "ls": "none", "color": "0.35", "ms": 4},
        "locked cycle": {"color": LOCKED, "lw": 1.0},
        "stable fixed point": {"color": fixed, **LOOKS["stable"]},
        "unstable fixed point": {"color": fixed, **LOOKS["unstable"]},
        "stable 2-cycle": {"color": cycles, **LOOKS["stable"]},
        "unstable 2-cycle": {"color": cycles, **LOOKS["unstable"]},
    }
    for kind in ("flip", "neimark_sacker", "branch"):
        name, marker = BIFURCATIONS[kind]
        named[name] = {"marker": marker, "ls": "none", "color": "black", "mfc": "white", "mew": 1.3, "ms": 6}
    handles = [plt.Line2D([], [], **style) for style in named.values()]
    axes.legend(handles, list(named), loc="upper left", ncols=3, fontsize=9)


def locked(axes: Axes, branch: Branch, leading: np.ndarray) -> None:
    """Draw the stable cycles of a window."""
    heights = np.where(np.asarray(branch.stable)[:, None], np.asarray(branch.points) @ leading, np.nan)
    axes.plot(branch.values, heights, color="C2", lw=1.0, label="_locked")
    stable = np.abs(np.asarray(branch.multipliers)).max(axis=1) < 1
    heights = np.where(stable[:, None], np.asarray(branch.points) @ leading, np.nan)
    axes.plot(branch.values, heights, color=LOCKED, lw=1.0, label="_locked")


def name_regimes(axes: Axes, at: xarray.Dataset) -> None:
    """Write above the axes what the attractor is, where there is room."""
    for first, last, name in held(at):
        if last - first > 0.0082 * len(name) * np.ptp(at.gain.values):
            style: dict[str, Any] = {"ha": "center", "fontsize": 9, "path_effects": HALO, "textcoords": "offset points"}
            place = ((first + last) / 2, 1.0)
            axes.annotate(name, place, xycoords=axes.get_xaxis_transform(), xytext=(0, 4), **style)


def exponents(axes: Axes, at: xarray.Dataset) -> None:
    """Draw the two largest exponents with their standard errors."""
    for index, name in ((1, r"$\lambda_2$"), (0, r"$\lambda_1$")):
        value, error = at.exponent.isel(index=index).values, at.stderr.isel(index=index).values
        axes.fill_between(at.gain.values, value - error, value + error, color=f"C{index}", alpha=0.3, lw=0)
        axes.plot(at.gain.values, value, color=f"C{index}", lw=1.1, label=name)
    axes.axhspan(-ZERO, ZERO, color="0.85", lw=0, zorder=0.5)
    axes.axhline(0, color="black", lw=1)
    top = at.exponent.values.max()
    axes.set_ylim(-max(0.15, 0.9 * top), max(1.15 * top, 0.03))
    axes.set_ylabel("exponents (nats per step)")
    axes.set_title(
        "Lyapunov exponents (within the grey band one counts as 0)\n"
        r"$\lambda_1 = 0$: closed curve, $\lambda_1 = \lambda_2 = 0$: torus, $\lambda_1 > 0$: chaos (shaded)"
    )


def gradients(axes: Axes, at: xarray.Dataset) -> None:
    """Draw how much of a gradient is left after some steps, measured and by the largest exponent."""
    lags = at.lags
    axes.plot(
        at.gain.values,
        decades(lags * at.exponent.isel(index=0).values),
        color="0.6",
        lw=1.0,
        label=rf"$e^{{{lags}\lambda_1}}$",
    )
    axes.plot(at.gain.values, decades(at.log_norm.values), color="C2", lw=1.1, label="measured")
    axes.axhline(0, color="black", lw=1)
    plot.in_powers_of_ten(axes.yaxis)
    axes.set_ylabel(rf"$\Vert\partial h_T/\partial h_{{T-{lags}}}\Vert$")
    chaos = kinds(at) == "chaos"
    powers = decades(at.log_norm.values)
    said = f"in chaos it grows up to $10^{{{powers[chaos].max():.0f}}}$" if chaos.any() else "no chaos"
    most = f"$10^{{{powers[~chaos].max():.1f}}}$"
    axes.set_title(f"A gradient over {lags} steps (median along the orbit): elsewhere at most {most}, {said}")
