"""A first look at the dataset of any sweep: curves over one axis, or a map over two, of each real output."""

import itertools
import warnings
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .caveats import note
from .heat_map import heat_map
from .labels import label_ends
from .regimes import COLORS

# the values of `status` of points that were computed
COMPUTED = (1, 2)
# the most panels, and the most curves in a panel; notes say how many others there are
PANELS, CURVES = 6, 8
# with at least so many values along two axes, numbers are drawn as a map
MAPPED = 3


class Panel(NamedTuple):
    """What one panel shows: an output at some places of the other axes, as a map if it has a second axis."""

    values: Any
    title: str
    places: list[dict[str, int]]
    up: str | None = None
    left_out: int = 0  # curves that find no room


def drawable(dataset: Any) -> list[Any]:
    """Return the outputs that `overview` can draw: real or whole numbers, one or a row of them for each point."""
    grid = dataset.status.dims
    outputs = [values for name, values in dataset.data_vars.items() if name != "status" and values.dtype.kind in "fiu"]
    return [values for values in outputs if values.dims[: len(grid)] == grid and values.ndim <= len(grid) + 1]


def overview(dataset: Any) -> Figure:
    """Return a figure of the xarray Dataset of a sweep, whose outputs have the dimension `repeat`.

    Outputs of one number are drawn over the longest axis of floats: the median over the repeats with a band from the
    first to the third quartile, and one curve for each combination of the other axes. If a second axis of floats has
    three values or more, they are drawn as a map of the medians over both, one for each combination of the rest.
    Outputs with a dimension of their own are drawn over that dimension, in one panel for each combination, with curves
    for up to four values along the axis of floats. Notes say what was left out.
    """
    grid = dataset.status.dims
    floats = [dim for dim in grid if dim != "repeat" and dataset[dim].dtype.kind == "f"]
    along = max(floats or [dim for dim in grid if dim != "repeat"] or ["repeat"], key=lambda dim: dataset.sizes[dim])
    others = [dim for dim in grid if dim not in (along, "repeat")]
    real = drawable(dataset)
    if not real:
        raise ValueError("dataset: got no real output with the dimension `repeat`, expected the dataset of a sweep")
    found = _panels(dataset, real, along, others)
    panels = found[:PANELS]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5.2 * columns, 3.8 * rows), squeeze=False, layout="constrained")
    for panel, each in itertools.zip_longest(axes.flat, panels):
        if each is None:
            panel.remove()
        else:
            _draw(panel, dataset, along, each)
    if len(found) > len(panels):
        note(figure.axes[len(panels) - 1], f"{len(panels)} of {len(found)} panels drawn")
    return figure


def _panels(dataset: Any, real: list[Any], along: str, others: list[str]) -> list[Panel]:
    """Return the panels of all outputs: those of one number first."""
    points = dataset.status.ndim
    single, rows = ([values for values in real if values.ndim == points + more] for more in (0, 1))
    long = [dim for dim in others if dataset[dim].dtype.kind == "f" and dataset.sizes[dim] >= MAPPED]
    up = max(long, key=lambda dim: dataset.sizes[dim], default=None)
    if up is not None and along != "repeat" and dataset[along].dtype.kind == "f" and dataset.sizes[along] >= MAPPED:
        places = _places(dataset, [dim for dim in others if dim != up])
        panels = [Panel(values, _label(dataset, at), [at], up) for at in places for values in single]
    else:
        places = _places(dataset, others)
        panels = [Panel(values, "", places[:CURVES], None, max(0, len(places) - CURVES)) for values in single]
    return panels + [Panel(values, _label(dataset, at), [at]) for at in _places(dataset, others) for values in rows]


def _places(dataset: Any, dims: list[str]) -> list[dict[str, int]]:
    """Return all combinations of the values of some axes, by their positions."""
    return [dict(zip(dims, at, strict=True)) for at in np.ndindex(*(dataset.sizes[dim] for dim in dims))]


def _draw(axes: Axes, dataset: Any, along: str, panel: Panel) -> None:
    """Draw one panel with its labels and title."""
    values, title, places, up, left_out = panel
    own = [dim for dim in values.dims if dim not in dataset.status.dims]
    name = f"{values.name} ({values.attrs['units']})" if values.attrs.get("units") else str(values.name)
    axes.set_xlabel(_title(dataset, own[0] if own else along))
    axes.set_title("\n".join(filter(None, (str(values.attrs.get("long_name", values.name)), title))))
    if up is not None:
        _map(axes, _meant(dataset.isel(places[0]), values.name), along, up, name)
        axes.set_ylabel(_title(dataset, up))
        return
    for at in places:
        _curves(axes, _meant(dataset.isel(at), values.name), along, own, "" if title else _label(dataset, at))
    axes.set_ylabel(name)
    label_ends(axes)
    if left_out:
        note(axes, f"{len(places)} of {len(places) + left_out} curves drawn")


def _map(axes: Axes, values: Any, along: str, up: str, name: str) -> None:
    """Draw the medians over the repeats as colours: of two kinds if some are below 0 and some above."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # if all repeats are NaN, the hatching is intended
        heights = values.median("repeat").sortby([along, up]).transpose(up, along)
    known = heights.values[np.isfinite(heights.values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    colors: Any = "viridis"
    if low < 0 < high:
        high = max(-low, high)
        low, colors = -high, COLORS
    if low == high:
        low, high = low - 0.5, high + 0.5
    x, y = heights[along].values, heights[up].values
    heat_map(axes, x, y, heights.values, (low, high), cmap=colors, name=name, powers=False, lowest=r"$-\infty$")


def _meant(dataset: Any, name: str) -> Any:
    """Return an output as floats, NaN where it was not computed and in padding."""
    values = dataset[name].where(dataset.status.isin(COMPUTED))
    for dim in values.dims:
        if f"{dim}_length" in dataset.coords:
            values = values.where(values[dim] < dataset[f"{dim}_length"])
    return values


def _label(dataset: Any, at: dict[str, int]) -> str:
    """Return the axes that have several values, each with its value at a place, as text."""
    several = {dim: dataset[dim].values[place] for dim, place in at.items() if dataset.sizes[dim] > 1}
    return ", ".join(
        f"{dim} {value:.3g}" if value.dtype.kind == "f" else f"{dim} {value}" for dim, value in several.items()
    )


def _curves(axes: Axes, values: Any, along: str, own: list[str], label: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # if all repeats are NaN, the gap is intended
        if not own:
            low, middle, high = (
                values.quantile(q, "repeat", skipna=True).values if along != "repeat" else values.values
                for q in (0.25, 0.5, 0.75)
            )
            x = values[along].values
            (line,) = axes.plot(x, middle, ".-", label=label or "_")
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, lw=0)
            return
        some = np.unique(np.linspace(0, values.sizes[along] - 1, 4).astype(int)) if along != "repeat" else [None]
        for place in some:
            curve = values if place is None else values.isel({along: place})
            value = "" if place is None else f"{along} {values[along].values[place]:.3g}"
            axes.plot(curve.median("repeat").values, label=", ".join(filter(None, (label, value))) or "_")


def _title(dataset: Any, dim: str) -> str:
    attributes = dataset[dim].attrs if dim in dataset.coords else {}
    return str(attributes.get("long_name", dim))
