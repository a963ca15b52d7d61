"""Fixed points and slow points in state space, among the trajectories that pass them."""

from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..fixed_points import FixedPoints
from ..fixed_points.plane import Components, principal_components, rows
from .caveats import note, say_some
from .kinds_of_points import SADDLES, SLOW, STABLE, Kind, by_kind, finite_rows, name_kinds

# half the length of an unstable direction that lies in the picture, as a share of its width
REACH = 0.09


def state_space(
    axes: Axes,
    found: FixedPoints,
    trajectories: Any = None,
    *,
    directions: int = 2,
    outliers: bool = False,
    names: bool = True,
) -> Axes:
    """Draw fixed points in the plane of the first two principal components, with trajectories in grey.

    Stable points are filled; saddles are open, and their colour and shape show how many directions are unstable. Short
    lines are the unstable directions, as long as their part within the picture. Crosses are slow points, grey rings
    points whose stability is undecided, and light blue ones points of a line or surface of fixed points. Notes below
    the axes count the points that are not drawn. On 3D axes (`projection="3d"`), three components are drawn.

    Args:
        axes: The Axes to draw on.
        found: The points, from `rd.find_fixed_points`.
        trajectories: States to draw as lines, a pytree like a state with leading axes (T,) or (trajectories, T), as
            `rd.unroll` returns them. The principal components are then theirs, otherwise those of the points.
        directions: The largest number of unstable directions to draw at each saddle: those that grow fastest. Of a
            complex pair the real part and the imaginary part are drawn, which span its plane. Default: 2.
        outliers: Whether to draw the points that `found` marks as far from the states visited. Default: False.
        names: Whether to name the kinds of points in a legend to the right of the axes. Default: True.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[2.0, 0.0], [0.0, 0.5]])
        >>> step = lambda W, h, x: W @ jnp.tanh(h)
        >>> found = rd.find_fixed_points(step, W, jax.random.normal(key, (20, 2)))
        >>> paths = jax.vmap(lambda h: rd.unroll(step, W, h, None, length=20))(jax.random.normal(key, (5, 2)))
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.state_space(ax, found, paths)
    """
    kinds = by_kind(axes, found, outliers=outliers)
    drawn = np.sort(np.concatenate([*kinds.values(), np.zeros(0, int)]).astype(int))
    points = finite_rows(found.points)
    lines = _lines(trajectories, found.points)
    if lines is not None and lines.shape[-1] != points.shape[1]:
        raise ValueError(
            f"trajectories: got states of {lines.shape[-1]} numbers, expected {points.shape[1]} as found.points has"
        )
    size = 3 if axes.name == "3d" else 2
    shown = principal_components(points[drawn] if lines is None else lines.reshape(-1, points.shape[1]), size)
    if lines is not None:
        _draw_lines(axes, shown, lines)
    places = (points - shown.mean) @ shown.directions.T
    legend = {kind.name: _draw_points(axes, places[those], kind) for kind, those in kinds.items()}
    _limits(axes)
    _draw_directions(axes, shown, found, places, kinds, directions)
    if not len(drawn):
        note(axes, "no points")
    if names:
        name_kinds(axes, legend, points=24 if axes.name == "3d" else 6)
    _label(axes, shown)
    return axes


def _lines(trajectories: Any, points: Any) -> NDArray | None:
    """Return trajectories as an array (trajectories, T, n)."""
    if trajectories is None:
        return None
    extra = {
        np.ndim(leaf) - np.ndim(point) + 1
        for leaf, point in zip(jax.tree.leaves(trajectories), jax.tree.leaves(points), strict=True)
    }
    if extra not in ({1}, {2}):
        shapes = ", ".join(str(np.shape(leaf)) for leaf in jax.tree.leaves(trajectories))
        raise ValueError(f"trajectories: got {shapes}, expected states with leading axes (T,) or (trajectories, T)")
    (axes,) = extra
    whole = trajectories if axes == 2 else jax.tree.map(lambda leaf: np.asarray(leaf)[None], trajectories)
    count, steps = np.shape(jax.tree.leaves(whole)[0])[:2]
    flat = rows(jax.tree.map(lambda leaf: np.asarray(leaf).reshape(count * steps, *np.shape(leaf)[2:]), whole))
    return flat.reshape(count, steps, -1).astype(float)


def _draw_lines(axes: Axes, shown: Components, lines: NDArray) -> None:
    """Draw trajectories thin and grey, with gaps where they are not finite."""
    lost = ~np.isfinite(lines).all(axis=-1)
    say_some(axes, lost, "gaps: NaN or infinite", "states of trajectories")
    places = (np.where(lost[..., None], np.nan, lines) - shown.mean) @ shown.directions.T
    for each in places:
        axes.plot(*each.T, color="0.6", lw=0.6, alpha=0.7, zorder=1.6, label="_trajectory")


def _draw_points(axes: Axes, places: NDArray, kind: Kind) -> Any:
    """Draw the points of one kind, and return the artist for the legend."""
    # stable points, which are smaller, on top of saddles, and both on top of the many slow points of a line attractor
    height = {SLOW: 2.4, STABLE: 3.2}.get(kind, 3)
    (drawn,) = axes.plot(*places.T, kind.marker, label=f"_{kind.name}", zorder=height, **kind.style())
    return drawn


def _limits(axes: Any) -> None:
    """Give both axes the same scale."""
    if axes.name == "3d":
        axes.set_aspect("equal")
        axes.set_box_aspect(None, zoom=0.82)  # room for the labels, which would be cut off
        axes.locator_params(nbins=5)  # more numbers run into each other
    else:
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.08)


def _draw_directions(
    axes: Axes, shown: Components, found: FixedPoints, places: NDArray, kinds: dict[Kind, NDArray], most: int
) -> None:
    """Draw the unstable directions of saddles as lines through them, as long as their part in the picture."""
    spans = [high - low for low, high in (getattr(axes, f"get_{axis}lim")() for axis in "xyz"[: places.shape[1]])]
    half = REACH * max(spans)
    for kind, those in kinds.items():
        for i in those.tolist() if kind in SADDLES else ():
            for line in _unstable_directions(found, i)[:most] @ shown.directions.T:
                ends = np.stack([places[i] - half * line, places[i] + half * line])
                axes.plot(*ends.T, color=kind.color, lw=1.6, zorder=2.8, label="_unstable direction")


def _unstable_directions(found: FixedPoints, i: int) -> NDArray:
    """Return the real unstable directions of a point as rows of norm 1, those that grow fastest first."""
    unstable = int(found.unstable[i])
    vectors = np.asarray(found.right)[i, :, :unstable].T
    # a complex pair turns within the plane of its real and its imaginary part
    first_of_pair = np.asarray(found.eigenvalues)[i, :unstable].imag >= 0
    real = np.where(first_of_pair[:, None], vectors.real, vectors.imag)
    real = real[np.isfinite(real).all(axis=1)]
    return real / np.maximum(np.linalg.norm(real, axis=1, keepdims=True), np.finfo(float).tiny)


def _label(axes: Axes, shown: Components) -> None:
    """Name the components, each with its share of the variance."""
    for place, (axis, share) in enumerate(zip("xyz", shown.shares, strict=False)):
        of = " of variance" if axes.name != "3d" else ""
        held = f" ({100 * share:.0f} %{of})" if np.isfinite(share) else ""
        getattr(axes, f"set_{axis}label")(f"PC {place + 1}{held}", labelpad=8 if axes.name == "3d" else None)
