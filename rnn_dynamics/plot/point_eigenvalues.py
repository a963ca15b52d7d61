"""The eigenvalues of the Jacobians at fixed points, all in one plane."""

import numpy as np
from matplotlib.axes import Axes

from ..fixed_points import FixedPoints
from .caveats import note
from .eigenvalues import eigenvalue_cloud, unit_circle
from .kinds_of_points import by_kind, name_kinds


def fixed_point_eigenvalues(
    axes: Axes, found: FixedPoints, *, outliers: bool = False, names: bool = True, **style: float
) -> Axes:
    """Draw the eigenvalues of the Jacobian at every fixed point in the complex plane, with the unit circle.

    Those of one kind of points share a colour and a shape, the same as in `rd.plot.state_space`. Perturbations grow
    along eigenvalues outside of the circle, and turn where they are not real. Notes below the axes count the points
    that are not drawn, and eigenvalues that are NaN or infinite.

    Args:
        axes: The Axes to draw on.
        found: The points, from `rd.find_fixed_points`.
        outliers: Whether to draw the points that `found` marks as far from the states visited. Default: False.
        names: Whether to name the kinds of points in a legend to the right of the axes. Default: True.
        **style: Options of `axes.plot` for the eigenvalues.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[2.0, 0.0], [0.0, 0.5]])
        >>> found = rd.find_fixed_points(lambda W, h, x: W @ jnp.tanh(h), W, jax.random.normal(key, (20, 2)))
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.fixed_point_eigenvalues(ax, found)
    """
    kinds = by_kind(axes, found, outliers=outliers)
    legend = {}
    for kind, those in kinds.items():
        look = {**kind.style(), "ms": 0.62 * kind.size, "mew": 0.9, "zorder": 2.5}
        values = np.asarray(found.eigenvalues)[those]
        eigenvalue_cloud(axes, values, label=kind.name, marker=kind.marker, **{**look, **style})
        legend[kind.name] = axes.get_lines()[-1]
        legend[kind.name].set_label(f"_{kind.name}")  # the legend names it
    if not kinds:
        note(axes, "no points")
        unit_circle(axes)
    if names:
        name_kinds(axes, legend)
    axes.set_aspect("equal", adjustable="datalim")
    return axes
