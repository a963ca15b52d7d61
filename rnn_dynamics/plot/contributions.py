"""The table of gradient contributions: how much each past step adds to the gradient of each loss."""

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..measure import Contributions
from .checked_arrays import axes_of
from .decades import in_whole_numbers
from .heat_map import edges, heat_map, zeros


def contributions(axes: Axes, table: Contributions | ArrayLike, *, reach: float = 12) -> Axes:
    """Draw the norms of the gradient contributions as a heat map.

        ∂L/∂θ = Σ_t Σ_{k<=t} C_tk,        colour of row t, column k: ‖C_tk‖

    Row t is the time of the loss and column k the step whose parameters are varied, both counted from 1. The triangle
    k > t stays empty. Exact zeros are grey and NaN is hatched; a note below the axes counts both.

    Args:
        axes: The Axes to draw on.
        table: The result of `rd.gradient_contributions`, or its `norms`, of shape (T, T), in the units of the gradient.
        reach: How many powers of ten the colours span, down from the largest norm. The colour bar has an arrow if some
            norms lie below. Default: 12.

    Returns:
        The same Axes.

    Example:
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.contributions(ax, np.tril(np.full((5, 5), 0.1)))
    """
    norms = axes_of("table", table.norms if isinstance(table, Contributions) else table, "T", "T")
    if norms.shape[0] != norms.shape[1]:
        raise ValueError(f"table: got shape {norms.shape}, expected (T, T)")
    _refuse_what_is_no_table(norms)
    if not 0 < reach < np.inf:
        raise ValueError(f"reach: got {reach!r}, expected a positive number of powers of ten")
    times = np.arange(1, len(norms) + 1)
    past = times[None, :] <= times[:, None]
    # empty cells must not count as NaN or 0, so they hold -1 until the mask is applied
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
    """Raise an error if a norm is negative or one above the diagonal is not 0."""
    for t, k in np.argwhere((norms < 0) | (np.triu(norms, 1) > 0))[:1]:
        why = "a norm >= 0" if norms[t, k] < 0 else "0 for k > t"
        raise ValueError(f"table: got {norms[t, k]:g} at t = {t}, k = {k}, expected {why}")
