"""Solve a linear recurrence for all times at once, by an associative scan.

    v_t = A_t v_{t-1} + b_t,   v_0 = 0,   t = 1 .. T

The maps v ↦ A v + b compose to a map of the same form, and composition is associative. So all T prefixes are found in
O(log T) rounds of matrix products, each round for many times side by side.

`parallel_iteration.py` solves one such recurrence in each of its iterations.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Affine = tuple[Float[Array, "*shape"], Float[Array, "T n"]]


def solve_recurrence(A: Float[Array, "T n *n"], b: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Return v_1 .. v_T. The A_t are matrices, (T, n, n), or the diagonals of diagonal matrices, (T, n)."""

    def then(first: Affine, second: Affine) -> Affine:
        """Compose two maps: apply `first`, then `second`."""
        return times(second[0], first[0]), times(second[0], first[1]) + second[1]

    return jax.lax.associative_scan(then, (A, b))[1]


def times(A: Float[Array, "T n *n"], other: Float[Array, "T n *k"]) -> Float[Array, "T n *k"]:
    """Multiply at each time: a matrix or a diagonal by a matrix, a diagonal or a vector."""
    if A.ndim == 2:
        return A * other
    return jnp.einsum("tij,tj...->ti...", A, other)


def states_before(start: Float[Array, " n"], states: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Return the state before each time: `start`, then all but the last."""
    return jnp.concatenate([start[None], states[:-1]])
