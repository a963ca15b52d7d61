"""The figure of `integrator`: the line in state space, the drift along it, and the time constants along and across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.fixed_points import SlowManifolds
from rnn_dynamics.plot.kinds_of_points import SADDLES, STABLE, Kind

if TYPE_CHECKING:
    from .integrator import Opened

SHOWN = 12  # trajectories


class Line(NamedTuple):
    """The states on a line, in the order of the sum that the net reads from them.

    Attributes:
        points: (N, n) the states.
        sums: (N,) what the net reads from them.
        drift: (N,) how far one step without input moves that, in its own units.
        along: (N,) the time constant of the slow direction, 1/|ln |λ||, in steps.
        across: (N,) that of the slowest other direction.
        share: The share of the candidates that were brought onto the line.
    """

    points: np.ndarray
    sums: np.ndarray
    drift: np.ndarray
    along: np.ndarray
    across: np.ndarray
    share: float

    def slope(self, value: float) -> float:
        """Return the slope of the drift over the sum near a value: of a parabola through the seven nearest states."""
        near = np.argsort(np.abs(self.sums - value))[:7]
        return float(np.polyfit(self.sums[near] - value, self.drift[near], 2)[1])


def line_of(slow: SlowManifolds, V: np.ndarray, c: float) -> Line:
    """Return the first line of a result, seen through the readout V h + c."""
    on = np.flatnonzero(slow.manifold == 0)
    on = on[np.argsort(slow.points[on] @ V, kind="stable")]
    # the slow eigenvalue is the one nearest to 1
    values = slow.eigenvalues[on]
    nearest = np.abs(values - 1).argmin(axis=1)
    constants = 1 / np.maximum(np.abs(np.log(np.maximum(np.abs(values), 1e-300))), 1e-12)
    rows = np.arange(len(on))
    along = constants[rows, nearest]
    constants[rows, nearest] = 0
    return Line(
        np.asarray(slow.points[on]),
        np.asarray(slow.points[on] @ V + c),
        np.asarray(slow.drift[on] @ V),
        along,
        constants.max(axis=1),
        float(slow.share[0]),
    )


def draw(nets: tuple[Opened, ...]) -> Figure:
    """Draw one row per net: state space, drift, time constants."""
    size = (11.2, 1.0 + 3.1 * len(nets))
    figure, axes = plt.subplots(len(nets), 3, figsize=size, squeeze=False, width_ratios=(1.1, 1.15, 1))
    for row, net in zip(axes, nets, strict=True):
        space(row[0], net)
        drifts(row[1], net)
        constants(row[2], net)
    names = ("stable fixed point", "fixed point, 1 unstable direction")
    handles = [plt.Line2D([], [], marker=kind.marker, **kind.style()) for kind in (STABLE, SADDLES[0])]
    handles.append(plt.Line2D([], [], color="black"))
    figure.legend(handles, [*names, "the line, without input"], loc="outside lower left", ncols=3, fontsize=9)
    figure.suptitle(finding(nets), x=0.01, ha="left")
    return figure


def finding(nets: tuple[Opened, ...]) -> str:
    """State the time constants along the line and across it."""
    said = [
        f"{net.cell} {rounded(np.median(net.line.along))} and {np.median(net.line.across):.0f} steps" for net in nets
    ]
    return (
        "A net that integrates holds the sum on a line of slow states. Time constants\n"
        f"along and across it: {', '.join(said)} (medians)"
    )


def rounded(value: float) -> str:
    """Return a number with two digits."""
    return f"{float(f'{value:.2g}'):.0f}"


def fixed(net: Opened) -> list[tuple[np.ndarray, Kind]]:
    """Return the fixed points near the states visited: which are stable, and which have one unstable direction."""
    seen = net.found.fixed & ~net.found.outlier & ~net.found.undecided
    kinds = (STABLE, SADDLES[0])
    return [(np.flatnonzero(seen & (net.found.unstable == count)), kind) for count, kind in enumerate(kinds)]


def marks(axes: Axes, net: Opened, places: np.ndarray) -> None:
    """Draw the fixed points at places, (N, 2)."""
    for those, kind in fixed(net):
        style = {**kind.style(), "mfc": kind.color if kind.filled else "white"}
        axes.plot(*places[those].T, kind.marker, zorder=4, label="_fixed", **style)


def space(axes: Axes, net: Opened) -> None:
    """Draw the line in the plane of its own two principal components, with trajectories coloured by their sum."""
    mean = net.line.points.mean(axis=0)
    _, _, directions = np.linalg.svd(net.line.points - mean, full_matrices=False)
    # the sum grows to the right
    signs = np.sign((net.line.points[-1] - net.line.points[0]) @ directions[:2].T)
    directions = directions[:2] * np.where(signs == 0, 1, signs)[:, None]

    def placed(states: np.ndarray) -> np.ndarray:
        return (states - mean) @ directions.T

    seen = slice(None, SHOWN), slice(None, None, 3)
    paths = placed(net.paths[seen])
    across, up = paths.reshape(-1, 2).T
    style: dict[str, Any] = {"s": 5, "cmap": "viridis", "vmin": -2, "vmax": 2, "lw": 0}
    dots = axes.scatter(across, up, c=net.sums[seen].ravel(), **style)
    axes.figure.colorbar(dots, ax=axes, label="sum that the net outputs", ticks=[-2, 0, 2], shrink=0.8)
    axes.plot(*placed(net.line.points).T, color="black", lw=1.4, zorder=3, label="_line")
    marks(axes, net, placed(net.found.points))
    axes.set(xlabel="PC 1 of the line", ylabel="PC 2 (enlarged)")
    axes.set_title(f"{net.cell}: states while it integrates\n(root mean square error {net.loss**0.5:.2g})")


def drifts(axes: Axes, net: Opened) -> None:
    """Draw how far a step moves the sum along the line, and the slope that the eigenvalue at a fixed point gives."""
    line = net.line
    axes.axhline(0, color="black", lw=1)
    axes.plot(line.sums, 1e3 * line.drift, color="black", lw=1.4, label="_drift")
    wide, high = 0.09 * np.ptp(line.sums), 0.35e3 * np.ptp(line.drift)
    for those, kind in fixed(net):
        for i in those:
            slope = 1e3 * (net.found.eigenvalues[i, 0].real - 1)
            ends = net.values[i] + min(wide, high / max(abs(slope), 1e-300)) * np.array([-1, 1])
            axes.plot(
                ends, slope * (ends - net.values[i]), color=kind.color, lw=2.2, alpha=0.8, zorder=3.5, label="_slope"
            )
    marks(axes, net, np.stack([net.values, np.zeros(len(net.values))], axis=1))
    within = np.abs(line.sums) < 1
    axes.set(xlabel="sum held", ylabel=r"drift of the sum per step ($10^{-3}$)")
    most = np.abs(line.drift[within]).max() if within.any() else np.nan
    axes.set_title(
        f"Without input a sum within ±1 drifts by at most\n{most:.1g} per step (lines: $\\lambda - 1$ at fixed points)"
    )


def constants(axes: Axes, net: Opened) -> None:
    """Draw the time constants along and across the line."""
    line = net.line
    axes.semilogy(line.sums, line.along, color="black", lw=1.4, label="along")
    axes.semilogy(line.sums, line.across, color="C4", lw=1.4, label="across")
    axes.set(xlabel="sum held", ylabel=r"time constant $1/|\ln|\lambda||$ (steps)")
    axes.set_ylim(1, 1e5)
    ratio = np.median(line.along) / np.median(line.across)
    axes.set_title(f"Along the line a state moves {rounded(ratio)} times\nslower than across (medians)")
    plot.label_ends(axes)
