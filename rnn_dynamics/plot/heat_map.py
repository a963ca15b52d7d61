"""Numbers as colours over a grid, with a colour bar."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from .caveats import note, say_some
from .decades import PowersOfTen, power_of_ten

# the greys of an exact 0 (where zeros have their own colour), of NaN, and of the hatching of NaN
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
    """Draw `heights` (y, x) as colours between `limits`, and return the colour bar, or None without one.

    With `powers`, heights are log₁₀ and the bar shows powers of ten. Values beyond the limits have the colour of that
    end, and the bar has an arrow there. NaN is hatched. Notes count NaN and infinite values; `lowest` says what -inf
    means.
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
    """Return cell edges halfway between neighbours, so that each cell of an uneven grid holds what is nearest to it."""
    if len(centres) == 1:
        return centres[0] + np.array([-0.5, 0.5])
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])


def hatch(axes: Axes, columns: NDArray, rows: NDArray, cells: NDArray) -> None:
    """Draw grey stripes over some cells of a grid with these edges."""
    corners = [
        [(columns[j], rows[i]), (columns[j + 1], rows[i]), (columns[j + 1], rows[i + 1]), (columns[j], rows[i + 1])]
        for i, j in np.argwhere(cells)
    ]
    if corners:
        style: dict[str, Any] = {"facecolor": MISSING, "edgecolor": HATCH, "hatch": "/////", "linewidth": 0}
        axes.add_collection(PolyCollection(corners, label="_missing", **style))


def zeros(axes: Axes, columns: NDArray, rows: NDArray, cells: NDArray) -> None:
    """Draw cells that are exactly 0 in a grey that the colour map does not contain, and note how many there are."""
    if cells.any():
        shown = np.where(cells, 0.0, np.nan)
        axes.pcolormesh(columns, rows, shown, cmap=ListedColormap([ZERO]), vmin=0, vmax=1, shading="flat")
        note(axes, f"grey: exactly 0, {cells.sum()} cells")
