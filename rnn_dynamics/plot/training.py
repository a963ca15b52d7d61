"""The losses of a training over its updates."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .caveats import note
from .checked_arrays import axes_of, same_shape
from .curves import curve

OUTCOMES = {1: "stopped when solved", 2: "stopped before an update that was not finite"}


def training(axes: Axes, fit: Any, *, label: str | None = None, color: Any = None) -> Axes:
    """Draw the loss of every batch as a thin line and the held-out loss as dots, over the number of updates.

    The y axis is logarithmic if all losses are positive. A note below the axes says why a training ended early. Call
    `label_ends(axes)` to write the label.

    Args:
        axes: The Axes to draw on.
        fit: The result of `rd.train.fit`, of one net: `loss` of shape (updates,), `held_out_loss` and `recorded` of
            shape (records,).
        label: The name of the net. Default: none.
        color: The colour of line and dots. Default: the next one of the colour cycle.

    Returns:
        The same Axes.

    Example:
        >>> task = rd.train.tasks.adding(5)
        >>> fit = rd.train.fit(rd.cells.elman, task, optax.adam(0.01), key=key, updates=4, hidden=3, batch=4)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.training(ax, fit)
    """
    losses = axes_of("fit.loss", fit.loss, "updates").astype(float)
    held_out = axes_of("fit.held_out_loss", fit.held_out_loss, "records").astype(float)
    recorded = same_shape("fit.recorded", fit.recorded, "fit.held_out_loss", held_out.shape)
    color = curve(axes, np.arange(1, len(losses) + 1), losses, label=label, color=color, lw=0.8, alpha=0.6)
    axes.plot(recorded, held_out, "o", ms=4, color=color, label="_held out")
    known = np.concatenate([losses, held_out])
    if (known[np.isfinite(known)] > 0).all():
        axes.set_yscale("log")
    if int(fit.outcome):
        note(axes, f"{OUTCOMES[int(fit.outcome)]}, after {int(fit.updates)} updates")
    note(axes, "line: each batch; dots: held-out examples")
    axes.set(xlabel="updates", ylabel="loss")
    return axes
