"""Lyapunov exponents over their index, each with what is known of its error."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..measure import LyapunovSpectrum
from .caveats import DOUBTED, on_edge
from .checked_arrays import axes_of, not_negative, same_shape
from .decades import in_whole_numbers
from .labels import level


def lyapunov_spectrum(
    axes: Axes,
    spectrum: LyapunovSpectrum,
    *,
    label: str | None = None,
    color: Any = None,
    floor: bool = True,
    **style: Any,
) -> Axes:
    """λ_i over i = 1 .. k with standard errors; exponents that are not `reliable` are grey and hollow.

    Exponents of -inf are grey triangles, NaN and inf grey crosses on the lower edge. Errors that are not known (inf)
    have no bar. Where none is reliable the line that joins them is grey too. The floor, λ_1 - ln(1/eps) / every, is
    where rounding hides what a frame does; it is drawn if exponents come within half of that distance, and
    `floor=False` leaves it out. `style` goes to the points that are reliable, its size to all of them.
    `label_ends(axes)` writes the label.
    """
    exponents, errors, reliable = _checked(spectrum)
    index, finite = np.arange(1, len(exponents) + 1), np.isfinite(exponents)
    joined: dict[str, Any] = {"color": color} if (reliable & finite).any() else {"color": DOUBTED, "ls": "--"}
    heights = np.where(finite, exponents, np.nan)
    (line,) = axes.plot(index, heights, lw=0.8, label=label or "_exponents", zorder=2, **joined)
    bars = np.where(np.isfinite(errors), errors, 0)
    # doubts on top: what another spectrum on the same axes is sure of must not hide them
    own = {"color": line.get_color(), "zorder": 2.5, "label": "_exponents"}
    dots = {"markersize": 3.5, "markeredgewidth": 0.8, **own, **normalize_kwargs(style, Line2D)}
    rings = {**dots, "color": DOUBTED, "markerfacecolor": "none", "zorder": 2.8}
    for chosen, look in ((reliable & finite, dots), (~reliable & finite, rings)):
        _points(axes, index[chosen], exponents[chosen], bars[chosen], look)
    _without_a_height(axes, index[exponents == -np.inf], "v", r"$-\infty$")
    _without_a_height(axes, index[~finite & (exponents != -np.inf)], "x", "NaN or inf")
    if floor:
        _floor(axes, exponents, int(spectrum.every))
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="index $i$", ylabel=r"exponent $\lambda_i$ (nats per step)")
    return axes


def _checked(spectrum: LyapunovSpectrum) -> tuple[NDArray, NDArray, NDArray]:
    """Exponents, their errors, and which are reliable."""
    exponents = axes_of("spectrum.exponents", spectrum.exponents, "k")
    shape = exponents.shape
    errors = not_negative(
        "spectrum.stderr", same_shape("spectrum.stderr", spectrum.stderr, "spectrum.exponents", shape)
    )
    reliable = same_shape("spectrum.reliable", spectrum.reliable, "spectrum.exponents", shape).astype(bool)
    if spectrum.every < 1:
        raise ValueError(f"spectrum.every: got {spectrum.every}, expected at least 1")
    return exponents, errors, reliable


def _points(axes: Axes, index: NDArray, exponents: NDArray, bars: NDArray, look: dict[str, Any]) -> None:
    """Exponents with a bar on either side."""
    axes.errorbar(index, exponents, bars, fmt="none", ecolor=look["color"], elinewidth=1.2, zorder=look["zorder"])
    axes.plot(index, exponents, "o", **look)


def _floor(axes: Axes, exponents: NDArray, every: int) -> None:
    """The level below which rounding hides the rest, if exponents come near it. Whole numbers were not rounded."""
    finite = exponents[np.isfinite(exponents)]
    if np.issubdtype(exponents.dtype, np.floating) and len(finite) and np.isfinite(exponents[0]):
        reach = math.log(1 / np.finfo(exponents.dtype).eps) / every
        if exponents[0] - finite.min() > reach / 2:
            level(axes, float(exponents[0]) - reach, f"{exponents.dtype.name}: floor of rounding")


def _without_a_height(axes: Axes, index: NDArray, marker: str, name: str) -> None:
    """Marks on the lower edge, with the name of what stands there."""
    if len(index):
        on_edge(axes, index, marker)
        axes.annotate(
            name,
            (index[0], 0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-5, 3),
            textcoords="offset points",
            ha="right",
            color=DOUBTED,
            fontsize=9,
        )
