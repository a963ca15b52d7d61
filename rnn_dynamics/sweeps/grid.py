"""A grid of points: the product of axes, given as a mapping from names to values, or a list of points.

The values of an axis are *traced* if they are floats or arrays: one program serves them all. They are *static* if they
are texts, bools, whole numbers or functions: each combination of static values has its own program.
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
    """An argument of `measure_point`: its values along the dimension `dim`, in an array if traced, else a tuple."""

    name: str
    dim: str
    kind: str
    values: Any

    @property
    def traced(self) -> bool:
        """Return whether one program serves all values."""
        return self.kind in ("float", "array")


class Grid(NamedTuple):
    """All axes and the number of repeats, which is the last dimension of every dataset."""

    axes: tuple[Axis, ...]
    repeats: int

    @property
    def dims(self) -> tuple[str, ...]:
        """Return the names of the dimensions, in the order of `shape`."""
        return (*dict.fromkeys(axis.dim for axis in self.axes), REPEAT)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of values along each dimension."""
        sizes = {axis.dim: len(axis.values) for axis in self.axes}
        return (*sizes.values(), self.repeats)

    @property
    def size(self) -> int:
        """Return the number of points, repeats included."""
        return math.prod(self.shape)

    @property
    def static(self) -> tuple[Axis, ...]:
        """Return the static axes; each combination of their values has its own program."""
        return tuple(axis for axis in self.axes if not axis.traced)


def read_grid(grid: Any, repeats: int) -> Grid:
    """Check the user's grid and return it as a `Grid`."""
    if isinstance(grid, Mapping):
        axes = [_axis(name, name, values) for name, values in grid.items()]
    elif isinstance(grid, Sequence) and all(isinstance(point, Mapping) for point in grid) and grid:
        for number, point in enumerate(grid):
            if list(point) != list(grid[0]):
                raise ValueError(f"grid[{number}]: got {list(point)}, expected the names {list(grid[0])} of grid[0]")
        if not grid[0]:
            raise ValueError(f"grid: got {len(grid)} points without axes; expected {{}} and repeats={len(grid)}")
        axes = [_axis(name, POINT, [point[name] for point in grid]) for name in grid[0]]
    else:
        raise TypeError(f"grid: got {grid!r}, expected a mapping of names to values or a list of points")
    found = Grid(tuple(axes), repeats)
    if found.size >= 2**32:
        raise ValueError(f"grid: got {found.size} points, expected fewer than 2**32, since fold_in takes 32 bits")
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
        raise ValueError(f"grid[{name!r}]: got several functions of the same name, which a store cannot tell apart")
    repeated = [value for value, count in Counter(map(label, found)).items() if count > 1]
    if repeated and dim == name:
        raise ValueError(f"grid[{name!r}]: got {repeated[0]!r} more than once, expected it once; see `repeats`")
    return Axis(name, dim, kind, found)


def _plain(value: Any) -> Static:
    """Convert a whole number, bool or text to Python's own type."""
    return value.item() if isinstance(value, np.generic | np.ndarray | jax.Array) else value


def _kind(name: str, values: list[Any]) -> str:
    """Return the common kind of the values; whole numbers among floats count as floats."""
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
    """Return what represents a value in the dataset: the value itself, or the module and name of a function."""
    return f"{value.__module__}:{value.__qualname__}" if callable(value) else value


def groups(grid: Grid) -> list[Group]:
    """Return the combinations of static values that occur."""
    values = [axis.values for axis in grid.static]
    together = grid.static and grid.static[0].dim == POINT
    return list(dict.fromkeys(zip(*values, strict=True) if together else itertools.product(*values)))


def group_at(grid: Grid, index: Sequence[int] | np.ndarray) -> Group:
    """Return the static values at one place of the grid, given by its index along each dimension."""
    place = dict(zip(grid.dims, index, strict=True))
    return tuple(axis.values[place[axis.dim]] for axis in grid.static)


def traced_at(grid: Grid, index: np.ndarray) -> dict[str, np.ndarray]:
    """Return the traced values at many places of the grid, given by `index` of shape (dimensions, ...)."""
    place = dict(zip(grid.dims, index, strict=True))
    return {axis.name: axis.values[place[axis.dim]] for axis in grid.axes if axis.traced}


def point_at(grid: Grid, number: int) -> dict[str, Any]:
    """Return the arguments that `measure_point` gets at the point of this number, except its key."""
    place = dict(zip(grid.dims, np.unravel_index(number, grid.shape), strict=True))
    return {axis.name: axis.values[place[axis.dim]] for axis in grid.axes}
