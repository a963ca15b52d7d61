"""What a search for fixed points makes zero: f(h) = step(h) - h, on vectors of the numbers of a state."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params
from ..machinery.captured_arrays import Traced
from ..machinery.state_vector import flatten


def residual_of(step: Traced, params: Params) -> Callable[[Float[Array, " n"], Input], Float[Array, " n"]]:
    """Return the function f(v, x) = step(v) - v of a state as a vector."""
    unflatten = flatten(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), step.out))[1]

    def f(vector: Float[Array, " n"], x: Input) -> Float[Array, " n"]:
        return flatten(step(params, unflatten(vector), x))[0] - vector

    return f


def with_jacobian(
    f: Callable[[Float[Array, " n"], Input], Float[Array, " n"]], vector: Float[Array, " n"], x: Input
) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Return f and its Jacobian from one linearisation."""
    value, push = jax.linearize(lambda v: f(v, x), vector)
    return value, jax.vmap(push, out_axes=1)(jnp.eye(vector.size, dtype=vector.dtype))


def rows(tree: Any, which: Any) -> Any:
    """Return some rows of every leaf."""
    return jax.tree.map(lambda leaf: leaf[which], tree)
