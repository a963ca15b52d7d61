"""Axes in powers of ten, drawn from logarithms so that no norm is too large or too small, and in whole numbers."""

import math

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axis import Axis
from matplotlib.ticker import AutoLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray


class PowersOfTen(MaxNLocator):
    """Place ticks at whole powers of ten.

    An autoscaled axis spans at least one power of ten, so that a flat curve with rounding errors looks flat.
    """

    def __init__(self) -> None:
        """Aim for about six ticks."""
        super().__init__(nbins=6, integer=True)

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        """Return the limits of an autoscaled axis."""
        low, high = super().nonsingular(v0, v1)
        return (math.floor(low), math.ceil(high)) if high - low < 1 else (low, high)


def decades(logs: ArrayLike) -> NDArray[np.float64]:
    """Convert natural logarithms to log₁₀."""
    return np.asarray(logs, np.float64) / math.log(10)


def power_of_ten(power: float, _: int | None = None) -> str:
    """Write 10^power as mathematics, with decimals if the power is not whole, as on an axis that is zoomed in."""
    return f"$10^{{{round(float(power), 6) + 0.0:.10g}}}$"


def in_powers_of_ten(axis: Axis) -> None:
    """Make an axis whose values are log₁₀ show powers of ten.

    Args:
        axis: `axes.xaxis` or `axes.yaxis`. Its ticks are replaced; its values do not change.

    Example:
        >>> _, ax = plt.subplots()
        >>> lines = ax.plot([0, 1, 2], np.log10([1.0, 1e-30, 1e-60]))
        >>> rd.plot.in_powers_of_ten(ax.yaxis)
    """
    axis.set_major_locator(PowersOfTen())
    axis.set_major_formatter(FuncFormatter(power_of_ten))


def in_whole_numbers(axis: Axis) -> None:
    """Keep the ticks of a linear axis at whole numbers, even if only a few fit."""
    locator = axis.get_major_locator()
    if isinstance(locator, AutoLocator):
        locator.set_params(integer=True, min_n_ticks=1)
