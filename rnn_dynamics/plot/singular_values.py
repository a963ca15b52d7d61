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
    """The distribution of natural logarithms (depth, n) or (depth, nets, n) over T: median, bands, both extremes.

    `depth` is 1, 2, .. without being given. Without a `label` the three curves have names of their own for
    `label_ends(axes)`, with one it names the median. The thin black line is the isometry, all σ_i = 1. Zeros (-inf)
    have a triangle on the lower edge, NaN are left out, and a note says which.
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
