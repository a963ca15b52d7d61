"""A Jacobian product next to single paths through it, such as ∂c/∂c next to its path through the forget gate alone."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .curves import STROKES
from .flow import gradient_flow


def gate_paths(axes: Axes, curves: Mapping[str, ArrayLike], *, lag: ArrayLike | None = None) -> Axes:
    """Draw the norms of a Jacobian product and of single paths through it over the lag.

    Strokes differ, and each curve is thinner than the ones below it, so that both remain visible where two paths carry
    the same gradient. Call `label_ends(axes)` to write the names.

    Args:
        axes: The Axes to draw on.
        curves: Natural logarithms of the norms as {name: array of shape (lag,) or (nets, lag)}, the whole product first
            (see `gradient_flow`).
        lag: The lags in steps, increasing, of shape (lag,). Default: 0, 1, 2, ..

    Returns:
        The same Axes.

    Example:
        >>> cell = rd.cells.lstm
        >>> params = cell.init(key, inputs=1, hidden=4)
        >>> net = (cell.step, params, cell.initial_state(params), jnp.ones((20, 1)))
        >>> whole, gate = rd.gradient_flow(*net, block=("c", "c")), rd.gradient_flow(*net, path="c")
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.gate_paths(ax, {"all paths": whole.log_norm, "forget gates alone": gate.log_norm})
    """
    if not curves:
        raise ValueError("curves: got none, expected {name: logarithms}")
    widths = np.linspace(3.5, 1.5, len(curves))
    for position, (name, logs) in enumerate(curves.items()):
        stroke = STROKES[position % len(STROKES)]
        gradient_flow(axes, logs, lag=lag, label=name, ls=stroke, lw=widths[position])
    axes.set_ylabel(r"norm $\Vert\cdot\Vert_2$ over the paths named")
    return axes
