"""Branches of fixed points and cycles over a parameter, and the points where their stability changes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..fixed_points import Branch
from ..fixed_points.plane import rows
from .caveats import DOUBTED, note, say_some
from .curves import runs
from .free_places import name_in_free_places

# name and marker of each kind of bifurcation
BIFURCATIONS = {
    "fold": ("fold", "s"),
    "flip": ("period doubling", "D"),
    "neimark_sacker": ("Neimark–Sacker", "o"),
    "branch": ("branch point", "^"),
    "border_collision": ("border collision", "v"),
}
# of fixed points, of 2-cycles, and of other cycles: by their period
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LOOKS: dict[str, dict[str, Any]] = {
    "stable": {"ls": "-", "lw": 2.0},
    "unstable": {"ls": (0, (3, 2)), "lw": 1.0},
    "undecided": {"ls": ":", "lw": 1.6, "color": DOUBTED},
}


def bifurcation_diagram(
    axes: Axes,
    branches: Branch | Sequence[Branch],
    *,
    component: int | Callable[[Any], Any] = 0,
    name: str = "parameter",
    label: bool = True,
) -> Axes:
    """Draw branches of fixed points and cycles over the parameter: stable ones solid, unstable ones thin and dashed.

    A cycle is drawn as its p states, and each period has its own colour. Stretches whose stability is undecided are
    grey and dotted. The markers are the bifurcations; the first of each kind has its name beside it. Notes below the
    axes count points that are NaN or infinite, and branches that `rd.bifurcation_diagram` saw and did not follow.

    Args:
        axes: The Axes to draw on.
        branches: The branches, from `rd.bifurcation_diagram`, or one, from `rd.continuation`.
        component: What to draw: the place of a number in the state vector (`rd.blocks` says which is where), or a
            function of one state that returns a number, such as `np.linalg.norm`. Default: 0.
        name: The label of the x axis. Default: "parameter".
        label: Whether to name the first bifurcation of each kind. Default: True.

    Returns:
        The same Axes. `label_ends(axes)` then writes "fixed points", "2-cycles" next to the curves.

    Example:
        >>> logistic = lambda r, h, x: r * h * (1 - h)
        >>> branch = rd.continuation(logistic, lambda r: r, jnp.array([0.5]), jnp.linspace(2.0, 3.5, 31))
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.bifurcation_diagram(ax, branch, name="$r$")
    """
    several: list[Branch] = [branches] if isinstance(branches, Branch) else list(branches)
    if not several:
        raise ValueError("branches: got none, expected at least one branch")
    periods = sorted({branch.period for branch in several})
    marks: list[tuple[str, float, float]] = []
    named: set[int] = set()
    for branch in several:
        values, heights = _heights(axes, branch, component)
        color = COLORS[periods.index(branch.period) % len(COLORS)]
        found = [(b, _height_of(b.state, component, branch.period)) for b in branch.bifurcations]
        values, heights, kinds = _with_bifurcations(branch, values, heights, found)
        _draw(axes, values, heights, kinds, color, "_branch" if branch.period in named else _name_of(branch.period))
        named.add(branch.period)
        marks += [(b.kind, b.value, height) for b, heights_there in found for height in heights_there[:1]]
    left_out = getattr(branches, "left_out", 0)
    if left_out:
        note(axes, f"not followed: {left_out} more branch{'es' * (left_out > 1)}")
    _mark(axes, marks, label)
    what = f"component {component} of the state" if isinstance(component, int) else _called(component)
    axes.set(xlabel=name, ylabel=what)
    return axes


def _name_of(period: int) -> str:
    return "fixed points" if period == 1 else f"{period}-cycles"


def _called(component: Callable[[Any], Any]) -> str:
    name = getattr(component, "__name__", "")
    return {"norm": r"norm $\Vert h \Vert_2$", "<lambda>": "", "": ""}.get(name, name)


def _heights(axes: Axes, branch: Branch, component: int | Callable[[Any], Any]) -> tuple[NDArray, NDArray]:
    """Return the values of the parameter, (S,), and what is drawn of the states, (S, period)."""
    values, p = np.asarray(branch.values, float), branch.period
    flat = jax.tree.map(lambda leaf: _flat(np.asarray(leaf), p), branch.points)
    count = len(values) * p
    heights = _of_states(flat, count, component).reshape(len(values), p)
    lost = ~(np.isfinite(heights).all(axis=1) & np.isfinite(values))
    say_some(axes, lost, "gaps: NaN or infinite", "points of a branch")
    return values, np.where(lost[:, None], np.nan, heights)


def _flat(leaf: NDArray, period: int) -> NDArray:
    """Return the states of cycles one after the other, (S · period, ...)."""
    return leaf if period == 1 else leaf.reshape(leaf.shape[0] * period, *leaf.shape[2:])


def _of_states(states: Any, count: int, component: int | Callable[[Any], Any]) -> NDArray:
    """Return one number of each state."""
    if callable(component):
        found = [component(jax.tree.map(lambda leaf, i=i: leaf[i], states)) for i in range(count)]
        return np.array([float(np.asarray(each)) for each in found])
    vectors = rows(states)
    if not -vectors.shape[1] <= component < vectors.shape[1]:
        raise ValueError(f"component: got {component}, expected a place in a state of {vectors.shape[1]} numbers")
    return vectors[:, component].astype(float)


def _height_of(state: Any, component: int | Callable[[Any], Any], period: int) -> list[float]:
    """Return what is drawn of the state of a bifurcation, if it can be."""
    one = jax.tree.map(lambda leaf: np.asarray(leaf)[None], state)
    height = float(_of_states(one, 1, component)[0])
    return [height] if np.isfinite(height) else []


def _with_bifurcations(
    branch: Branch, values: NDArray, heights: NDArray, found: Sequence[tuple[Any, list[float]]]
) -> tuple[NDArray, NDArray, NDArray]:
    """Return the curve with the bifurcations as points of it, so that its stability changes exactly there.

    Each is put between the two neighbours that it lengthens the curve least between: beyond both of them in a fold.
    """
    kinds = np.where(np.asarray(branch.stable), "stable", "unstable")
    kinds = np.where(np.asarray(branch.undecided), "undecided", kinds).astype(object)
    for run in runs(kinds == "undecided"):
        if len(run) == 1 and len(kinds) > 1:  # no stretch, but the place where the stability changes
            kinds[run] = "bifurcation"
    for bifurcation, height in found:
        if not height or len(values) < 2:
            continue
        # which of the states of a cycle the bifurcation gives is the first one, as along the branch
        curve = np.stack([_scaled(values, values), _scaled(heights[:, 0], heights[:, 0])], axis=1)
        there = np.array([_scaled(bifurcation.value, values), _scaled(height[0], heights[:, 0])])
        away = np.linalg.norm(curve - there, axis=1)
        detours = away[1:] + away[:-1] - np.linalg.norm(np.diff(curve, axis=0), axis=1)
        if np.isnan(detours).all():
            continue
        at = int(np.nanargmin(detours)) + 1
        nearest = at - 1 if away[at - 1] <= away[at] else at
        row = np.where(np.arange(heights.shape[1]) == 0, height[0], heights[nearest])
        values, heights = np.insert(values, at, bifurcation.value), np.insert(heights, at, row, axis=0)
        kinds = np.insert(kinds, at, "bifurcation")
    return values, heights, kinds


def _scaled(what: Any, like: NDArray) -> Any:
    """Return numbers in units of the range of others."""
    finite = like[np.isfinite(like)]
    return what / ((np.ptp(finite) if len(finite) else 0.0) or 1.0)


def _draw(axes: Axes, values: NDArray, heights: NDArray, kinds: NDArray, color: str, name: str) -> None:
    """Draw the stretches of one kind, each up to the bifurcations that bound it."""
    # a segment has the kind of its ends; between two kinds, that of the one about which less is known
    ends = np.stack([kinds[:-1], kinds[1:]], axis=1) if len(kinds) > 1 else np.zeros((0, 2), object)
    order = ["undecided", "unstable", "stable"]
    segments = [next((kind for kind in order if kind in pair), "unstable") for pair in ends]
    lines = []
    for kind, look in LOOKS.items():
        chosen = np.array([segment == kind for segment in segments], bool)
        keep = np.concatenate([chosen, [False]]) | np.concatenate([[False], chosen])
        if len(kinds) == 1:
            keep = kinds == kind
        if not keep.any():
            continue
        # a gap after each segment that is not of this kind
        gaps = np.flatnonzero(np.concatenate([~chosen, [False]])) + 1
        shown = np.insert(np.where(keep[:, None], heights, np.nan), gaps, np.nan, axis=0)
        across = np.insert(values, gaps, np.nan)
        marker = {"marker": "o", "ms": 3} if len(kinds) == 1 else {}
        lines += axes.plot(across, shown, **{"color": color, **look, **marker}, label="_branch")
    if lines:
        right = [_rightmost(np.asarray(line.get_xydata(), float)) for line in lines]
        lines[int(np.argmax(right))].set_label(name)


def _rightmost(places: NDArray) -> float:
    return float(places[np.isfinite(places).all(axis=1), 0].max(initial=-np.inf))


def _mark(axes: Axes, marks: list[tuple[str, float, float]], label: bool) -> None:
    """Draw a marker at each bifurcation, and name the first of each kind."""
    names: dict[str, tuple[float, float]] = {}
    for kind, value, height in marks:
        name, marker = BIFURCATIONS.get(kind, (kind, "x"))
        axes.plot([value], [height], marker, ms=6, color="black", mfc="white", mew=1.3, zorder=4, label=f"_{kind}")
        names.setdefault(name, (value, height))
    if label:
        name_in_free_places(axes, names)
