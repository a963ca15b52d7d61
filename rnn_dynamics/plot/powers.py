"""Norms of matrix powers, drawn from their logarithms, so that e^2000 is no harder to draw than 1."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .caveats import say_hidden
from .checked_arrays import axes_of
from .curves import STROKES, curve
from .decades import decades, in_powers_of_ten, in_whole_numbers


def power_norms(axes: Axes, log_norms: Mapping[str, ArrayLike]) -> Axes:
    """Draw ‖Wⁿ‖₂ over the power n = 0, 1, .. for one or several matrices.

    The height of a point is log₁₀ of the norm, so no norm is too large to draw; the y axis shows powers of ten. A norm
    of 0 (-inf) ends its curve, and a note below the axes says so. Curves differ in stroke as well as in colour. Call
    `label_ends(axes)` to write the labels.

    Args:
        axes: The Axes to draw on.
        log_norms: Natural logarithms of the norms as {label: array of shape (n,)}, such as those that
            `rd.eigen.log_power_norms` returns.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[0.5, 2.0], [0.0, 0.5]])
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.power_norms(ax, {"W": rd.eigen.log_power_norms(W, 10)}))
    """
    if not log_norms:
        raise ValueError("log_norms: got no curve, expected {label: logarithms}")
    for position, (label, logs) in enumerate(log_norms.items()):
        heights = decades(axes_of(f"log_norms[{label!r}]", logs, "n"))
        n = np.arange(len(heights))
        curve(axes, n, heights, label=label, ls=STROKES[position % len(STROKES)])
        say_hidden(axes, n, heights[None], "$n$", label=label)
    in_powers_of_ten(axes.yaxis)
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="power $n$", ylabel=r"$\Vert W^n\Vert_2$")
    return axes
