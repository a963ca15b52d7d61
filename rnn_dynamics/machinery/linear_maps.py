"""A step's Jacobian as a linear map: v ↦ J v and u ↦ uᵀ J, linearised once and applied to many vectors at once.

    h' = step(params, h, x),   J = ∂h'/∂h,   row = entry of h', column = entry of h

Most measurements in this package move vectors through J in one of these two ways: forward in time by `push` (Lyapunov
exponents, see `frame_push.py`) or backward in time by `pull` (gradients, see `lag_loop.py`).

No n × n matrix is formed unless the caller asks for one. Pushing k columns costs k directional derivatives of the
step, which batch into one matrix product where the step has one. `push(identity)` is J itself.

Where an entry of h' is not finite, its row of J is NaN, as a derivative of it should be. Automatic differentiation
alone would return finite rows for relu and for linear maps, and a trajectory that has diverged would be measured as if
nothing had happened.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from . import entry
from .compiled_programs import with_float32_products
from .state_vector import flatten


class LinearMaps(NamedTuple):
    """One step and its Jacobian J = ∂h'/∂h, as functions that multiply by J from either side.

    `rd.linear_maps` returns it. n is how many numbers the state has (see `rd.blocks` for their order).

    Attributes:
        after: The state h' after the step, a tree like h.
        push: Multiply columns by J, forward in time: (n, k) ↦ J · (n, k).
        pull: Multiply rows by J, backward in time: (k, n) ↦ (k, n) · J.
    """

    after: State
    push: Callable[[Float[Array, "n k"]], Float[Array, "n k"]]
    pull: Callable[[Float[Array, "k n"]], Float[Array, "k n"]]


@with_float32_products
def linear_maps(step: Step, params: Params, h: State, x: Input) -> LinearMaps:
    """Linearise a step at (h, x) and return the Jacobian as functions that multiply by it.

        J = ∂step(params, h, x)/∂h,   push(V) = J V,   pull(U) = U J

    Use it to follow tangent vectors forward or gradients backward without forming J. J acts on the state as one vector
    of its n numbers, in the order that `rd.blocks` describes; a complex number counts as two reals. Where a number of
    the new state is not finite, its row of J is NaN. Both maps are linear and can be jitted, vmapped and
    differentiated. For the matrix itself use `rd.step_jacobian`.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h: The state to linearise at, any pytree of float or complex arrays with n numbers in all.
        x: The input of this step; None for an undriven step.

    Returns:
        A `LinearMaps` with the fields `after`, `push` and `pull`.

    Cost:
        One evaluation of the step to linearise it. A push or pull of k vectors costs k directional derivatives, O(n² k)
        operations for a dense recurrent matrix, and O(n k) memory.

    Example:
        >>> W = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> maps = rd.linear_maps(lambda W, h, x: W @ h, W, jnp.ones(2), None)
        >>> maps.after
        Array([3., 3.], dtype=float32)
        >>> maps.push(jnp.array([[0.0], [1.0]])).ravel()  # the second column of W
        Array([2., 3.], dtype=float32)
        >>> maps.pull(jnp.array([[0.0, 1.0]])).ravel()  # the second row of W
        Array([0., 3.], dtype=float32)
    """
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
