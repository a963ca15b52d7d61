"""A Jacobian product beside single paths of it: how much of ∂c/∂c is the forget gate alone."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .curves import STROKES
from .flow import gradient_flow


def gate_paths(axes: Axes, curves: Mapping[str, ArrayLike], *, lag: ArrayLike | None = None) -> Axes:
    """`gradient_flow` of each {name: logarithms over the lag}, the whole product first.

    Strokes differ, and each is thinner than the one below it: where two paths carry the same gradient both are seen.
    `label_ends(axes)` writes the names.
    """
    if not curves:
        raise ValueError("curves: got none, expected {name: logarithms}")
    widths = np.linspace(3.5, 1.5, len(curves))
    for position, (name, logs) in enumerate(curves.items()):
        stroke = STROKES[position % len(STROKES)]
        gradient_flow(axes, logs, lag=lag, label=name, ls=stroke, lw=widths[position])
    axes.set_ylabel(r"norm $\Vert\cdot\Vert_2$ over the paths named")
    return axes
