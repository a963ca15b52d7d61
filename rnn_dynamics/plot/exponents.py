"""Lyapunov exponents over their index, each with what is known of its error."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..measure import LyapunovSpectrum
from .doubts import DOUBTED, on_edge
from .labels import level
from .shapes import axes_of, same_shape


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
    have no bar. The floor, λ_1 - ln(1/eps) / every, is where rounding hides what a frame does; it is drawn if exponents
    come within half of that distance, and `floor=False` leaves it out. `style` goes to the points that are reliable,
    its size to all of them. `label_ends(axes)` writes the label.
    """
    exponents = axes_of("spectrum.exponents", spectrum.exponents, "k")
    shape = exponents.shape
    errors = same_shape("spectrum.stderr", spectrum.stderr, "spectrum.exponents", shape)
    reliable = same_shape("spectrum.reliable", spectrum.reliable, "spectrum.exponents", shape).astype(bool)
    index, finite = np.arange(1, len(exponents) + 1), np.isfinite(exponents)
    (line,) = axes.plot(
        index, np.where(finite, exponents, np.nan), lw=0.8, color=color, label=label or "_exponents", zorder=2
    )
    color = line.get_color()
    bars = np.where(np.isfinite(errors), errors, 0)
    # doubts on top: what another spectrum on the same axes is sure of must not hide them
    dots = {"ms": 3.5, "mew": 0.8, "color": color, "zorder": 2.5, "label": "_exponents", **style}
    rings = {**dots, "color": DOUBTED, "mfc": "none", "zorder": 2.8}
    for chosen, points in ((reliable & finite, dots), (~reliable & finite, rings)):
        axes.errorbar(
            index[chosen],
            exponents[chosen],
            bars[chosen],
            fmt="none",
            ecolor=points["color"],
            elinewidth=1.2,
            zorder=points["zorder"],
        )
        axes.plot(index[chosen], exponents[chosen], "o", **points)
    _without_a_height(axes, index[exponents == -np.inf], "v", r"$-\infty$")
    _without_a_height(axes, index[~finite & (exponents != -np.inf)], "x", "NaN or inf")
    reach = math.log(1 / np.finfo(exponents.dtype).eps) / int(spectrum.every)
    if floor and finite.any() and finite[0] and exponents[0] - exponents[finite].min() > reach / 2:
        level(axes, float(exponents[0]) - reach, f"{exponents.dtype.name}: floor of rounding")
    axes.set(xlabel="index $i$", ylabel=r"exponent $\lambda_i$ (nats per step)")
    return axes


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
