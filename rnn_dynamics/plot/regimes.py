"""Where gradients vanish and where they explode: a map over gain and lag, and the exponents that decide it."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .decades import decades
from .doubts import DOUBTED, note, on_edge
from .heat_map import heat_map
from .labels import LINE, apart
from .shapes import axes_of, increasing, same_shape, with_nets

# powers of ten that the colours reach at most: beyond them a gradient is of no use, by how much says little
REACH = 8
# name, colour and marker of each regime, the colours of the map
REGIMES: dict[float, tuple[str, str, str]] = {
    np.nan: ("unreliable", DOUBTED, "o"),
    -1: ("vanishing", "#0072B2", "v"),
    0: ("critical", "black", "s"),
    1: ("exploding", "#D55E00", "^"),
}


def regime_map(
    axes: Axes,
    gain: ArrayLike,
    lag: ArrayLike,
    log_norms: ArrayLike,
    *,
    limit: float | None = None,
    bar: bool = True,
) -> Axes:
    """‖∂h_T/∂h_{T-ℓ}‖ from natural logarithms (gain, lag): blue where it vanishes, red where it explodes.

    Colours reach from 10^-limit to 10^limit, with arrows on the bar where norms lie beyond; None takes what the data
    need, up to 8; without a `bar` give the limit of a map beside it that has one. The black line, on map and bar, is
    where the norm is 1; lags at which every one is exactly 1, as at ℓ = 0, do not bend it. A norm of 0 (-inf) has the
    lowest colour, NaN is hatched; notes say so.
    """
    logs = axes_of("log_norms", log_norms, "gain", "lag")
    gains = increasing("gain", gain, "the first axis of log_norms", logs.shape[:1])
    lags = increasing("lag", lag, "the second axis of log_norms", logs.shape[1:])
    if limit is not None and not 0 < limit < np.inf:
        raise ValueError(f"limit: got {limit!r}, expected a positive number of powers of ten")
    heights = decades(logs).T
    sizes = np.abs(heights[np.isfinite(heights)])
    limit = limit or float(np.clip(np.ceil(sizes.max(initial=0)), 1, REACH))
    name = r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$"
    colors = heat_map(axes, gains, lags, heights, (-limit, limit), cmap="RdBu_r", name=name, bar=bar)
    _critical_line(axes, colors, gains, lags, np.clip(heights, -1000 * limit, 1000 * limit))
    zero = heights == -np.inf
    if zero.any():
        note(axes, f"exactly 0, in the lowest colour: {zero.sum()} of {zero.size} cells")
    axes.set(xlabel="gain $g$", ylabel=r"lag $\ell$ (steps)")
    return axes


def phase_diagram(axes: Axes, x: ArrayLike, y: ArrayLike, exponents: ArrayLike, *, limit: float | None = None) -> Axes:
    """λ₁ (y, x) over two parameters: blue where gradients vanish, red where they explode, a black line at λ₁ = 0.

    Colours reach from -limit to limit, by default as far as the positive exponents do, since these are the smaller
    ones; the bar has an arrow where exponents lie beyond. NaN is hatched, with a note. The caller names the axes.
    """
    heights = axes_of("exponents", exponents, "y", "x").astype(float)
    across = increasing("x", x, "the second axis of exponents", heights.shape[1:])
    up = increasing("y", y, "the first axis of exponents", heights.shape[:1])
    finite = heights[np.isfinite(heights)]
    if limit is None:
        limit = float(finite.max(initial=0)) or float(np.abs(finite).max(initial=0)) or 1.0
    if not 0 < limit < np.inf:
        raise ValueError(f"limit: got {limit!r}, expected a positive number of nats per step")
    name = r"largest exponent $\lambda_1$ (nats per step)"
    bar = heat_map(axes, across, up, heights, (-limit, limit), cmap="RdBu_r", name=name, powers=False)
    _critical_line(axes, bar, across, up, np.clip(heights, -1000 * limit, 1000 * limit))
    return axes


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
    """λ₁ over `x` (gain,) of one net or several, (gain,) or (gain, nets), with the colour and shape of its `regime`.

    `regime` is -1 (vanishing), 0 (critical), 1 (exploding) or NaN, for what is not reliable: grey and hollow. Regimes
    are named right of the axes, at the median height of their points, unless `names` is False. An exponent that is -inf
    or inf is on the edge, NaN a grey cross on the lower one, and notes say so. `name` is that of the x axis; `style`
    goes to the points.
    """
    heights = with_nets("exponents", exponents, "gain", "nets")
    places = same_shape("x", x, "the first axis of exponents", heights.shape[:1])
    found = same_shape("regime", with_nets("regime", regime, "gain", "nets"), "exponents", heights.shape)
    found = found.astype(float)
    for value in found[~np.isnan(found) & ~np.isin(found, list(REGIMES))][:1]:
        raise ValueError(f"regime: got {value:g}, expected -1, 0, 1 or NaN")
    across = np.broadcast_to(places[:, None], heights.shape)
    axes.axhline(0, lw=1.0, color="black", zorder=1.5, label="_zero")
    found_names = []
    for key, (word, color, marker) in REGIMES.items():
        those = np.isnan(found) if np.isnan(key) else found == key
        ends = {"mfc": "none", "mec": color, "mew": 0.9} if np.isnan(key) else {"mec": "white", "mew": 0.3}
        look: dict[str, Any] = {"ms": 4.5, "color": color, **ends, **style}
        finite = those & np.isfinite(heights)
        if finite.any():
            axes.plot(across[finite], heights[finite], marker, label=f"_{word}", **look)
            found_names.append((word, color, float(np.median(heights[finite]))))
        for infinity in (-np.inf, np.inf):
            on_edge(axes, across[those & (heights == infinity)], marker, top=infinity > 0, **look)
    _say_what_is_on_the_edge(axes, across, heights)
    axes.set(xlabel=name, ylabel=r"largest exponent $\lambda_1$ (nats per step)")
    if names:
        _name_regimes(axes, found_names)
    return axes


def _say_what_is_on_the_edge(axes: Axes, across: NDArray, heights: NDArray) -> None:
    """Exponents without a height, counted; the crosses for NaN are drawn here."""
    missing = np.isnan(heights)
    on_edge(axes, across[missing], "x")
    low, high = heights == -np.inf, heights == np.inf
    kinds = {r"lower edge: $-\infty$": low, r"upper edge: $\infty$": high, "crosses: NaN": missing}
    for kind, those in kinds.items():
        if those.any():
            note(axes, f"{kind}, {those.sum()} of {those.size} points")


def _name_regimes(axes: Axes, names: list[tuple[str, str, float]]) -> None:
    """Right of the axes, each at its height unless another one's name is there."""
    low, high = axes.get_ylim()
    heights = apart(np.array([height for *_, height in names]), LINE * (high - low))
    for (word, color, _), height in zip(names, heights, strict=True):
        axes.annotate(
            word,
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color="0.35" if color == DOUBTED else color,
            annotation_clip=False,
        )


def _critical_line(axes: Axes, bar: Any, gains: NDArray, lags: NDArray, heights: NDArray) -> None:
    """Black where the norm is 1, if it is somewhere between two points of the grid."""
    bent = (heights != 0).any(axis=1)
    heights, lags = heights[bent], lags[bent]
    known = heights[~np.isnan(heights)]
    if min(heights.shape) > 1 and len(known) and known.min() < 0 < known.max():
        lines = axes.contour(gains, lags, np.ma.masked_invalid(heights), [0.0], colors="black", linewidths=1.6)
        if bar:
            bar.add_lines(lines)
