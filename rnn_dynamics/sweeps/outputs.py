"""What `measure` returns: traced for every group before anything is computed, and laid out as arrays of the dataset."""

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

Measure = Callable[..., Any]
Shapes = dict[str, jax.ShapeDtypeStruct]


class Traced(NamedTuple):
    """The outputs of each group, or what it raised, and a digest of all their programs."""

    shapes: dict[Group, Shapes]
    errors: dict[Group, Exception]
    program: str


class Field(NamedTuple):
    """One array of the dataset: the shape a point has in it, and the lengths in each group where these differ."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    variable: Variable


class Layout(NamedTuple):
    """All arrays, and for each dimension that is ragged its length in every group."""

    fields: tuple[Field, ...]
    lengths: dict[str, dict[Group, int]]


def outputs(result: Any) -> dict[str, jax.Array]:
    """What a call of `measure` returned, as a dict of arrays; refused if it is something else."""
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        result = result._asdict()
    if not isinstance(result, Mapping) or not result:
        raise TypeError(f"measure: returned {result!r}, expected a dict or NamedTuple of arrays")
    arrays = {}
    for name, value in result.items():
        if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
            raise ValueError(f"measure: returned {name!r}, expected names other than {', '.join(RESERVED)}")
        if not isinstance(value, jax.Array | np.ndarray | np.generic | bool | int | float | complex):
            raise TypeError(f"measure: returned {name} of type {type(value).__name__}, expected an array")
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSUMm":
            raise TypeError(f"measure: returned {name} of dtype {value.dtype}, expected numbers or bools")
        array = jnp.asarray(value)
        if jnp.issubdtype(array.dtype, jax.dtypes.extended) or array.dtype == jnp.bfloat16:
            raise TypeError(
                f"measure: returned {name} of dtype {array.dtype}, expected one that can be stored: float32"
            )
        arrays[name] = array
    return arrays


def arguments(grid: Grid) -> dict[str, jax.ShapeDtypeStruct]:
    """The traced arguments of one point, in the dtypes that JAX can hold now."""
    return {
        axis.name: jax.ShapeDtypeStruct(axis.values.shape[1:], jax.dtypes.canonicalize_dtype(axis.values.dtype))
        for axis in grid.axes
        if axis.traced
    }


def names(axes: tuple[Axis, ...], group: Group) -> dict[str, Any]:
    """The static arguments of a group."""
    return dict(zip((axis.name for axis in axes), group, strict=True))


def trace(measure: Measure, grid: Grid, key: jax.Array) -> Traced:
    """The outputs of every group, found by tracing alone."""
    shapes, errors, digest = {}, {}, hashlib.blake2b(digest_size=16)
    for group in groups(grid):
        static = names(grid.static, group)

        def point(key: jax.Array, traced: dict[str, Any], static: dict[str, Any] = static) -> dict[str, jax.Array]:
            return outputs(measure(key, **static, **traced))

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
    return Traced(shapes, errors, digest.hexdigest())


def _constants(program: Any) -> Iterator[Any]:
    """The values in a program and in the programs within it, an inner jit for one: its text shows names for them."""
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
    """An array, of a random key its words."""
    typed = isinstance(constant, jax.Array) and jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(constant) if typed else constant)


def lay_out(shapes: dict[Group, Shapes], variables: dict[str, Variable], grid: Grid) -> Layout:
    """The arrays of a dataset that hold the outputs of all groups, the shorter ones padded at their ends."""
    first = next(iter(shapes.values()))
    for group, found in shapes.items():
        if found.keys() != first.keys():
            raise ValueError(
                f"measure: returned {list(found)} at {group} and {list(first)} elsewhere; expected the same"
            )
    unknown = variables.keys() - first.keys() - {axis.name for axis in grid.axes}
    if unknown:
        raise ValueError(f"described: got {', '.join(sorted(unknown))}, which measure neither takes nor returns")
    clash = first.keys() & {axis.name for axis in grid.axes}
    if clash:
        raise ValueError(f"measure: returned {', '.join(sorted(clash))}, which is an axis; expected another name")
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
    """One array; the lengths of its dimensions are added to those that other arrays have found for them."""
    kinds = {(leaf.dtype, leaf.ndim) for leaf in found.values()}
    if len(kinds) > 1:
        listed = ", ".join(f"{leaf.dtype}{list(leaf.shape)} at {group}" for group, leaf in found.items())
        raise ValueError(f"measure: returned {name} as {listed}; expected one dtype and number of dimensions")
    dtype, rank = kinds.pop()
    variable = variables.get(name, Variable(""))
    dims = variable.dims or tuple(f"{name}_dim{axis}" for axis in range(rank))
    if len(dims) != rank or len(set(dims)) != rank or set(dims) & {*grid.dims, *RESERVED}:
        raise ValueError(f"{name}: described with dims {dims}, expected {rank} names other than {grid.dims}")
    for axis, dim in enumerate(dims):
        mine = {group: leaf.shape[axis] for group, leaf in found.items()}
        if lengths.setdefault(dim, mine) != mine:
            raise ValueError(f"{name}: has lengths {mine} along {dim}, which another output has {lengths[dim]} along")
    shape = tuple(max(lengths[dim].values()) for dim in dims)
    return Field(name, np.dtype(dtype), shape, dims, variable)
