"""Norms of powers on a logarithmic axis, from logarithms: e^2000 is drawn as well as 1."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .caveats import say_hidden
from .checked_arrays import axes_of
from .curves import STROKES, curve
from .decades import decades, in_powers_of_ten, in_whole_numbers


def power_norms(axes: Axes, log_norms: Mapping[str, ArrayLike]) -> Axes:
    """‖Wⁿ‖ over n = 0, 1, .. for each {label: natural logarithms of the norms}; the axis shows powers of ten.

    The height of a point is log₁₀ of the norm, so that no norm is too large for it; zeros (-inf) end a curve, and a
    note says so. Strokes differ as well as colours. `label_ends(axes)` writes the labels.
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
