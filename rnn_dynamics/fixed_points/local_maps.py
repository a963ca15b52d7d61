"""The step near many points: how far it moves each of them, and its Jacobian there, as float64 arrays of NumPy."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.compiled_programs import PLAIN
from ..machinery.state_vector import flatten
from .problem import Problem

# points are computed so many at a time, whatever their number, which then compiles nothing; many in larger batches, of
# at most so many entries of Jacobians
FEW, MANY, ENTRIES = 32, 512, 2**22


class LocalMaps(NamedTuple):
    """The step near N points: f = step(h) - h as (N, n), and the Jacobian J of the step as (N, n, n)."""

    f: np.ndarray
    J: np.ndarray


def local_maps(problem: Problem, xs: Input, vectors: np.ndarray, which: np.ndarray) -> LocalMaps:
    """Return f and J at each of N points; `which` says to which row of xs each belongs."""
    count, n = vectors.shape
    batch_size = max(FEW, min(MANY, ENTRIES // n**2)) if count > 4 * FEW else FEW
    parts = []
    for first in range(0, count, batch_size):
        rows = np.minimum(np.arange(first, first + batch_size), count - 1)
        x = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[which[rows]], xs)
        batch = vectors[rows].astype(problem.vectors.dtype)
        found = _local_maps(problem.step, problem.params, batch, x)
        parts.append([np.asarray(array)[: count - first] for array in found])
    empty = (np.zeros((0, n)), np.zeros((0, n, n)))
    return LocalMaps(*(np.concatenate(arrays, dtype=np.float64) for arrays in zip(empty, *parts, strict=True)))


def as_states(problem: Problem, vectors: np.ndarray) -> State:
    """Return vectors (..., n) as states with the same leading axes."""
    return states_like(problem.step.out, vectors)


def states_like(state: State, vectors: np.ndarray) -> State:
    """Return vectors (..., n) as states like this one. NumPy does this: it compiles nothing for another number."""
    leaves, tree = jax.tree.flatten(state)
    states, start = [], 0
    for leaf in leaves:
        is_complex = jnp.issubdtype(leaf.dtype, jnp.complexfloating)
        parts = []
        for _ in range(2 if is_complex else 1):
            size = int(np.prod(leaf.shape))
            parts.append(vectors[..., start : start + size].reshape((*vectors.shape[:-1], *leaf.shape)))
            start += size
        values: Any = parts[0] + 1j * parts[1] if is_complex else parts[0]
        states.append(jax.device_put(values.astype(leaf.dtype)))
    return jax.tree.unflatten(tree, states)


def as_arrays(numbers: dict[str, np.ndarray], real: Any) -> dict[str, Any]:
    """Return NumPy arrays as arrays of JAX, in the real type or the complex type that goes with it."""
    kinds = {"f": real, "c": np.result_type(real, np.complex64), "i": np.int32, "b": np.bool_}
    return {name: jax.device_put(array.astype(kinds[array.dtype.kind])) for name, array in numbers.items()}


@entry.compiled(compiler=PLAIN)
def _local_maps(step: Traced, params: Params, vectors: Any, x: Input) -> tuple[Any, Any]:
    unflatten = flatten(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), step.out))[1]

    def both(vector: Any, x: Input) -> tuple[Any, Any]:
        def after(v: Any) -> Any:
            return flatten(step(params, unflatten(v), x))[0]

        return after(vector) - vector, jax.jacfwd(after)(vector)

    return jax.vmap(both)(vectors, x)
