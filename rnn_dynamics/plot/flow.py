"""What is left of a gradient over the lag, of one net or as the quantiles of many."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .caveats import say_hidden
from .checked_arrays import a_band, increasing, with_nets
from .curves import band, curve, quantile
from .decades import decades, in_powers_of_ten, in_whole_numbers


def gradient_flow(
    axes: Axes,
    log_norms: ArrayLike,
    *,
    lag: ArrayLike | None = None,
    label: str | None = None,
    quantiles: tuple[float, float] = (0.1, 0.9),
    symbol: str = r"$\ell$",
    color: Any = None,
    **style: Any,
) -> Axes:
    """‖∂h_T/∂h_{T-ℓ}‖ over ℓ from natural logarithms (lag,) or (nets, lag): the median and a band of quantiles.

    `lag` is 0, 1, .. without being given. A norm of 0 (-inf) ends a curve with a triangle on the lower edge, and the
    band is open below where its lower quantile is 0; NaN is a gap, and nets that are NaN are left out of the quantiles.
    A note says so, in which `symbol` is that of the lag. The axis shows powers of ten. `style` goes to the curve;
    `label_ends(axes)` writes the label.
    """
    heights = decades(with_nets("log_norms", log_norms, "nets", "lag"))
    length = heights.shape[1]
    lags = increasing("lag", np.arange(length) if lag is None else lag, "log_norms", (length,))
    low, high = a_band("quantiles", quantiles)
    color = curve(axes, lags, quantile(heights, 0.5), label=label, color=color, **style)
    if len(heights) > 1:
        band(axes, lags, quantile(heights, low), quantile(heights, high), color=color)
    say_hidden(axes, lags, heights, symbol, label=label)
    in_powers_of_ten(axes.yaxis)
    if (lags == np.round(lags)).all():
        in_whole_numbers(axes.xaxis)
    axes.set(xlabel=r"lag $\ell$ (steps)", ylabel=r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
    return axes
