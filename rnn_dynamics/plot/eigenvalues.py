"""Eigenvalues in the complex plane, and the pseudospectrum, which shows how sensitive they are."""

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

# the largest number of contours, starting at the highest; 10^0 to 10^-7 each have their own colour
POWERS = 8


def eigenvalue_cloud(
    axes: Axes,
    eigenvalues: ArrayLike,
    *,
    circles: Mapping[str, float] | None = None,
    label: str | None = None,
    **style: Any,
) -> Axes:
    """Draw eigenvalues as points in the complex plane, with the unit circle.

    Dashed circles about 0 can be added. For W with entries drawn from N(0, gain²/n) the circular law has the radius
    `gain`. NaN and infinite eigenvalues cannot be drawn; a note below the axes counts them.

    Args:
        axes: The Axes to draw on.
        eigenvalues: Complex or real numbers of any shape.
        circles: The dashed circles as {name: radius}. Each name is written above its circle. Default: none.
        label: The name of these eigenvalues in a legend and in the notes.
        **style: Options of `axes.plot` for the points.

    Returns:
        The same Axes.

    Example:
        >>> W = 1.5 * jax.random.normal(key, (20, 20)) / jnp.sqrt(20)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.eigenvalue_cloud(ax, rd.eigen.eigenvalues(W), circles={"circular law": 1.5})
    """
    values = np.asarray(eigenvalues).ravel()
    if not values.size:
        raise ValueError(f"eigenvalues: got shape {np.shape(eigenvalues)}, expected at least one")
    dots: dict[str, Any] = {"marker": "o", "ls": "none", "ms": 3.0, "mew": 0.0}
    look = normalize_kwargs(dots, Line2D) | normalize_kwargs(style, Line2D)
    seen = values[np.isfinite(values)]
    (points,) = axes.plot(seen.real, seen.imag, label=label or "_eigenvalues", **look)
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
    """Draw the pseudospectrum of a matrix as contours at powers of ten, with its eigenvalues.

        values = σ_min(zI - W) at every z of the grid

    The eigenvalues of every W + E with ‖E‖ < 10^-k lie within the contour 10^-k. At most eight contours are drawn,
    starting at the highest. Values that are NaN or infinite are grey crosses. Notes below the axes count them, or
    explain why there are no contours.

    Args:
        axes: The Axes to draw on.
        grid: The complex numbers z, of shape (rows, columns).
        values: The smallest singular values from `rd.eigen.pseudospectrum(W, grid)`, of the shape of `grid`.
        eigenvalues: The eigenvalues of W, of any shape.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[0.5, 2.0], [0.0, -0.5]])
        >>> z = jnp.linspace(-2, 2, 9)[None, :] + 1j * jnp.linspace(-2, 2, 9)[:, None]
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.pseudospectrum(ax, z, rd.eigen.pseudospectrum(W, z), rd.eigen.eigenvalues(W))
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
    """Draw |z| = 1, unless these Axes have it already."""
    if not any(patch.get_label() == "|z| = 1" for patch in axes.patches):
        axes.add_patch(Circle((0, 0), 1, fill=False, lw=1.1, color="black", zorder=1.9, label="|z| = 1"))


def _contours(axes: Axes, z: NDArray, smallest: Any) -> None:
    """Draw and name the largest powers of ten that lie between the smallest and the largest value of the grid."""
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
    """Write the name of a circle above it, in the colour of its points."""
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
    """Name the longest part of each contour, from the largest power down. Contours below a smallest size get no name.

    The candidates for a name are the contour's outermost points in twelve directions. The first name takes the lowest
    of them, every other name the one farthest from the names already placed.
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
