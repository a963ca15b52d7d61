"""Numbers as colours over a grid, with a bar that names them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from .caveats import note, say_some
from .decades import PowersOfTen, power_of_ten

# a cell of an exact 0 where zeros have a colour of their own, and one of NaN with its hatch
ZERO, MISSING, HATCH = "0.72", "0.92", "0.55"


def heat_map(
    axes: Axes,
    x: NDArray,
    y: NDArray,
    heights: NDArray,
    limits: tuple[float, float],
    *,
    cmap: str | Colormap,
    name: str,
    powers: bool = True,
    bar: bool = True,
    lowest: str = "exactly 0",
) -> Any:
    """`heights` (y, x) as colours between `limits`; returns their bar, if there is one. With `powers` they are log₁₀.

    What lies beyond the limits has the colour of the end, and the bar an arrow there. NaN is hatched. Notes say so, and
    what is infinite; `lowest` is what -inf means.
    """
    low, high = limits
    columns, rows = edges(x), edges(y)
    mesh = axes.pcolormesh(columns, rows, np.clip(heights, low, high), cmap=cmap, vmin=low, vmax=high, shading="flat")
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    extend = beyond[bool((heights < low).any()), bool((heights > high).any())]
    ticks: dict[str, Any] = {"ticks": PowersOfTen(), "format": FuncFormatter(power_of_ten)} if powers else {}
    drawn = axes.figure.colorbar(mesh, ax=axes, extend=extend, label=name, **ticks) if bar else None
    missing = np.isnan(heights)
    hatch(axes, columns, rows, missing)
    if missing.any():
        note(axes, f"hatched: NaN, {missing.sum()} cells")
    say_some(axes, heights == -np.inf, f"in the lowest colour: {lowest}", "cells")
    say_some(axes, heights == np.inf, r"in the highest colour: $\infty$", "cells")
    axes.grid(False)
    return drawn


def edges(centres: NDArray) -> NDArray:
    """Half way between neighbours, so that a cell of a grid that is not uniform holds what is nearest to its point."""
    if len(centres) == 1:
        return centres[0] + np.array([-0.5, 0.5])
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])


def hatch(axes: Axes, columns: NDArray, rows: NDArray, cells: NDArray) -> None:
    """Grey stripes over some cells of a grid with these edges."""
    corners = [
        [(columns[j], rows[i]), (columns[j + 1], rows[i]), (columns[j + 1], rows[i + 1]), (columns[j], rows[i + 1])]
        for i, j in np.argwhere(cells)
    ]
    if corners:
        style: dict[str, Any] = {"facecolor": MISSING, "edgecolor": HATCH, "hatch": "/////", "linewidth": 0}
        axes.add_collection(PolyCollection(corners, label="_missing", **style))


def zeros(axes: Axes, columns: NDArray, rows: NDArray, cells: NDArray) -> None:
    """A grey outside the colours of the map for cells that are exactly 0, with a note."""
    if cells.any():
        shown = np.where(cells, 0.0, np.nan)
        axes.pcolormesh(columns, rows, shown, cmap=ListedColormap([ZERO]), vmin=0, vmax=1, shading="flat")
        note(axes, f"grey: exactly 0, {cells.sum()} cells")
