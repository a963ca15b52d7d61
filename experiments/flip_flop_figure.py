"""The figure of `flip_flop`: the cube of fixed points in the space of the outputs, and the eigenvalues there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from rnn_dynamics import plot
from rnn_dynamics.plot.kinds_of_points import SADDLES, STABLE
from rnn_dynamics.plot.labels import HALO

if TYPE_CHECKING:
    from .flip_flop import Opened

# where a step along each output goes on the page: the third goes back into it
ON_PAGE = np.array([[1.0, 0.0], [0.0, 1.0], [0.52, 0.36]])
KINDS = (STABLE, *SADDLES[:3])
PLACES = ("memories", "edges", "faces", "centre")


def draw(nets: tuple[Opened, ...]) -> Figure:
    """Draw one row per net: the cube, the eigenvalues of all points in one plane, and those nearest to 1."""
    size = (11.8, 1.1 + 3.3 * len(nets))
    figure, axes = plt.subplots(len(nets), 3, figsize=size, squeeze=False, width_ratios=(1.25, 1, 1.05))
    for row, net in zip(axes, nets, strict=True):
        cube(row[0], net)
        plane(row[1], net)
        nearest(row[2], net)
    handles = [plt.Line2D([], [], marker=kind.marker, **kind.style()) for kind in KINDS]
    names = [f"{place}: {said_of(unstable)}" for unstable, place in enumerate(PLACES)]
    handles += [plt.Line2D([], [], color=SADDLES[0].color), plt.Line2D([], [], color="0.7", lw=0.7)]
    names += ["ways out of an edge", "trajectories"]
    figure.legend(handles, names, loc="outside lower left", ncols=6, fontsize=9, columnspacing=1.2)
    figure.suptitle(finding(nets), x=0.01, ha="left")
    return figure


def said_of(unstable: int) -> str:
    """Return the number of unstable directions in words."""
    return "stable" if unstable == 0 else f"{unstable} unstable{' direction' if unstable == 1 else ''}"


def finding(nets: tuple[Opened, ...]) -> str:
    """State what each net has at the corners, and what the edges separate."""
    names = " and the ".join(net.cell for net in nets)
    if all(map(is_a_cube, nets)):
        first = f"In the {names} three bits are a cube with {counts(nets[0])[0]} memories at its corners"
    else:
        first = "No cube in all: " + ", ".join(f"{counts(net)[0]} memories in the {net.cell}" for net in nets)
    edges, neighbours = (sum(numbers) for numbers in zip(*map(neighbours_of, nets), strict=True))
    each = f"each of the {edges} saddles on edges separates" if edges == neighbours else "saddles on edges separate"
    count = "" if edges == neighbours else f" ({neighbours} of {edges})"
    return f"{first};\n{each} two memories that differ in one bit{count}"


def good(net: Opened) -> np.ndarray:
    """Return which points are fixed, of a stability that is known, and near the states visited, (N,)."""
    found = net.found
    return np.asarray(found.fixed) & ~np.asarray(found.undecided) & ~np.asarray(found.outlier)


def counts(net: Opened) -> list[int]:
    """Return the numbers of fixed points with 0, 1, 2 and 3 unstable directions."""
    return [int(np.sum(good(net) & (net.found.unstable == unstable))) for unstable in range(4)]


def is_a_cube(net: Opened) -> bool:
    """Return whether there is a memory for each of the 8 patterns of bits, and a saddle for each edge, face, centre."""
    memories = net.outputs[good(net) & (net.found.unstable == 0)]
    return counts(net) == [8, 12, 6, 1] and len(np.unique(np.sign(memories), axis=0)) == 8


def neighbours_of(net: Opened) -> tuple[int, int]:
    """Return the number of edge saddles, and of those that lie between two memories that differ in one bit."""
    bits = np.sign(net.outputs[net.reached])
    differ = np.sum(bits[:, 0] != bits[:, 1], axis=1)
    return len(net.edges), int(np.sum((net.reached >= 0).all(axis=1) & (differ == 1)))


def cube(axes: Axes, net: Opened) -> None:
    """Draw the outputs at all points, along some examples, and along the ways out of the edge saddles."""
    for path in net.paths[:8] @ ON_PAGE:
        axes.plot(*path.T, color="0.85", lw=0.5, label="_path")
    for way in net.escapes.reshape(-1, *net.escapes.shape[2:]) @ ON_PAGE:
        axes.plot(*way.T, color=SADDLES[0].color, lw=1.6, label="_way")
    places = net.outputs @ ON_PAGE
    for unstable, kind in enumerate(KINDS):
        those = good(net) & (net.found.unstable == unstable)
        style = {**kind.style(), "ms": 1.25 * kind.size, "mfc": kind.color if kind.filled else "white"}
        axes.plot(*places[those].T, kind.marker, zorder=3, label="_points", **style)
    for i in np.flatnonzero(good(net) & (net.found.unstable == 0)):
        name_bits(axes, places[i], net.outputs[i])
    axes.set_aspect("equal")
    axes.margins(0.1)
    axes.set_axis_off()
    numbers = " + ".join(map(str, counts(net)))
    axes.set_title(f"{net.cell}, the outputs at {numbers} fixed points\n(corners + edges + faces + centre)")


def name_bits(axes: Axes, place: np.ndarray, output: np.ndarray) -> None:
    """Write the three bits of a memory outside of its corner."""
    side, up = np.sign(output[0]), np.sign(output[1])
    axes.annotate(
        "".join("+" if value > 0 else "−" for value in output),
        (place[0], place[1]),
        xytext=(7 * side, 9 * up),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        color=STABLE.color,
        path_effects=HALO,
        zorder=4,
    )


def plane(axes: Axes, net: Opened) -> None:
    """Draw the eigenvalues at all points in one plane."""
    plot.fixed_point_eigenvalues(axes, net.found, names=False)
    axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=(-1.1, 1.3), ylim=(-1.1, 1.1))
    axes.set_title("All eigenvalues of the Jacobians\nat these points, and the unit circle")


def nearest(axes: Axes, net: Opened) -> None:
    """Draw the three largest |eigenvalues| of each point, one row for each number of unstable directions."""
    for unstable, kind in enumerate(KINDS):
        those = good(net) & (net.found.unstable == unstable)
        values = np.abs(net.found.eigenvalues[those, :3]).ravel()
        style = {**kind.style(), "alpha": 0.8}
        axes.plot(values, np.full(len(values), unstable), kind.marker, label="_largest", **style)
    axes.axvline(1, color="black", lw=1.1)
    axes.set(yticks=range(4), yticklabels=["memory", "edge", "face", "centre"], ylim=(3.5, -0.5))
    axes.set_xlabel(r"the three largest $|\lambda|$ of each point")
    constants = net.found.time_constants[good(net) & net.found.stable, 0]
    growing = -net.found.time_constants[good(net) & (net.found.unstable == 1), 0]
    fades = f"Memory: gradients fade e-fold in {steps(constants)}" if len(constants) else "No memory"
    axes.set_title(fades + (f"\nEdge: they grow e-fold in {steps(growing)}" if len(growing) else ""))


def steps(values: ArrayLike) -> str:
    """Return the smallest and the largest of some numbers of steps in words."""
    low, high = f"{np.min(values):.0f}", f"{np.max(values):.0f}"
    return f"{low} step{'s' * (low != '1')}" if low == high else f"{low}–{high} steps"
