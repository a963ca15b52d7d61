"""Heights in powers of ten, from natural logarithms: no norm is too large or too small for the paper. Whole steps."""

import math

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axis import Axis
from matplotlib.ticker import AutoLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray


class PowersOfTen(MaxNLocator):
    """Ticks at whole powers of ten. An axis that scales itself spans one at least: rounding of a flat curve is flat."""

    def __init__(self) -> None:
        """Some six of them."""
        super().__init__(nbins=6, integer=True)

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        """The limits of an axis that scales itself."""
        low, high = super().nonsingular(v0, v1)
        return (math.floor(low), math.ceil(high)) if high - low < 1 else (low, high)


def decades(logs: ArrayLike) -> NDArray[np.float64]:
    """log₁₀ from natural logarithms."""
    return np.asarray(logs, np.float64) / math.log(10)


def power_of_ten(power: float, _: int | None = None) -> str:
    """10^power as mathematics; between whole powers, where an axis was drawn out that far, with its decimals."""
    return f"$10^{{{round(float(power), 6) + 0.0:.10g}}}$"


def in_powers_of_ten(axis: Axis) -> None:
    """Let an axis whose heights are log₁₀ show powers of ten."""
    axis.set_major_locator(PowersOfTen())
    axis.set_major_formatter(FuncFormatter(power_of_ten))


def in_whole_numbers(axis: Axis) -> None:
    """Let a linear axis that counts have no ticks between two whole numbers, however few it shows."""
    locator = axis.get_major_locator()
    if isinstance(locator, AutoLocator):
        locator.set_params(integer=True, min_n_ticks=1)
