"""The speed of a step in a plane of state space as a heat map, with its fixed points."""

from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from ..fixed_points import FixedPoints, SpeedLandscape
from ..fixed_points.plane import rows
from .caveats import note, say_some
from .checked_arrays import increasing, not_negative, same_shape
from .heat_map import heat_map
from .kinds_of_points import by_kind, finite_rows, name_kinds

# the most powers of ten that the colours span: slower is rest, for the eye
DEEPEST = 8
# a speed that varies by fewer powers of ten is one colour: only rounding may vary it
FLAT = 1e-3
# over fewer powers of ten, the colour bar shows speeds such as 0.2 and 0.5, too
WIDE = 2.5
# arrows along each side
ARROWS = 16
# how far from the plane a point may be, as a share of its width, to be drawn as one of its points
NEAR = 0.02


def speed_landscape(
    axes: Axes,
    landscape: SpeedLandscape,
    found: FixedPoints | None = None,
    *,
    arrows: bool = True,
    outliers: bool = False,
    names: bool = True,
) -> Axes:
    """Draw the speed in a plane of state space as colours in powers of ten: dark where the step nearly rests.

    White arrows of equal length show where a step goes within the plane. Points have the colours and shapes of
    `rd.plot.state_space`; those that lie off the plane are small and pale, and a note says how many. A speed of exactly
    0 has the lowest colour, NaN is hatched.

    Args:
        axes: The Axes to draw on.
        landscape: The speeds, from `rd.speed_landscape`.
        found: Points to draw on it, from `rd.find_fixed_points`, projected onto the plane. Default: none.
        arrows: Whether to draw the arrows. Default: True.
        outliers: Whether to draw the points that `found` marks as far from the states visited. Default: False.
        names: Whether to name the kinds of points in a legend, right of the colour bar. Default: True.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[2.0, 0.0], [0.0, 0.5]])
        >>> step = lambda W, h, x: W @ jnp.tanh(h)
        >>> landscape = rd.speed_landscape(step, W, jnp.zeros(2), jnp.eye(2), extent=3.0)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.speed_landscape(ax, landscape)
    """
    first, second, speed = _checked(landscape)
    with np.errstate(divide="ignore"):
        heights = np.log10(speed)
    finite = heights[np.isfinite(heights)]
    high = float(finite.max()) if len(finite) else 0.0
    low = max(float(finite.min()) if len(finite) else -1.0, high - DEEPEST)
    limits = (low, high) if high - low > FLAT else (low - 0.5, high + 0.5)
    bar = heat_map(axes, first, second, heights, limits, cmap="viridis", name="speed (distance per step)")
    bar.ax.set_axes_locator(_as_high_as(axes, bar.ax.get_axes_locator()))
    if limits[1] - limits[0] < WIDE:
        ticks = _round_speeds(*limits)
        bar.set_ticks(ticks, labels=[f"{10**power:.4g}" for power in ticks])
    if arrows:
        _arrows(axes, first, second, np.asarray(landscape.flow, float))
    axes.set_aspect("equal", adjustable="box", anchor="W")  # centred, a layout would cut off the label on the left
    axes.set(xlabel="first direction", ylabel="second direction")
    if found is not None:
        legend = _points(axes, landscape, found, outliers)
        if names:
            name_kinds(bar.ax, legend, points=48)
    return axes


def _as_high_as(axes: Axes, locator: Any) -> Any:
    """Return a locator for a colour bar that makes it as high as the axes, which their aspect has made smaller."""

    def located(bar: Axes, renderer: Any) -> Bbox:
        box, room, shown = locator(bar, renderer), bar.get_position(original=True), axes.get_position()
        low, high = (shown.y0 + (y - room.y0) / room.height * shown.height for y in (box.y0, box.y1))
        return Bbox.from_extents(box.x0, low, box.x1, high)

    return located


