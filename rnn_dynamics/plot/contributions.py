"""Which step of the past contributed how much to which loss."""

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..measure import Contributions
from .checked_arrays import axes_of
from .decades import in_whole_numbers
from .heat_map import edges, heat_map, zeros


def contributions(axes: Axes, table: Contributions | ArrayLike, *, reach: float = 12) -> Axes:
    """‖C_tk‖ as the colour of row t, the time of the loss, and column k, the step whose parameters are meant.

    `table` is what `rd.gradient_contributions` returns, or its `norms` (T, T). The colours go `reach` powers of ten
    down from the largest; the bar has an arrow where norms lie below. Times are counted from 1. The triangle k > t is
    empty, what is exactly 0 is grey and NaN hatched.
    """
    norms = axes_of("table", table.norms if isinstance(table, Contributions) else table, "T", "T")
    if norms.shape[0] != norms.shape[1]:
        raise ValueError(f"table: got shape {norms.shape}, expected (T, T)")
    _refuse_what_is_no_table(norms)
    if not 0 < reach < np.inf:
        raise ValueError(f"reach: got {reach!r}, expected a positive number of powers of ten")
    times = np.arange(1, len(norms) + 1)
    past = times[None, :] <= times[:, None]
    # an empty cell is neither NaN nor 0: -1 stands for it until the colours are masked
    seen = np.where(past, norms, -1.0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.log10(seen)
    sizes = heights[np.isfinite(heights)]
    top = np.ceil(sizes.max()) if len(sizes) else 0.0
    bottom = max(np.floor(sizes.min()), top - reach) if len(sizes) else -1.0
    shown = np.ma.masked_array(heights, ~past | (norms == 0))
    heat_map(axes, times, times, shown, (min(bottom, top - 1), top), cmap="viridis", name=r"$\Vert C_{tk}\Vert$")
    zeros(axes, edges(times), edges(times), past & (norms == 0))
    last = len(norms) + 0.5
    axes.set(xlim=(0.5, last), ylim=(last, 0.5), xlabel="step $k$ of the parameters", ylabel="time $t$ of the loss")
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        in_whole_numbers(axis)
    return axes


def _refuse_what_is_no_table(norms: NDArray) -> None:
    """Norms are not negative, and the future contributes nothing."""
    for t, k in np.argwhere((norms < 0) | (np.triu(norms, 1) > 0))[:1]:
        why = "a norm" if norms[t, k] < 0 else "0 for k > t"
        raise ValueError(f"table: got {norms[t, k]:g} at t = {t}, k = {k}, expected {why}")
