"""Exponents of single nets as points whose colour and shape show whether gradients vanish or explode."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .caveats import DOUBTED, on_edge, say_some
from .checked_arrays import same_shape, with_nets
from .labels import HALO, LINE, apart

VANISHING, EXPLODING = "#0072B2", "#D55E00"
# name, colour and marker of each regime
REGIMES: dict[float, tuple[str, str, str]] = {
    np.nan: ("not known", DOUBTED, "o"),
    -1: ("vanishing", VANISHING, "v"),
    0: ("critical", "black", "s"),
    1: ("exploding", EXPLODING, "^"),
}


def regime_points(
    axes: Axes,
    x: ArrayLike,
    exponents: ArrayLike,
    regime: ArrayLike,
    *,
    name: str = "gain $g$",
    names: bool = True,
    **style: Any,
) -> Axes:
    """Draw the largest exponent of each net as a point whose colour and shape show its regime.

    Exponents of -inf and inf are on the lower and the upper edge; NaN is a grey cross on the lower edge. Notes below
    the axes count them, and the points that are not drawn because their x is NaN or infinite.

    Args:
        axes: The Axes to draw on.
        x: The gains, or another parameter, of shape (gain,).
        exponents: λ₁ in nats per step, of shape (gain,) or (gain, nets).
        regime: -1 (vanishing), 0 (critical), 1 (exploding) or NaN (not known: grey and hollow), of the shape of
            `exponents`.
        name: The label of the x axis.
        names: Whether to name the regimes to the right of the axes, at the median height of their points. Default:
            True.
        **style: Options of `axes.plot` for the points.

    Returns:
        The same Axes.

    Example:
        >>> gains = np.array([0.5, 1.0, 2.0])
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.regime_points(ax, gains, np.log(gains), np.sign(np.log(gains)))
    """
    across, heights, found = _placed(axes, x, exponents, regime)
    axes.axhline(0, lw=1.0, color="black", zorder=1.5, label="_zero")
    middles = {}
    for key, (word, color, marker) in REGIMES.items():
        those = np.isnan(found) if np.isnan(key) else found == key
        ends = {"mfc": "none", "mec": color, "mew": 0.9} if np.isnan(key) else {"mec": "white", "mew": 0.3}
        look = normalize_kwargs({"ms": 4.5, "color": color, **ends}, Line2D) | normalize_kwargs(style, Line2D)
        finite = those & np.isfinite(heights)
        if finite.any():
            axes.plot(across[finite], heights[finite], marker, label=f"_{word}", **look)
            middles[word] = (float(np.median(heights[finite])), color)
        for infinity in (-np.inf, np.inf):
            on_edge(axes, across[those & (heights == infinity)], marker, top=infinity > 0, **look)
    _say_what_is_on_the_edge(axes, across, heights)
    axes.set(xlabel=name, ylabel=r"largest exponent $\lambda_1$ (nats per step)")
    if names:
        _name_regimes(axes, middles)
    return axes


def _placed(axes: Axes, x: ArrayLike, exponents: ArrayLike, regime: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Return x, exponent and regime of every point with a finite x, and note how many points have none."""
    heights = with_nets("exponents", exponents, "gain", "nets").astype(float)
    places = same_shape("x", x, "the first axis of exponents", heights.shape[:1])
    found = same_shape("regime", with_nets("regime", regime, "gain", "nets"), "exponents", heights.shape).astype(float)
    for value in found[~np.isnan(found) & ~np.isin(found, list(REGIMES))][:1]:
        raise ValueError(f"regime: got {value:g}, expected -1, 0, 1 or NaN")
    across = np.broadcast_to(places[:, None], heights.shape)
    placed = np.isfinite(across)
    say_some(axes, ~placed, "not drawn: x is NaN or infinite", "points")
    return across[placed], heights[placed], found[placed]


def _say_what_is_on_the_edge(axes: Axes, across: NDArray, heights: NDArray) -> None:
    """Note how many exponents are -inf, inf or NaN, and draw the crosses for NaN."""
    missing = np.isnan(heights)
    on_edge(axes, across[missing], "x")
    say_some(axes, heights == -np.inf, r"lower edge: $-\infty$", "points")
    say_some(axes, heights == np.inf, r"upper edge: $\infty$", "points")
    say_some(axes, missing, "crosses: NaN", "points")


def _name_regimes(axes: Axes, middles: dict[str, tuple[float, str]]) -> None:
    """Write the names of the regimes to the right of the axes, next to their points and without overlaps."""
    low, high = sorted(axes.get_ylim())
    heights = apart(np.array([height for height, _ in middles.values()]), LINE * (high - low), within=(low, high))
    for (word, (_, color)), height in zip(middles.items(), heights, strict=True):
        axes.annotate(
            word,
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color="0.35" if color == DOUBTED else color,
            path_effects=HALO,
            annotation_clip=False,
        )
