"""A step's Jacobian as a linear map: v ↦ J v and u ↦ Jᵀ u, linearised once and applied to many vectors at once.

The row of a number that is not finite after the step is NaN, as a derivative of it should be. Those of relu and of
linear maps would survive, and a trajectory that has diverged would be measured with a straight face.

Nothing of size n² is formed but what the caller asks for: pushing k columns costs k directional derivatives of the
step, which batch into one matrix product where the step has one.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from . import entry
from .state_vector import flatten


class LinearMaps(NamedTuple):
    """The state after the step, and its Jacobian from the left and from the right.

    push  (n, k) ↦ J · (n, k), forward in time
    pull  (k, n) ↦ (k, n) · J, backward in time
    """

    after: State
    push: Callable[[Float[Array, "n k"]], Float[Array, "n k"]]
    pull: Callable[[Float[Array, "k n"]], Float[Array, "k n"]]


def linear_maps(step: Step, params: Params, h: State, x: Input) -> LinearMaps:
    """The Jacobian ∂step/∂h at (h, x), in the flat coordinates of the state."""
    vector, unflatten = flatten(h)

    def flat_step(vector: Float[Array, " n"]) -> Float[Array, " n"]:
        return flatten(step(params, unflatten(vector), x))[0]

    after, tangent = jax.linearize(flat_step, vector)
    transposed = jax.linear_transpose(tangent, vector)
    finite = jax.lax.stop_gradient(jnp.where(jnp.isfinite(after), 1, jnp.nan).astype(after.dtype))

    def push(columns: Float[Array, "n k"]) -> Float[Array, "n k"]:
        return finite[:, None] * jax.vmap(tangent, in_axes=1, out_axes=1)(entry.varying_like(columns, after))

    def pull(rows: Float[Array, "k n"]) -> Float[Array, "k n"]:
        return jax.vmap(lambda row: transposed(row)[0])(entry.varying_like(rows, after) * finite[None])

    return LinearMaps(unflatten(after), push, pull)