def _round_speeds(low: float, high: float) -> NDArray:
    """Return log₁₀ of round speeds between two powers of ten."""
    if high - low > 0.8:
        whole = np.arange(np.floor(low), np.ceil(high) + 1)
        powers = np.add.outer(whole, np.log10([1, 2, 5])).ravel()
    else:
        speeds = MaxNLocator(5).tick_values(10**low, 10**high)
        powers = np.log10(speeds[speeds > 0])
    return powers[(powers >= low) & (powers <= high)]


def _checked(landscape: SpeedLandscape) -> tuple[NDArray, NDArray, NDArray]:
    """Return the coordinates and the speeds, with their shapes and signs checked."""
    speed = np.asarray(landscape.speed, float)
    if speed.ndim != 2 or 0 in speed.shape:
        raise ValueError(f"landscape.speed: got shape {speed.shape}, expected (second, first)")
    not_negative("landscape.speed", speed)
    same_shape("landscape.flow", landscape.flow, "landscape.speed", (*speed.shape, 2))
    first = increasing("landscape.first", landscape.first, "landscape.speed", speed.shape[1:])
    return first, increasing("landscape.second", landscape.second, "landscape.speed", speed.shape[:1]), speed


def _arrows(axes: Axes, first: NDArray, second: NDArray, flow: NDArray) -> None:
    """Draw arrows of equal length at some states, where the flow within the plane has a direction."""
    places = [np.unique(np.linspace(0, len(c) - 1, ARROWS + 2).round().astype(int))[1:-1] for c in (first, second)]
    if not all(map(len, places)):
        return
    along = flow[np.ix_(places[1], places[0])]
    size = np.abs(along).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = along / size
        along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    length = 0.7 * max(np.ptp(first) / ARROWS, np.ptp(second) / ARROWS)
    across, up = np.meshgrid(first[places[0]], second[places[1]])
    shown = np.isfinite(along).all(axis=-1)
    axes.quiver(
        across[shown],
        up[shown],
        *(length * along[shown]).T,
        angles="xy",
        scale_units="xy",
        scale=1,
        pivot="mid",
        color="white",
        alpha=0.75,
        width=0.0032,
    )


def _points(axes: Axes, landscape: SpeedLandscape, found: FixedPoints, outliers: bool) -> dict[str, Any]:
    """Draw the points in the picture, those off the plane small and pale; return the artists for a legend."""
    origin = rows(jax.tree.map(lambda leaf: np.asarray(leaf)[None], landscape.origin))[0]
    directions = rows(landscape.directions)
    relative = finite_rows(found.points) - origin
    places = relative @ directions.T
    # the largest component, since squares of large numbers overflow
    off = np.abs(relative - places @ directions).max(axis=1)
    limits = axes.get_xlim(), axes.get_ylim()
    inside = np.all([(low <= c) & (c <= high) for c, (low, high) in zip(places.T, limits, strict=True)], axis=0)
    away = off > NEAR * np.ptp(limits[0])
    legend: dict[str, Any] = {}
    drawn = np.zeros(len(places), bool)
    # an edge keeps them legible on every colour of the map
    edge: list[AbstractPathEffect] = [withStroke(linewidth=3.2, foreground="white")]
    for kind, those in by_kind(axes, found, outliers=outliers).items():
        drawn[those] = inside[those]
        for pale in (True, False):
            chosen = those[inside[those] & (away[those] == pale)]
            if len(chosen):
                face = kind.color if kind.filled else "white"
                look = {
                    **kind.style(),
                    "mfc": face,
                    "ms": kind.size * (0.6 if pale else 1.0),
                    "alpha": 0.6 if pale else 1.0,
                }
                line = axes.plot(*places[chosen].T, kind.marker, zorder=3, label=f"_{kind.name}", **look)[0]
                line.set_path_effects(edge)
                legend[kind.name] = line
    say_some(axes, drawn & away, "small and pale: off the plane", "points")
    beyond = np.isfinite(places).all(axis=1) & ~inside & (np.asarray(found.outlier, bool) <= outliers)
    say_some(axes, beyond, "not drawn: beyond the edges", "points")
    if not len(places):
        note(axes, "no points")
    return legend
