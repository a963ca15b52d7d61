"""A first look at the dataset of any sweep: one panel for each real output."""

import itertools
import warnings
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .labels import label_ends

# the values of `status` of points that were computed
COMPUTED = (1, 2)
# the most panels, and the most curves in a panel; any others are not drawn
PANELS, CURVES = 6, 8


def drawable(dataset: Any) -> list[Any]:
    """Return the outputs that `overview` can draw: real or whole numbers, one or a row of them for each point."""
    grid = dataset.status.dims
    outputs = [values for name, values in dataset.data_vars.items() if name != "status" and values.dtype.kind in "fiu"]
    return [values for values in outputs if values.dims[: len(grid)] == grid and values.ndim <= len(grid) + 1]


def overview(dataset: Any) -> Figure:
    """Return a figure of the xarray Dataset of a sweep, whose outputs have the dimension `repeat`.

    Outputs of one number are drawn over the longest axis of floats: the median over the repeats with a band from the
    first to the third quartile, and one curve for each combination of the other axes. Outputs with a dimension of their
    own are drawn over that dimension, in one panel for each combination, with curves for up to four values along the
    axis of floats.
    """
    grid = dataset.status.dims
    floats = [dim for dim in grid if dim != "repeat" and dataset[dim].dtype.kind == "f"]
    along = max(floats or [dim for dim in grid if dim != "repeat"] or ["repeat"], key=lambda dim: dataset.sizes[dim])
    others = [dim for dim in grid if dim not in (along, "repeat")]
    places = [dict(zip(others, at, strict=True)) for at in np.ndindex(*(dataset.sizes[dim] for dim in others))]
    real = drawable(dataset)
    panels = [(values, "", places[:CURVES]) for values in real if values.ndim == len(grid)]
    for at in places:
        panels += [(values, _label(dataset, at), [at]) for values in real if values.ndim == len(grid) + 1]
    if not panels:
        raise ValueError("dataset: got no real output with the dimension `repeat`, expected the dataset of a sweep")
    panels = panels[:PANELS]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5.2 * columns, 3.8 * rows), squeeze=False, layout="constrained")
    for panel, each in itertools.zip_longest(axes.flat, panels):
        if each is None:
            panel.remove()
        else:
            _panel(panel, dataset, along, *each)
    return figure


def _panel(axes: Axes, dataset: Any, along: str, values: Any, title: str, places: list[dict[str, int]]) -> None:
    own = [dim for dim in values.dims if dim not in dataset.status.dims]
    for at in places:
        _curves(axes, _meant(dataset.isel(at), values.name), along, own, "" if title else _label(dataset, at))
    axes.set_xlabel(_title(dataset, own[0] if own else along))
    axes.set_ylabel(f"{values.name} ({values.attrs['units']})" if values.attrs.get("units") else str(values.name))
    axes.set_title("\n".join(filter(None, (str(values.attrs.get("long_name", values.name)), title))))
    label_ends(axes)


def _meant(dataset: Any, name: str) -> Any:
    """Return an output as floats, NaN where it was not computed and in padding."""
    values = dataset[name].where(dataset.status.isin(COMPUTED))
    for dim in values.dims:
        if f"{dim}_length" in dataset.coords:
            values = values.where(values[dim] < dataset[f"{dim}_length"])
    return values


def _label(dataset: Any, at: dict[str, int]) -> str:
    """Return the values at a place, as text, of the axes that have several."""
    return ", ".join(str(dataset[dim].values[place]) for dim, place in at.items() if dataset.sizes[dim] > 1)


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
