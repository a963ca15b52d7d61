"""The dataset of a sweep in a few lines: its axes with their values, its outputs with their units, and its origin."""

from typing import Any

import numpy as np

# the most values of an axis that are listed one by one, and the most lines for axes or outputs
LISTED, MOST_LINES = 6, 16


def in_words(dataset: Any) -> str:
    """Describe the xarray Dataset of a sweep. No output is read, so that a store may be larger than the memory.

    An axis of many values is shown by its ends and how many there are.
    """
    dims = dataset.status.dims
    axes = [(dim, _values(dataset[dim].values)) for dim in dims]
    # the arguments of a list of points, and arrays that are one value of an axis
    axes += [
        (name, f"{_dims(array, ())}{_values(array.values.ravel())}")
        for name, array in dataset.coords.items()
        if name not in dataset.dims and set(array.dims) & set(dims)
    ]
    outputs = [
        (name, f"{_dims(array, dims)}{_units(array)}{array.attrs.get('long_name', '')}")
        for name, array in dataset.data_vars.items()
        if name not in ("status", "error")
    ]
    origin = [
        ("measured by", str(dataset.attrs.get("measure_point", ""))),
        ("started", f"{dataset.attrs.get('created', '')} on {dataset.attrs.get('device', '')}"),
        ("took", f"{dataset.attrs.get('wall_seconds', '')} s"),
    ]
    width = max(len(str(name)) for name, _ in (*axes, *outputs, *origin))
    parts = [("axes", axes), ("outputs", outputs), ("origin", origin)]
    return "\n".join(line for title, entries in parts for line in (title, *_lines(entries, width)))


def _lines(entries: list[tuple[Any, str]], width: int) -> list[str]:
    lines = [f"  {name!s:<{width}}  {text}".rstrip() for name, text in entries[:MOST_LINES]]
    left = len(entries) - MOST_LINES
    return [*lines, f"  and {left} more"] if left > 0 else lines


def _values(values: np.ndarray) -> str:
    """Return the values of an axis if they are few, else the first and the last and how many there are."""
    shown = values if len(values) <= LISTED else values[[0, -1]]
    texts = [f"{value:.6g}" if values.dtype.kind == "f" else str(value) for value in shown]
    return ", ".join(texts) if len(values) <= LISTED else f"{texts[0]} .. {texts[1]}  ({len(values)})"


def _dims(array: Any, over_the_grid: tuple[str, ...]) -> str:
    own = array.dims[len(over_the_grid) :]
    return f"({', '.join(f'{dim}: {array.sizes[dim]}' for dim in own)})  " if own else ""


def _units(array: Any) -> str:
    units = array.attrs.get("units", "1")
    return "" if units == "1" else f"{units}  "
