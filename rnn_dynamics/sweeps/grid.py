"""A grid of points: a mapping of axes to their values, whose product is meant, or a list of points one by one.

The values of an axis are *traced* if they are floats or arrays, so that one program serves them all, or *static* if
they are texts, bools, whole numbers or functions, of which each combination is a program of its own.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from . import precision

REPEAT, POINT = "repeat", "point"
RESERVED = (REPEAT, POINT, "key", "status", "error", "progress")

Static = str | bool | int | Callable[..., Any]
Group = tuple[Static, ...]


class Axis(NamedTuple):
    """One argument of `measure`: its values along the dimension `dim`, an array if traced and a tuple if static."""

    name: str
    dim: str
    kind: str
    values: Any

    @property
    def traced(self) -> bool:
        """Whether one program serves all values."""
        return self.kind in ("float", "array")


class Grid(NamedTuple):
    """All axes and the number of repeats, which is the last dimension of every dataset."""

    axes: tuple[Axis, ...]
    repeats: int

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions, in the order of `shape`."""
        return (*dict.fromkeys(axis.dim for axis in self.axes), REPEAT)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values there are along each dimension."""
        sizes = {axis.dim: len(axis.values) for axis in self.axes}
        return (*sizes.values(), self.repeats)

    @property
    def size(self) -> int:
        """The number of points, repeats included."""
        return math.prod(self.shape)

    @property
    def static(self) -> tuple[Axis, ...]:
        """The axes of which each combination of values is a program of its own."""
        return tuple(axis for axis in self.axes if not axis.traced)


def read_grid(grid: Any, repeats: int) -> Grid:
    """The user's grid, checked."""
    if isinstance(grid, Mapping):
        axes = [_axis(name, name, values) for name, values in grid.items()]
    elif isinstance(grid, Sequence) and all(isinstance(point, Mapping) for point in grid) and grid:
        for number, point in enumerate(grid):
            if list(point) != list(grid[0]):
                raise ValueError(f"grid[{number}]: got {list(point)}, expected the names {list(grid[0])} of grid[0]")
        if not grid[0]:
            raise ValueError(f"grid: got {len(grid)} points without a name; expected {{}} and repeats={len(grid)}")
        axes = [_axis(name, POINT, [point[name] for point in grid]) for name in grid[0]]
    else:
        raise TypeError(f"grid: got {grid!r}, expected a mapping of names to values or a list of points")
    found = Grid(tuple(axes), repeats)
    if found.size >= 2**32:
        raise ValueError(f"grid: got {found.size} points, expected fewer than 2**32, which keys can be derived for")
    return found


def _axis(name: str, dim: str, values: Any) -> Axis:
    if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
        raise ValueError(f"grid: got the axis {name!r}, expected an argument's name other than {', '.join(RESERVED)}")
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise TypeError(f"grid[{name!r}]: got {values!r}, expected a list or an array of values")
    values = list(values)
    if not values:
        raise ValueError(f"grid[{name!r}]: got no values, expected at least one")
    kind = _kind(name, values)
    if kind == "array":
        return Axis(name, dim, kind, _array(name, values))
    found = _array(name, values) if kind == "float" else tuple(map(_plain, values))
    if kind == "function" and len(set(found)) > len(set(map(label, found))):
        raise ValueError(f"grid[{name!r}]: got several functions of the same name, which a store could not tell apart")
    repeated = [value for value, count in Counter(map(label, found)).items() if count > 1]
    if repeated and dim == name:
        raise ValueError(f"grid[{name!r}]: got {repeated[0]!r} more than once, expected it once; see `repeats`")
    return Axis(name, dim, kind, found)


def _plain(value: Any) -> Static:
    """A whole number, bool or text as Python's own."""
    return value.item() if isinstance(value, np.generic | np.ndarray | jax.Array) else value


def _kind(name: str, values: list[Any]) -> str:
    """What sort of values these are; whole numbers among floats are floats."""
    kinds = {_kind_of(value) for value in values}
    if kinds == {"int", "float"}:
        return "float"
    if len(kinds) != 1 or None in kinds:
        examples = ", ".join(repr(value) for value in values[:3])
        raise TypeError(
            f"grid[{name!r}]: got {examples} ..., expected all floats, all arrays of one shape, all texts, all bools, "
            "all whole numbers or all functions with a name"
        )
    return str(kinds.pop())


def _kind_of(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    if callable(value):
        return "function" if "<" not in getattr(value, "__qualname__", "<") else None
    if not isinstance(value, bool | int | float | np.generic | np.ndarray | jax.Array):
        return None
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended):
        return None
    if np.ndim(value):
        return "array" if np.asarray(value).dtype.kind in "fiubc" else None
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "U": "text"}.get(np.asarray(value).dtype.kind)


def _array(name: str, values: list[Any]) -> np.ndarray:
    shapes = {np.shape(value) for value in values}
    if len(shapes) > 1:
        raise ValueError(f"grid[{name!r}]: got arrays of the shapes {sorted(shapes)}, expected one shape")
    array = np.stack([np.asarray(value) for value in values])
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise ValueError(f"grid[{name!r}]: got {np.sum(~np.isfinite(array))} non-finite values, expected finite ones")
    precision.check(name, array)
    return array


def label(value: Any) -> Any:
    """What stands for a value in the dataset: itself, or a function's module and name."""
    return f"{value.__module__}:{value.__qualname__}" if callable(value) else value


def groups(grid: Grid) -> list[Group]:
    """The combinations of static values that occur."""
    values = [axis.values for axis in grid.static]
    together = grid.static and grid.static[0].dim == POINT
    return list(dict.fromkeys(zip(*values, strict=True) if together else itertools.product(*values)))


def group_at(grid: Grid, index: Sequence[int] | np.ndarray) -> Group:
    """The static values at a place along each dimension."""
    place = dict(zip(grid.dims, index, strict=True))
    return tuple(axis.values[place[axis.dim]] for axis in grid.static)


def traced_at(grid: Grid, index: np.ndarray) -> dict[str, np.ndarray]:
    """The traced values at places along each dimension, `index` of shape (dimensions, ...)."""
    place = dict(zip(grid.dims, index, strict=True))
    return {axis.name: axis.values[place[axis.dim]] for axis in grid.axes if axis.traced}


def point_at(grid: Grid, number: int) -> dict[str, Any]:
    """The arguments of the point of that number, as `measure` is called with them."""
    place = dict(zip(grid.dims, np.unravel_index(number, grid.shape), strict=True))
    return {axis.name: axis.values[place[axis.dim]] for axis in grid.axes}
