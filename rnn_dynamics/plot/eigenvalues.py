"""Eigenvalues in the complex plane, and the pseudospectrum that says how far they can be trusted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from .caveats import DOUBTED, note, say_some
from .checked_arrays import axes_of, not_negative, same_shape
from .labels import HALO

# contours drawn at most, the largest first; 10^0 to 10^-7 have a colour each
POWERS = 8


def eigenvalue_cloud(
    axes: Axes,
    eigenvalues: ArrayLike,
    *,
    circles: Mapping[str, float] | None = None,
    label: str | None = None,
    **style: Any,
) -> Axes:
    """Eigenvalues of any shape as points, with the unit circle and further `circles` {name: radius} about 0, dashed.

    A circle of the circular law has the radius gain for W ~ N(0, gain²/n). `style` goes to the points. What is NaN or
    infinite has no place in the plane; a note says how many.
    """
    values = np.asarray(eigenvalues).ravel()
    if not values.size:
        raise ValueError(f"eigenvalues: got shape {np.shape(eigenvalues)}, expected at least one")
    look = {"markersize": 3.0, "markeredgewidth": 0.0, **normalize_kwargs(style, Line2D)}
    seen = values[np.isfinite(values)]
    (points,) = axes.plot(seen.real, seen.imag, "o", label=label or "_eigenvalues", **look)
    whose = f"{label}: " if label else ""
    say_some(axes, np.isnan(values), f"{whose}NaN", "eigenvalues")
    say_some(axes, np.isinf(values) & ~np.isnan(values), f"{whose}infinite", "eigenvalues")
    unit_circle(axes)
    for name, radius in (circles or {}).items():
        if not 0 < radius < np.inf:
            raise ValueError(f"circles: got radius {radius!r} for {name!r}, expected a positive number")
        axes.add_patch(Circle((0, 0), radius, fill=False, ls="--", lw=1.1, color="0.35", zorder=1.9, label=name))
        _name(axes, name, radius, points.get_color())
    return _plane(axes)


def pseudospectrum(axes: Axes, grid: ArrayLike, values: ArrayLike, eigenvalues: ArrayLike) -> Axes:
    """Contours of `values` = σ_min(zI - W) on the complex `grid` at powers of ten, with the eigenvalues of W.

    Within the contour 10^-k lie the eigenvalues of all W + E with ‖E‖ < 10^-k. Values that are NaN or infinite are grey
    crosses; notes say so, and why there is no contour where there is none.
    """
    z = axes_of("grid", grid, "rows", "columns", real=False)
    smallest = not_negative("values", same_shape("values", values, "grid", z.shape))
    lost = ~np.isfinite(smallest)
    if lost.any():
        axes.plot(z.real[lost], z.imag[lost], "x", markersize=3, color=DOUBTED, label="_lost")
    say_some(axes, lost, "crosses: NaN or infinite", "points of the grid")
    _contours(axes, z, np.ma.masked_array(smallest, lost, np.result_type(smallest, np.float32)))
    eigenvalue_cloud(axes, eigenvalues, color="black")
    axes.set_aspect("equal", adjustable="box")
    axes.locator_params(nbins=5)
    for part, set_limits in ((z.real, axes.set_xlim), (z.imag, axes.set_ylim)):
        if np.ptp(part) > 0:
            set_limits(part.min(), part.max())
    return axes


def unit_circle(axes: Axes) -> None:
    """|z| = 1, once however often it is asked for."""
    if not any(patch.get_label() == "|z| = 1" for patch in axes.patches):
        axes.add_patch(Circle((0, 0), 1, fill=False, lw=1.1, color="black", zorder=1.9, label="|z| = 1"))


def _contours(axes: Axes, z: NDArray, smallest: Any) -> None:
    """The powers of ten that values of the grid lie on both sides of, the largest ones, with their names."""
    logs = np.ma.log10(np.maximum(smallest, np.finfo(smallest.dtype).tiny))
    if not logs.count():
        return
    powers = np.arange(np.floor(logs.min()) + 1, np.ceil(logs.max()))[-POWERS:]
    if min(z.shape) == 1:
        note(axes, f"no contours: a grid of {z.shape[0]} × {z.shape[1]} points")
    elif not len(powers):
        note(axes, f"no contours: no power of ten between {smallest.min():.2g} and {smallest.max():.2g}")
    else:
        contours = axes.contour(z.real, z.imag, logs, powers, cmap="viridis", vmin=1 - POWERS, vmax=3, linewidths=1.3)
        _name_powers(axes, contours, 0.1 * np.ptp(z.real))


def _name(axes: Axes, name: str, radius: float, color: Any) -> None:
    """The name of a circle, on top of it, in the colour of the points it belongs to."""
    axes.annotate(
        name,
        (0, radius),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=color,
        path_effects=HALO,
    )


def _name_powers(axes: Axes, contours: Any, smallest: float) -> None:
    """Name the longest part of each contour, the largest power first and below; specks go without a name.

    Of the points that lie farthest out in a dozen directions, each name takes the one farthest from the names so far.
    """
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    taken: list[NDArray] = []
    for power, parts, color in zip(
        contours.levels[::-1], contours.allsegs[::-1], contours.get_edgecolor()[::-1], strict=True
    ):
        longest = max(parts, key=len, default=np.zeros((1, 2)))
        if not len(longest) or np.ptp(longest, axis=0).max() < smallest:
            continue
        places = longest[np.argmax(longest @ directions, axis=0)]
        distances = [min((np.hypot(*(place - other)) for other in taken), default=-place[1]) for place in places]
        place = places[np.argmax(distances)]
        taken.append(place)
        x, y = place
        axes.text(x, y, f"$10^{{{power:.0f}}}$", color=color, ha="center", va="center", path_effects=HALO)


def _plane(axes: Axes) -> Axes:
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=r"Re $\lambda$", ylabel=r"Im $\lambda$")
    return axes
