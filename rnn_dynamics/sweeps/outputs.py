"""Trace the outputs of `measure_point` for every group before it computes, and lay them out as dataset arrays."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from .grid import RESERVED, Axis, Grid, Group, groups
from .status import out_of_memory
from .variable import Variable

MeasurePoint = Callable[..., Any]
Shapes = dict[str, jax.ShapeDtypeStruct]


class TracedOutputs(NamedTuple):
    """The outputs of each group, or the error that it raised, and a digest of all programs."""

    shapes: dict[Group, Shapes]
    errors: dict[Group, Exception]
    program: str


class Field(NamedTuple):
    """One array of the dataset: its name, dtype and description, and the shape and dimensions of one point in it."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    variable: Variable


class Layout(NamedTuple):
    """All arrays of outputs, and the length in every group of each dimension whose length varies."""

    fields: tuple[Field, ...]
    lengths: dict[str, dict[Group, int]]


def outputs(result: Any) -> dict[str, jax.Array]:
    """Return the result of `measure_point` as a dict of arrays, or raise if it is anything else."""
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        result = result._asdict()
    if not isinstance(result, Mapping) or not result:
        raise TypeError(f"measure_point: returned {result!r}, expected a dict or NamedTuple of arrays")
    arrays = {}
    for name, value in result.items():
        if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
            raise ValueError(f"measure_point: returned {name!r}, expected names other than {', '.join(RESERVED)}")
        if not isinstance(value, jax.Array | np.ndarray | np.generic | bool | int | float | complex):
            raise TypeError(f"measure_point: returned {name} of type {type(value).__name__}, expected an array")
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSUMm":
            raise TypeError(f"measure_point: returned {name} of dtype {value.dtype}, expected numbers or bools")
        array = jnp.asarray(value)
        if jnp.issubdtype(array.dtype, jax.dtypes.extended) or array.dtype == jnp.bfloat16:
            raise TypeError(
                f"measure_point: returned {name} of dtype {array.dtype}, expected one that can be stored, as float32"
            )
        arrays[name] = array
    return arrays


def arguments(grid: Grid) -> dict[str, jax.ShapeDtypeStruct]:
    """Return the shapes and dtypes of the traced arguments of one point, in JAX's current precision."""
    return {
        axis.name: jax.ShapeDtypeStruct(axis.values.shape[1:], jax.dtypes.canonicalize_dtype(axis.values.dtype))
        for axis in grid.axes
        if axis.traced
    }


def names(axes: tuple[Axis, ...], group: Group) -> dict[str, Any]:
    """Return the static arguments of a group by name."""
    return dict(zip((axis.name for axis in axes), group, strict=True))


def trace(measure_point: MeasurePoint, grid: Grid, key: jax.Array) -> TracedOutputs:
    """Find the outputs of every group by tracing, without computing anything."""
    shapes, errors, digest = {}, {}, hashlib.blake2b(digest_size=16)
    for group in groups(grid):
        static = names(grid.static, group)

        def point(key: jax.Array, traced: dict[str, Any], static: dict[str, Any] = static) -> dict[str, jax.Array]:
            return outputs(measure_point(key, **static, **traced))

        try:
            program, found = jax.make_jaxpr(point, return_shape=True)(key, arguments(grid))
        except Exception as error:
            if out_of_memory(error):
                raise
            errors[group] = error
            digest.update(type(error).__name__.encode())
            continue
        shapes[group] = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in found.items()}
        digest.update(re.sub(r"0x[0-9a-f]+", "", str(program)).encode())
        for constant in map(_plain, _constants(program)):
            digest.update(f"{constant.dtype}{constant.shape}".encode() + constant.tobytes())
    return TracedOutputs(shapes, errors, digest.hexdigest())


def _constants(program: Any) -> Iterator[Any]:
    """Yield the constants of a program and of inner programs such as a jit: its text shows only their names."""
    jaxpr = getattr(program, "jaxpr", program)
    yield from getattr(program, "consts", ())
    yield from (atom.val for atom in jaxpr.outvars if isinstance(atom, Literal))
    for equation in jaxpr.eqns:
        yield from (atom.val for atom in equation.invars if isinstance(atom, Literal))
        for leaf in jax.tree.leaves(equation.params, is_leaf=_is_program):
            if _is_program(leaf):
                yield from _constants(leaf)


def _is_program(value: Any) -> bool:
    return isinstance(value, ClosedJaxpr | Jaxpr)


def _plain(constant: Any) -> np.ndarray:
    """Convert a constant to a NumPy array; a random key becomes its integers."""
    typed = isinstance(constant, jax.Array) and jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(constant) if typed else constant)


def lay_out(shapes: dict[Group, Shapes], variables: dict[str, Variable], grid: Grid) -> Layout:
    """Return the arrays of a dataset that hold the outputs of all groups; shorter outputs are padded at their end."""
    first = next(iter(shapes.values()))
    for group, found in shapes.items():
        if found.keys() != first.keys():
            raise ValueError(
                f"measure_point: returned {list(found)} at {group} and {list(first)} elsewhere; expected the same"
            )
    unknown = variables.keys() - first.keys() - {axis.name for axis in grid.axes}
    if unknown:
        raise ValueError(f"described: got {', '.join(sorted(unknown))}, which measure_point neither takes nor returns")
    clash = first.keys() & {axis.name for axis in grid.axes}
    if clash:
        raise ValueError(f"measure_point: returned {', '.join(sorted(clash))}, which is an axis; expected another name")
    lengths: dict[str, dict[Group, int]] = {}
    fields = [
        _field(name, {group: found[name] for group, found in shapes.items()}, variables, grid, lengths)
        for name in first
    ]
    ragged = {dim: by_group for dim, by_group in lengths.items() if len(set(by_group.values())) > 1}
    return Layout(tuple(fields), ragged)


def _field(
    name: str,
    found: dict[Group, jax.ShapeDtypeStruct],
    variables: dict[str, Variable],
    grid: Grid,
    lengths: dict[str, dict[Group, int]],
) -> Field:
    """Return one array; record the lengths of its dimensions in `lengths` and raise if other arrays disagree."""
    kinds = {(leaf.dtype, leaf.ndim) for leaf in found.values()}
    if len(kinds) > 1:
        listed = ", ".join(f"{leaf.dtype}{list(leaf.shape)} at {group}" for group, leaf in found.items())
        raise ValueError(f"measure_point: returned {name} as {listed}; expected one dtype and number of dimensions")
    dtype, rank = kinds.pop()
    variable = variables.get(name, Variable(""))
    dims = variable.dims or tuple(f"{name}_dim{axis}" for axis in range(rank))
    if len(dims) != rank or len(set(dims)) != rank or set(dims) & {*grid.dims, *RESERVED}:
        raise ValueError(f"{name}: described with dims {dims}, expected {rank} names other than {grid.dims}")
    for axis, dim in enumerate(dims):
        mine = {group: leaf.shape[axis] for group, leaf in found.items()}
        if lengths.setdefault(dim, mine) != mine:
            raise ValueError(f"{name}: has lengths {mine} along {dim}; expected {lengths[dim]}, as another output has")
    shape = tuple(max(lengths[dim].values()) for dim in dims)
    return Field(name, np.dtype(dtype), shape, dims, variable)
