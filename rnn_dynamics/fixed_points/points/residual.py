"""What a search for fixed points makes zero: f(h) = step(h) - h, on vectors of the n numbers of a state."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...cells.contract import Input, Params
from ...machinery.captured_arrays import Traced
from ...machinery.state_vector import flatten

Residual = Callable[[Float[Array, " n"], Input], Float[Array, " n"]]


def residual_of(step: Traced, params: Params) -> Residual:
    """Return the function f(v, x) = step(v) - v of a state as a vector."""
    unflatten = flatten(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), step.out))[1]

    def f(vector: Float[Array, " n"], x: Input) -> Float[Array, " n"]:
        return flatten(step(params, unflatten(vector), x))[0] - vector

    return f


def with_jacobian(f: Residual, vector: Float[Array, " n"], x: Input) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Return f and its Jacobian A = J - I from one linearisation."""
    value, push = jax.linearize(lambda v: f(v, x), vector)
    return value, jax.vmap(push, out_axes=1)(jnp.eye(vector.size, dtype=vector.dtype))


def pulled_back(f: Residual, vector: Float[Array, " n"], x: Input, by: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return Aᵀ `by` at a state, by a reverse derivative."""
    return jax.vjp(lambda v: f(v, x), vector)[1](by)[0]


def has_reverse_derivative(step: Traced, params: Params, x: Input, vector: Float[Array, " n"]) -> bool:
    """Return whether the step has a reverse derivative: a loop of unknown length has none."""
    try:
        jax.eval_shape(lambda v: pulled_back(residual_of(step, params), v, x, v), vector)
    except Exception:  # whatever a user's own derivative raises
        return False
    return True


def newton_step(A: Float[Array, "n n"], value: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return -A⁻¹ f. The elimination runs over the columns of A and f together, which saves half of a solve."""
    eliminated = jax.lax.linalg.lu(jnp.concatenate([A, value[:, None]], axis=1))[0]
    return -jax.lax.linalg.triangular_solve(eliminated[:, :-1], eliminated[:, -1:], left_side=True)[:, 0]
