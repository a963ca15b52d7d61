"""The step Jacobian J_t = ∂h_t/∂h_{t-1}, of the whole state, by forward-mode differentiation."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.state_vector import flatten
from .unroll import unroll


def step_jacobian(step: Step, params: Params, h: State, x: Input) -> Float[Array, "n n"]:
    """∂step(params, h, x)/∂h as an (n, n) matrix: row i, column j is ∂h'_i/∂h_j over the n numbers of the state.

    An LSTM's state is (h, c) and all of it is differentiated; a complex state counts as real pairs. Costs n
    directional derivatives of one step.
    """
    entry.enter(step, params=params, h=h, x=x)
    return _step_jacobian(entry.traced_step(step, params, h, x), params, h, x)


def step_jacobians(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Float[Array, "T n n"]:
    """J_1 .. J_T along the trajectory from h0, stacked: the plain reference, of memory T n²."""
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
