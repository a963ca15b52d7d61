"""Where gradients vanish and where they explode: maps over gain and lag, and over any two parameters."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from .checked_arrays import axes_of, increasing
from .decades import decades, in_whole_numbers
from .heat_map import edges, heat_map
from .points import EXPLODING, VANISHING

# powers of ten that the colours reach at most: beyond them a gradient is of no use, by how much says little
REACH = 8
# the colours of the points; in a print without colours what vanishes is darker than what explodes, at equal strength
COLORS = LinearSegmentedColormap.from_list(
    "regimes", [(0, "#00305E"), (0.25, VANISHING), (0.5, "white"), (1, EXPLODING)]
)


def regime_map(
    axes: Axes,
    gain: ArrayLike,
    lag: ArrayLike,
    log_norms: ArrayLike,
    *,
    limit: float | None = None,
    bar: bool = True,
) -> Axes:
    """‖∂h_T/∂h_{T-ℓ}‖ from natural logarithms (gain, lag): blue where it vanishes, red where it explodes.

    Colours reach from 10^-limit to 10^limit, with arrows on the bar where norms lie beyond; None takes what the data
    need, up to 8; without a `bar` give the limit of a map beside it that has one. The black line, on map and bar, is
    where the norm is 1; lags at which every one is exactly 1, as at ℓ = 0, do not bend it. A norm of 0 (-inf) has the
    lowest colour, an infinite one the highest, NaN is hatched; notes say so.
    """
    logs = axes_of("log_norms", log_norms, "gain", "lag")
    gains = increasing("gain", gain, "the first axis of log_norms", logs.shape[:1])
    lags = increasing("lag", lag, "the second axis of log_norms", logs.shape[1:])
    if limit is not None and not 0 < limit < np.inf:
        raise ValueError(f"limit: got {limit!r}, expected a positive number of powers of ten")
    heights = decades(logs).T
    sizes = np.abs(heights[np.isfinite(heights)])
    limit = limit or float(np.clip(np.ceil(sizes.max(initial=0)), 1, REACH))
    name = r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$"
    colors = heat_map(axes, gains, lags, heights, (-limit, limit), cmap=COLORS, name=name, bar=bar)
    _critical_line(axes, colors, gains, lags, np.clip(heights, -1000 * limit, 1000 * limit))
    in_whole_numbers(axes.yaxis)
    axes.set(xlabel="gain $g$", ylabel=r"lag $\ell$ (steps)")
    return axes


def phase_diagram(axes: Axes, x: ArrayLike, y: ArrayLike, exponents: ArrayLike, *, limit: float | None = None) -> Axes:
    """λ₁ (y, x) over two parameters: blue where gradients vanish, red where they explode, a black line at λ₁ = 0.

    Colours reach from -limit to limit, by default as far as the positive exponents do, since these are the smaller
    ones, but no less far than half of all exponents; the bar has an arrow where exponents lie beyond. NaN is hatched,
    -inf and inf have the colours of the ends; notes say so. The caller names the axes.
    """
    heights = axes_of("exponents", exponents, "y", "x").astype(float)
    across = increasing("x", x, "the second axis of exponents", heights.shape[1:])
    up = increasing("y", y, "the first axis of exponents", heights.shape[:1])
    finite = heights[np.isfinite(heights)]
    if limit is None:
        sizes = np.abs(finite) if len(finite) else np.ones(1)
        limit = float(max(finite.max(initial=0), np.median(sizes)) or sizes.max() or 1)
    if not 0 < limit < np.inf:
        raise ValueError(f"limit: got {limit!r}, expected a positive number of nats per step")
    name = r"largest exponent $\lambda_1$ (nats per step)"
    style: dict[str, Any] = {"cmap": COLORS, "name": name, "powers": False, "lowest": r"$-\infty$"}
    bar = heat_map(axes, across, up, heights, (-limit, limit), **style)
    _critical_line(axes, bar, across, up, np.clip(heights, -1000 * limit, 1000 * limit))
    return axes


def _critical_line(axes: Axes, bar: Any, gains: NDArray, lags: NDArray, heights: NDArray) -> None:
    """Black where the norm is 1, if it is somewhere between two points of the grid."""
    bent = np.flatnonzero((heights != 0).any(axis=1))
    known = heights[~np.isnan(heights)]
    if len(known) and known.min() < 0 < known.max():
        across, up = _wide(gains, np.arange(len(gains))), _wide(lags, bent)
        shown = np.ma.masked_invalid(np.broadcast_to(heights[bent], (len(up), len(across))))
        lines = axes.contour(across, up, shown, [0.0], colors="black", linewidths=1.6)
        lines.set_path_effects([withStroke(linewidth=3, foreground="white")])
        if bar:
            bar.add_lines(lines)


def _wide(centres: NDArray, those: NDArray) -> NDArray:
    """Those points of a grid; one alone becomes the two edges of its cell, across which a line can be drawn."""
    return centres[those] if len(those) > 1 else edges(centres)[those[0] : those[0] + 2]
