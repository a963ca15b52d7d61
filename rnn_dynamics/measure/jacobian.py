"""The step Jacobian J_t = ∂h_t/∂h_{t-1} of the whole state, by forward-mode differentiation."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.state_vector import flatten
from .unroll import unroll


def step_jacobian(step: Step, params: Params, h: State, x: Input) -> Float[Array, "n n"]:
    """Compute the Jacobian of one step with respect to the state.

        J_ij = ∂h'_i/∂h_j,   h' = step(params, h, x)

    The whole state is differentiated: for an LSTM that is (h, c). A complex state counts as pairs of reals.
    `rd.blocks` says which rows and columns belong to which part of the state.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h: The state before the step, a pytree with n numbers in all.
        x: The input of this step; None for an undriven step.

    Returns:
        The Jacobian, (n, n): row = output, column = input.

    Cost:
        Time n directional derivatives of one step, memory O(n²).

    Example:
        >>> W = jnp.array([[0.0, 2.0], [-1.0, 0.0]])
        >>> rd.step_jacobian(lambda W, h, x: jnp.tanh(W @ h), W, jnp.zeros(2), None)
        Array([[ 0.,  2.],
               [-1.,  0.]], dtype=float32)
    """
    entry.enter(step, params=params, h=h, x=x)
    return _step_jacobian(entry.traced_step(step, params, h, x), params, h, x)


def step_jacobians(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Float[Array, "T n n"]:
    """Compute the step Jacobians J_1 .. J_T along the trajectory that starts at h0.

        J_t = ∂h_t/∂h_{t-1}

    This is the plain reference. The other measurements never store the Jacobians.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.

    Returns:
        The Jacobians, (T, n, n): entry [t - 1] is J_t, row = output, column = input.

    Cost:
        Time T n directional derivatives of a step, memory O(T n²).

    Example:
        >>> W = jnp.array([[0.0, 2.0], [-1.0, 0.0]])
        >>> rd.step_jacobians(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=5).shape
        (5, 2, 2)
    """
    states = unroll(step, params, h0, xs, length=length)
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _step_jacobians(step, params, h0, states, xs)


@entry.compiled()
def _step_jacobian(step: Step, params: Params, h: State, x: Input) -> Float[Array, "n n"]:
    vector, unflatten = flatten(entry.closed(step, params, h, x))
    return jax.jacfwd(lambda v: flatten(step(params, unflatten(v), x))[0])(vector)


@entry.compiled()
def _step_jacobians(step: Step, params: Params, h0: State, states: State, xs: Input) -> Float[Array, "T n n"]:
    before = jax.tree.map(
        lambda first, all_: jnp.concatenate([jnp.asarray(first, all_.dtype)[None], all_[:-1]]), h0, states
    )
    return jax.vmap(partial(_step_jacobian, step, params))(before, xs)
