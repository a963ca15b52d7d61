"""Convert a grid to the coordinates of a dataset and back, so that workers and `resume` can read it from the store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import coordinate_copies
from .address import reading
from .grid import POINT, REPEAT, Axis, Grid, group_at, label
from .outputs import Layout
from .store import Store
from .variable import Variable

Functions = Mapping[str, Callable[..., Any]]


class Coordinate(NamedTuple):
    """A coordinate of the dataset: its values along its dimensions, and its attributes."""

    name: str
    dims: tuple[str, ...]
    values: np.ndarray
    attributes: dict[str, Any]


def coordinates(grid: Grid, layout: Layout, variables: dict[str, Variable]) -> list[Coordinate]:
    """Return the coordinates of the axes, of the repeats, and of output lengths that differ between groups.

    Raise if their names or lengths clash with those of the outputs.
    """
    found = [_of_axis(axis, variables.get(axis.name)) for axis in grid.axes]
    found += [
        Coordinate(axis.name, (axis.dim,), np.arange(len(axis.values)), {})
        for axis in grid.axes
        if axis.kind == "array" and axis.dim == axis.name
    ]
    if POINT in grid.dims:
        found.append(Coordinate(POINT, (POINT,), np.arange(grid.shape[0]), {}))
    found.append(Coordinate(REPEAT, (REPEAT,), np.arange(grid.repeats), {"long_name": "repeat, of another key"}))
    found += [_of_length(grid, dim, lengths) for dim, lengths in layout.lengths.items()]
    _check_names(found, grid, layout)
    return found


def _check_names(found: Sequence[Coordinate], grid: Grid, layout: Layout) -> None:
    """Raise if two arrays share a name, a dimension has two lengths, or an array is named like another's dimension."""
    arrays = [(one.name, one.dims, one.values.shape) for one in found]
    arrays += [(field.name, (*grid.dims, *field.dims), (*grid.shape, *field.shape)) for field in layout.fields]
    names: set[str] = set()
    lengths: dict[str, int] = {}
    for name, dims, shape in arrays:
        if name in names:
            raise ValueError(f"{name}: the dataset already has a coordinate of that name; expected another name")
        names.add(name)
        for dim, length in zip(dims, shape, strict=True):
            if lengths.setdefault(dim, length) != length:
                raise ValueError(f"{name}: has length {length} along {dim}, which is {lengths[dim]} long elsewhere")
    for name, dims, _ in arrays:
        if name in lengths and dims != (name,):
            raise ValueError(f"{name}: the dataset has a dimension of that name; expected another name")


def _of_axis(axis: Axis, variable: Variable | None) -> Coordinate:
    attributes = variable.attributes(axis.name) if variable else {}
    if axis.kind == "array":
        dims = tuple(f"{axis.name}_dim{number}" for number in range(axis.values.ndim - 1))
        return Coordinate(_stored_name(axis.name, axis.dim, axis.kind), (axis.dim, *dims), axis.values, attributes)
    kind = {"text": object, "function": object, "bool": bool, "int": np.int64}.get(axis.kind)
    return Coordinate(axis.name, (axis.dim,), np.array([label(value) for value in axis.values], kind), attributes)


def _stored_name(name: str, dim: str, kind: str) -> str:
    """Return the name of an axis in the store; it gets a suffix where an array would index its own dimension."""
    return f"{name}_value" if kind == "array" and dim == name else name


def _of_length(grid: Grid, dim: str, lengths: dict[Any, int]) -> Coordinate:
    """Return the number of valid entries along `dim` over the static axes; 0 where `measure_point` raised."""
    dims = tuple(dict.fromkeys(axis.dim for axis in grid.static))
    sizes = dict(zip(grid.dims, grid.shape, strict=True))
    values = np.zeros([sizes[name] for name in dims], np.int64)
    for place in np.ndindex(values.shape):
        at = dict(zip(dims, place, strict=True))
        values[place] = lengths.get(group_at(grid, [at.get(name, 0) for name in grid.dims]), 0)
    return Coordinate(f"{dim}_length", dims, values, {"long_name": f"entries along {dim}; padding follows"})


def load_grid(store: Store, functions: Functions) -> Grid:
    """Read the grid of a store. The caller passes its functions by label: names in a store are never imported."""
    axes = []
    with reading(store.address):
        found = coordinate_copies.kept(store.group, {})
        described = (map(str, store.attributes[name]) for name in ("axes", "axis_dims", "axis_kinds"))
        for name, dim, kind in zip(*described, strict=True):
            values: Any = found[_stored_name(name, dim, kind)].values
            if kind not in ("float", "array"):
                values = tuple(functions.get(text, text) if kind == "function" else text for text in values.tolist())
            axes.append(Axis(name, dim, kind, values))
        return Grid(tuple(axes), store.shape[-1])


def functions_of(grid: Grid) -> dict[str, Callable[..., Any]]:
    """Return the functions among the values of a grid, by label."""
    return {label(value): value for axis in grid.static if axis.kind == "function" for value in axis.values}


def grid_differences(here: Grid, there: Grid) -> list[str]:
    """Describe each difference between this sweep's grid (`here`) and the grid in the store (`there`)."""
    if [(axis.name, axis.dim) for axis in here.axes] != [(axis.name, axis.dim) for axis in there.axes]:
        names = [[axis.name for axis in grid.axes] for grid in (there, here)]
        return [
            f"grid: its axes are {names[0]} in the store and {names[1]} here "
            "(or one grid is a list of points and the other a product)"
        ]
    found = []
    for one, other in zip(here.axes, there.axes, strict=True):
        if one.kind != other.kind:
            found.append(f"grid[{one.name!r}]: holds {other.kind} values in the store and {one.kind} values here")
            continue
        if len(one.values) != len(other.values):
            found.append(f"grid[{one.name!r}]: has {len(other.values)} values in the store and {len(one.values)} here")
            continue
        if one.traced and not _unlike(one.values, other.values):
            continue  # quicker than the loop below if there are many values
        for number, (mine, its) in enumerate(zip(one.values, other.values, strict=True)):
            if _unlike(mine, its):
                found.append(
                    f"grid[{one.name!r}]: value {number} is {label(its)!r} in the store and {label(mine)!r} here"
                )
                break
    if here.repeats != there.repeats:
        found.append(f"repeats: {there.repeats} in the store and {here.repeats} here")
    return found


def _unlike(one: Any, other: Any) -> bool:
    return not np.array_equal(one, other) or getattr(one, "dtype", 0) != getattr(other, "dtype", 0)
