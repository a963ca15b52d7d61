"""Norms of powers on a logarithmic axis, from logarithms: e^2000 is drawn as well as 1."""

import math
from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .shapes import axes_of

STROKES = ("-", "--", "-.", ":")


def power_norms(axes: Axes, log_norms: Mapping[str, ArrayLike]) -> Axes:
    """‖Wⁿ‖ over n = 0, 1, .. for each {label: natural logarithms of the norms}; the axis shows powers of ten.

    The height of a point is log₁₀ of the norm, so that no norm is too large for it; zeros (-inf) end a curve. Strokes
    differ as well as colours. `label_ends(axes)` writes the labels.
    """
    if not log_norms:
        raise ValueError("log_norms: got no curve, expected {label: logarithms}")
    for position, (label, logs) in enumerate(log_norms.items()):
        heights = axes_of(f"log_norms[{label!r}]", logs, "n") / math.log(10)
        shown = np.where(np.isfinite(heights), heights, np.nan)
        axes.plot(np.arange(len(shown)), shown, STROKES[position % len(STROKES)], label=label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$10^{{{power:.0f}}}$"))
    axes.set(xlabel="power $n$", ylabel=r"$\Vert W^n\Vert_2$")
    return axes
