"""The angles between covariant Lyapunov vectors along a trajectory."""

import numpy as np
from matplotlib.axes import Axes

from .. import argument
from ..measure import CovariantVectors
from .caveats import note, say_some
from .checked_arrays import axes_of


def covariant_vectors(axes: Axes, vectors: CovariantVectors, *, first: int = 4) -> Axes:
    """Draw how often neighbouring covariant vectors come closer than an angle: the share of the samples below it.

    A curve that rises at the left edge belongs to two directions that nearly coincide at some times (tangencies): the
    trajectory is not hyperbolic there. Samples that are not finite are left out, and a note says so. Another one counts
    the vectors that are not reliable. Call
    `label_ends(axes)` to name the curves.

    Args:
        axes: The Axes to draw on.
        vectors: The result of `rd.covariant_vectors`, of one net, with k >= 2: `angles` of shape (samples, k, k) in
            radians.
        first: How many of the k - 1 pairs of neighbours to draw, those of the largest exponents first. Default: 4.

    Returns:
        The same Axes.

    Example:
        >>> W = jnp.array([[1.2, 0.3], [0.0, 0.5]])
        >>> times = {"length": 60, "frame_burn_in": 20, "tail": 20}
        >>> found = rd.covariant_vectors(lambda W, h, x: W @ h, W, jnp.ones(2), None, **times)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.covariant_vectors(ax, found))
    """
    angles = np.degrees(axes_of("vectors.angles", vectors.angles, "samples", "k", "k"))
    samples, k = angles.shape[:2]
    if k < 2:
        raise ValueError(f"vectors: got {k} vector, expected at least two, which have an angle between them")
    first = argument.size("first", first, 1)
    for i in range(min(first, k - 1)):
        ordered = np.sort(angles[:, i, i + 1])
        ordered = ordered[np.isfinite(ordered)]
        shares = np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
        heights = np.r_[0, shares, shares[-1:].sum()]
        axes.step(np.r_[0, ordered, 90], heights, where="post", label=f"{i + 1} and {i + 2}")
        if len(ordered) < samples:
            note(axes, f"{i + 1} and {i + 2}: not finite in {samples - len(ordered)} of {samples} samples")
    say_some(axes, ~np.asarray(vectors.reliable)[: first + 1], "not reliable", "vectors")
    axes.set(xlim=(0, 90), ylim=(0, 1.02), xticks=range(0, 91, 15))
    axes.set(xlabel="angle between covariant vectors (degrees)", ylabel="share of the samples below it")
    return axes
