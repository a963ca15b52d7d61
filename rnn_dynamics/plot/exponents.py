"""Lyapunov exponents over their index, with standard errors and reliability."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..measure import LyapunovSpectrum
from .caveats import DOUBTED, on_edge, say_hidden, say_some
from .checked_arrays import axes_of, not_negative, same_shape
from .curves import band, curve, quantile
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
    """Draw Lyapunov exponents over their index, with bars of one standard error.

        floor = λ_1 - ln(1/eps) / interval

    Below the floor, rounding hides how the frame grows. It is a dotted line, drawn only if λ_1 - min λ_i is more than
    half of ln(1/eps) / interval. Exponents that are not `reliable` are grey and hollow; if none is, the line that joins
    them is grey and dashed. On the lower edge, grey triangles mark -inf and grey crosses mark NaN and inf. Errors that
    are unknown (inf) have no bar. Call `label_ends(axes)` to write the label.

    Args:
        axes: The Axes to draw on.
        spectrum: The result of `rd.lyapunov_spectrum`: `exponents` and `stderr` of shape (k,) in nats per step,
            `reliable` of shape (k,), and the number of steps `interval`. Of a batch of nets, with a leading axis, the
            median and the band from the 0.1 to the 0.9 quantile are drawn, without error bars and floor.
        label: The name of the spectrum. Default: none.
        color: The colour of the line and the reliable points. Default: the next one of the colour cycle.
        floor: Whether to draw the floor where exponents come near it. Default: True.
        **style: Options of `axes.plot` for the points. Unreliable points stay grey and hollow.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.diag(jnp.array([1.5, 1.0, 0.5]))
        >>> spectrum = rd.lyapunov_spectrum(lambda W, h, x: W @ h, W, jnp.ones(3), None, length=100)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.lyapunov_spectrum(ax, spectrum, label="diagonal W"))
    """
    if np.ndim(spectrum.exponents) == 2:
        return _of_many(axes, spectrum, label, color, style)
    exponents, errors, reliable = _checked(spectrum)
    index, finite = np.arange(1, len(exponents) + 1), np.isfinite(exponents)
    joined: dict[str, Any] = {"color": color} if (reliable & finite).any() else {"color": DOUBTED, "ls": "--"}
    heights = np.where(finite, exponents, np.nan)
    (line,) = axes.plot(index, heights, lw=0.8, label=label or "_exponents", zorder=2, **joined)
    bars = np.where(np.isfinite(errors), errors, 0)
    # doubtful points go on top, so that reliable points of another spectrum cannot hide them
    own = {"color": line.get_color(), "zorder": 2.5, "label": "_exponents"}
    dots = {"markersize": 3.5, "markeredgewidth": 0.8, **own, **normalize_kwargs(style, Line2D)}
    rings = {**dots, "color": DOUBTED, "markerfacecolor": "none", "zorder": 2.8}
    for chosen, look in ((reliable & finite, dots), (~reliable & finite, rings)):
        _points(axes, index[chosen], exponents[chosen], bars[chosen], look)
    _without_a_height(axes, index[exponents == -np.inf], "v", r"$-\infty$")
    _without_a_height(axes, index[~finite & (exponents != -np.inf)], "x", "NaN or inf")
    if floor:
        _floor(axes, exponents, int(spectrum.interval))
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="index $i$", ylabel=r"exponent $\lambda_i$ (nats per step)")
    return axes


def _of_many(axes: Axes, spectrum: LyapunovSpectrum, label: str | None, color: Any, style: dict[str, Any]) -> Axes:
    """Draw the spectra of several nets as their median and a band; unreliable exponents count, and a note says so."""
    exponents = axes_of("spectrum.exponents", spectrum.exponents, "nets", "k").astype(float)
    reliable = same_shape("spectrum.reliable", spectrum.reliable, "spectrum.exponents", exponents.shape).astype(bool)
    index = np.arange(1, exponents.shape[1] + 1)
    color = curve(axes, index, quantile(exponents, 0.5), label=label, color=color, marker="o", ms=3.5, **style)
    band(axes, index, quantile(exponents, 0.1), quantile(exponents, 0.9), color=color)
    say_hidden(axes, index, exponents, "$i$", label=label, lowest=r"$-\infty$")
    say_some(axes, ~reliable, "not reliable", "exponents")
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="index $i$", ylabel=r"exponent $\lambda_i$ (nats per step)")
    return axes


def _checked(spectrum: LyapunovSpectrum) -> tuple[NDArray, NDArray, NDArray]:
    """Return the exponents, their errors and their reliability, with their shapes and signs checked."""
    exponents = axes_of("spectrum.exponents", spectrum.exponents, "k")
    shape = exponents.shape
    errors = not_negative(
        "spectrum.stderr", same_shape("spectrum.stderr", spectrum.stderr, "spectrum.exponents", shape)
    )
    reliable = same_shape("spectrum.reliable", spectrum.reliable, "spectrum.exponents", shape).astype(bool)
    if spectrum.interval < 1:
        raise ValueError(f"spectrum.interval: got {spectrum.interval}, expected at least 1")
    return exponents, errors, reliable


def _points(axes: Axes, index: NDArray, exponents: NDArray, bars: NDArray, look: dict[str, Any]) -> None:
    """Draw exponents as points with error bars."""
    axes.errorbar(index, exponents, bars, fmt="none", ecolor=look["color"], elinewidth=1.2, zorder=look["zorder"])
    axes.plot(index, exponents, "o", **look)


def _floor(axes: Axes, exponents: NDArray, interval: int) -> None:
    """Draw the level of rounding if exponents come near it. Whole-number exponents have none."""
    finite = exponents[np.isfinite(exponents)]
    if np.issubdtype(exponents.dtype, np.floating) and len(finite) and np.isfinite(exponents[0]):
        reach = math.log(1 / np.finfo(exponents.dtype).eps) / interval
        if exponents[0] - finite.min() > reach / 2:
            level(axes, float(exponents[0]) - reach, f"{exponents.dtype.name}: floor of rounding")


def _without_a_height(axes: Axes, index: NDArray, marker: str, name: str) -> None:
    """On the lower edge, mark exponents that have no finite height, and write what the marks mean."""
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
