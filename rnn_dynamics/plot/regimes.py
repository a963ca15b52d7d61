"""Maps of where gradients vanish and where they explode, over gain and lag or over any two parameters."""

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

# the most powers of ten that the colours span: a gradient beyond them is useless, however far beyond it is
REACH = 8
# the same colours as for points; in a grey print, vanishing is darker than exploding at the same distance from 0
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
    """Draw the norm of ∂h_T/∂h_{T-ℓ} over gain and lag: blue where it vanishes, red where it explodes.

    The black line, on the map and the colour bar, is where the norm is 1. Lags at which every norm is exactly 1, as at
    ℓ = 0, do not affect it. A norm of 0 (-inf) has the lowest colour, an infinite one the highest, and NaN is hatched;
    notes below the axes count them.

    Args:
        axes: The Axes to draw on.
        gain: The gains, increasing, of shape (gain,).
        lag: The lags in steps, increasing, of shape (lag,).
        log_norms: Natural logarithms of the norms, of shape (gain, lag).
        limit: The colours span 10^-limit to 10^limit. The bar has an arrow where norms lie beyond. Default: what the
            data need, between 1 and 8.
        bar: Whether to draw the colour bar. For a map without one, pass the `limit` of the neighbouring map that has
            one. Default: True.

    Returns:
        The same Axes.

    Example:
        >>> gains, lags = jnp.linspace(0.5, 1.5, 5), jnp.arange(11)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.regime_map(ax, gains, lags, jnp.log(gains)[:, None] * lags)
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
    """Draw the largest exponent over two parameters: blue where gradients vanish, red where they explode.

    The black line is λ₁ = 0. NaN is hatched; -inf and inf have the colours of the two ends, and notes below the axes
    count them. The axes have no labels: set them yourself.

    Args:
        axes: The Axes to draw on.
        x: The first parameter, increasing, of shape (x,).
        y: The second parameter, increasing, of shape (y,).
        exponents: λ₁ in nats per step, of shape (y, x).
        limit: The colours span -limit to limit, in nats per step. The bar has an arrow where exponents lie beyond.
            Default: the largest exponent, since the positive exponents are usually smaller in size than the negative
            ones, or the median of |λ₁| if that is larger.

    Returns:
        The same Axes.

    Example:
        >>> x, y = jnp.linspace(0.5, 1.5, 5), jnp.linspace(0.5, 2.0, 4)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.phase_diagram(ax, x, y, jnp.log(x * y[:, None]))
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
    """Draw the black line where `heights` cross 0, if they do."""
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
    """Return these points of a grid, or for a single point the two edges of its cell: a contour needs two."""
    return centres[those] if len(those) > 1 else edges(centres)[those[0] : those[0] + 2]
