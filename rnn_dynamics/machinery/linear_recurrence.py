"""Solve a linear recurrence for all times at once.

    v_t = A_t v_{t-1} + b_t,   v_0 = 0,   t = 1 .. T

The maps v ↦ A v + b compose to a map of the same form, and composition is associative. Time is cut into stretches of
about log₂ T steps, and three loops follow each other:

    within     compose the maps of each stretch, all stretches side by side           log₂ T rounds of T / log₂ T maps
    across     compose each stretch with those before it, twice as many every round   log₂ T rounds of T / log₂ T maps
    again      apply the maps one after the other from the start of each stretch      log₂ T rounds of products A v

So it takes O(T n³) operations, as one step after the other would to compose the maps, and is O(log T) deep. Each loop
is compiled once; `jax.lax.associative_scan` takes as much work, but writes out each of its 2 log₂ T levels, and so
compiles for seconds.

`parallel_iteration.py` solves one such recurrence in each of its iterations.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Affine = tuple[Float[Array, "*shape"], Float[Array, "S n"]]


def solve_recurrence(A: Float[Array, "T n *n"], b: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Return v_1 .. v_T. The A_t are matrices, (T, n, n), or the diagonals of diagonal matrices, (T, n)."""
    T, n = b.shape
    steps = max(1, (T - 1).bit_length())
    maps = _in_stretches(A, steps), _in_stretches(b, steps)
    first, rest = jax.tree.map(lambda leaf: leaf[0], maps), jax.tree.map(lambda leaf: leaf[1:], maps)
    whole, _ = jax.lax.scan(lambda past, now: (_then(past, now), None), first, rest)
    ends = _prefixes(whole)[1]

    def advance(v: Float[Array, "S n"], now: Affine) -> tuple[Float[Array, "S n"], Float[Array, "S n"]]:
        v = times(now[0], v) + now[1]
        return v, v

    _, found = jax.lax.scan(advance, states_before(jnp.zeros_like(ends[0]), ends), maps)
    return jnp.swapaxes(found, 0, 1).reshape(-1, n)[:T]


def _in_stretches(leaf: Float[Array, "T n *n"], steps: int) -> Float[Array, "steps S n *n"]:
    """Cut time into stretches, filled up with zeros at the end; the first axis is the step within a stretch."""
    padded = jnp.pad(leaf, [(0, -len(leaf) % steps), *[(0, 0)] * (leaf.ndim - 1)])
    return jnp.swapaxes(padded.reshape(-1, steps, *leaf.shape[1:]), 0, 1)


def _prefixes(maps: Affine) -> Affine:
    """Compose each map with all before it: in round k with the 2^k before it, which are composed already."""
    places = jnp.arange(len(maps[1]))

    def double(maps: Affine, shift: Int[Array, ""]) -> tuple[Affine, None]:
        longer = _then(jax.tree.map(lambda leaf: jnp.roll(leaf, shift, axis=0), maps), maps)

        def chosen(new: Array, old: Array) -> Array:
            return jnp.where((places >= shift).reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return jax.tree.map(chosen, longer, maps), None

    return jax.lax.scan(double, maps, 2 ** jnp.arange((len(places) - 1).bit_length()))[0]


def _then(first: Affine, second: Affine) -> Affine:
    """Compose two maps at each place: apply `first`, then `second`."""
    return times(second[0], first[0]), times(second[0], first[1]) + second[1]


def times(A: Float[Array, "T n *n"], other: Float[Array, "T n *k"]) -> Float[Array, "T n *k"]:
    """Multiply at each time: a matrix or a diagonal by a matrix, a diagonal or a vector."""
    if A.ndim == 2:
        return A * other
    return jnp.einsum("tij,tj...->ti...", A, other)


def states_before(start: Float[Array, " n"], states: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Return the state before each time: `start`, then all but the last."""
    return jnp.concatenate([start[None], states[:-1]])
