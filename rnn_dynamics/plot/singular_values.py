"""The singular values of ∂h_T/∂h_0 over T: all near 1 (an isometry), or some that vanish while others explode."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .caveats import say_hidden
from .checked_arrays import a_band, increasing, with_nets
from .curves import band, curve, quantile
from .decades import decades, in_powers_of_ten, in_whole_numbers


def singular_values(
    axes: Axes,
    log_values: ArrayLike,
    *,
    depth: ArrayLike | None = None,
    label: str | None = None,
    quantiles: tuple[tuple[float, float], ...] = ((0.1, 0.9), (0.25, 0.75)),
    color: Any = None,
) -> Axes:
    """Draw the distribution of the singular values of ∂h_T/∂h_0 over T: median, bands and both extremes.

    The values of all nets are pooled. The y axis shows powers of ten. The thin black line marks an isometry, all
    σ_i = 1. Where a curve falls to 0 (-inf), a triangle marks the lower edge; NaN is left out. A note below the axes
    says so. Call `label_ends(axes)` to name the curves.

    Args:
        axes: The Axes to draw on.
        log_values: Natural logarithms of the singular values, such as those from `rd.log_singular_values`, of shape
            (depth, n) or (depth, nets, n).
        depth: The depths T in steps, increasing, of shape (depth,). Default: 1, 2, 3, ..
        label: The name of the median. Default: the three curves are named "median", "largest" and "smallest".
        quantiles: A (lower, upper) pair for each band. Default: 0.1 to 0.9 and 0.25 to 0.75.
        color: The colour of the curves and bands. Default: the next one of the colour cycle.

    Returns:
        The same Axes.

    Example:
        >>> T = jnp.arange(1, 11)
        >>> log_values = T[:, None] * jnp.log(jnp.array([2.0, 1.0, 0.5]))  # of diag(2, 1, 0.5) to the power T
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.singular_values(ax, log_values))
    """
    heights = decades(with_nets("log_values", log_values, "depth", "nets", "n"))
    length = len(heights)
    T = increasing("depth", np.arange(1, length + 1) if depth is None else depth, "log_values", (length,))
    bands = [a_band("quantiles", shares) for shares in quantiles]
    pooled = heights.reshape(length, -1).T
    axes.axhline(0, lw=0.8, color="black", zorder=1.5, label="_isometry")
    color = curve(axes, T, quantile(pooled, 0.5), label=label or "median", color=color)
    if len(pooled) > 1:
        for low, high in bands:
            band(axes, T, quantile(pooled, low), quantile(pooled, high), color=color)
        for share, word in ((1.0, "largest"), (0.0, "smallest")):
            name = f"_{word}" if label else word
            curve(axes, T, quantile(pooled, share), label=name, color=color, lw=0.9, ls=(0, (4, 1.5)))
    say_hidden(axes, T, pooled, "$T$", label=label, unit="singular values")
    in_powers_of_ten(axes.yaxis)
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="depth $T$ (steps)", ylabel=r"singular values $\sigma_i(\partial h_T\,/\,\partial h_0)$")
    return axes
