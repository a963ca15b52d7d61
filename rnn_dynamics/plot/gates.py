"""How far gates are open, over time."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from .caveats import say_hidden
from .checked_arrays import with_nets
from .curves import STROKES, band, curve, quantile
from .decades import in_whole_numbers


def gates_over_time(axes: Axes, values: Mapping[str, ArrayLike]) -> Axes:
    """Draw how far each gate is open at every step, from 0, shut, to 1, open.

    Curves differ in stroke as well as in colour. Of several nets, or sequences, the median and the band from the 0.1 to
    the 0.9 quantile are drawn. Call `label_ends(axes)` to write the names.

    Args:
        axes: The Axes to draw on.
        values: The mean over the units of each gate as {name: array of shape (T,) or (nets, T)}, such as the means of
            what `rd.cells.gates` returns along `rd.unroll`.

    Returns:
        The same Axes.

    Example:
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.gates_over_time(ax, {"input": jnp.full(20, 0.5), "forget": jnp.linspace(0.7, 0.9, 20)})
        >>> ax = rd.plot.label_ends(ax)
    """
    if not values:
        raise ValueError("values: got no gate, expected {name: values over time}")
    for position, (name, each) in enumerate(values.items()):
        heights = with_nets(f"values[{name!r}]", each, "nets", "T").astype(float)
        t = np.arange(1, heights.shape[1] + 1)
        color = curve(axes, t, quantile(heights, 0.5), label=name, ls=STROKES[position % len(STROKES)])
        if len(heights) > 1:
            band(axes, t, quantile(heights, 0.1), quantile(heights, 0.9), color=color)
        say_hidden(axes, t, heights, "$t$", label=name, lowest=r"$-\infty$")
    in_whole_numbers(axes.xaxis)
    axes.set(xlabel="step $t$", ylabel="share open (0 shut, 1 open)", ylim=(-0.03, 1.03))
    return axes
