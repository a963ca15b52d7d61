"""The compiled program of one group. Each device of a mesh computes its windows of points one after the other:

    for i in range(count):  out[i] = vmap(point)(numbers[i], traced[i])

The count is an argument, so one compiled program serves any number of windows, and the results do not depend on that
number. A window of one point is not vmapped, so that a branch in `measure_point` runs only the side that is taken.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from .outputs import MeasurePoint, outputs

Arrays = dict[str, np.ndarray]


class Program(NamedTuple):
    """A compiled program for `devices` devices, each of which takes up to `capacity` windows of `width` points.

    `on_cpu` says that its outputs are read where they lie. From other devices, they are copied.
    """

    compiled: Any
    devices: int
    capacity: int
    width: int
    on_cpu: bool

    @property
    def memory(self) -> int:
        """Return the bytes that a device needs in addition to the outputs."""
        found = self.compiled.memory_analysis()
        return int(found.temp_size_in_bytes) if found else 0


def compile_program(
    measure_point: MeasurePoint,
    static: dict[str, Any],
    traced: dict[str, jax.ShapeDtypeStruct],
    key: jax.Array,
    *,
    width: int,
    capacity: int,
    devices: Sequence[jax.Device],
) -> Program:
    """Compile `measure_point` at these static values for windows of `width` points."""

    def point(key: jax.Array, number: jax.Array, traced: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return outputs(measure_point(jax.random.fold_in(key, number), **static, **traced))

    def window(key: jax.Array, numbers: jax.Array, traced: dict[str, jax.Array]) -> dict[str, jax.Array]:
        if width > 1:
            return jax.vmap(partial(point, key))(numbers, traced)
        return jax.tree.map(lambda leaf: leaf[None], point(key, *jax.tree.map(lambda leaf: leaf[0], (numbers, traced))))

    def windows(key: jax.Array, count: jax.Array, numbers: jax.Array, traced: dict[str, jax.Array]) -> Any:
        like = jax.eval_shape(window, key, *jax.tree.map(lambda leaf: leaf[0], (numbers, traced)))
        empty = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), like)

        def put(i: jax.Array, filled: Any) -> Any:
            here = window(key, *jax.tree.map(lambda leaf: leaf[i], (numbers, traced)))
            return jax.tree.map(lambda all_, one: all_.at[i].set(one), filled, here)

        return jax.lax.fori_loop(0, count[0], put, empty)

    mesh = jax.make_mesh((len(devices),), ("devices",), axis_types=(AxisType.Auto,), devices=devices)
    split = PartitionSpec("devices")
    sharded = jax.shard_map(
        windows, mesh=mesh, in_specs=(PartitionSpec(), split, split, split), out_specs=split, check_vma=False
    )
    rows = (len(devices) * capacity, width)
    compiled = (
        jax.jit(sharded)
        .lower(
            key,
            jax.ShapeDtypeStruct((len(devices),), np.int32),
            jax.ShapeDtypeStruct(rows, np.uint32),
            {name: jax.ShapeDtypeStruct((*rows, *leaf.shape), leaf.dtype) for name, leaf in traced.items()},
        )
        .compile()
    )
    return Program(compiled, len(devices), capacity, width, devices[0].platform == "cpu")


def run(program: Program, key: jax.Array, numbers: np.ndarray, traced: Arrays) -> Arrays:
    """Compute the outputs of windows of points, (windows, width, ...), from their numbers and traced values.

    Numbers and traced values have the leading shape (windows, width). The devices get equal shares of the windows.
    """
    most = program.devices * program.capacity
    parts = [
        _run(program, key, numbers[start : start + most], {n: v[start : start + most] for n, v in traced.items()})
        for start in range(0, len(numbers), most)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _run(program: Program, key: jax.Array, numbers: np.ndarray, traced: Arrays) -> Arrays:
    share = -(-len(numbers) // program.devices)
    window = np.arange(len(numbers))
    rows = window // share * program.capacity + window % share
    count = np.bincount(window // share, minlength=program.devices).astype(np.int32)

    def spread(values: np.ndarray) -> np.ndarray:
        spread = np.zeros((program.devices * program.capacity, *values.shape[1:]), values.dtype)
        spread[rows] = values
        return spread

    found = program.compiled(key, count, spread(numbers), {name: spread(values) for name, values in traced.items()})
    if program.on_cpu:
        return {name: np.asarray(values)[rows] for name, values in found.items()}
    return {name: _copied(values, count) for name, values in found.items()}


def _copied(values: jax.Array, count: np.ndarray) -> np.ndarray:
    """Copy only the windows that were computed: an accelerator's whole outputs take longer than many a chunk."""
    shards = sorted(values.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return np.concatenate([np.asarray(shard.data[:many]) for shard, many in zip(shards, count, strict=True)])
