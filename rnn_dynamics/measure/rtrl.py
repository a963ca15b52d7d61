"""Real-time recurrent learning: the gradient carried forward in time, without storing the past.

    S_t = J_t S_{t-1} + ∂⁺h_t/∂θ,   S_0 = 0,        ∂L/∂θ = Σ_t ∂L_t/∂h_t S_t

Williams & Zipser (1989). S_t = ∂h_t/∂θ generalises s_t and r_t of `experiments/exercises/scalar_linear.py` to any state
and parameters.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.state_vector import filled, flatten, select


def rtrl(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss_t: Callable[..., Array],
    *,
    targets: Any = None,
    length: int | None = None,
    wrt: tuple[str, ...] | None = None,
) -> Params:
    """Compute the parameter gradient forward in time, by real-time recurrent learning.

        S_t = J_t S_{t-1} + ∂⁺h_t/∂θ,   S_0 = 0,   ∂L/∂θ = Σ_t ∂L_t/∂h_t S_t

    The result equals that of backpropagation through time. It takes about |θ| times as long, and saves memory only
    where T is far above |θ|.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters θ, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        loss_t: The loss at one time, a real scalar, `loss_t(state)`, or `loss_t(state, target)` with `targets`. L is
            the sum over all times. Measurements that hold all states take the same loss as `jax.vmap(loss_t)`, or as
            `lambda states: jax.vmap(loss_t)(states, targets)`.
        targets: What else the loss at each time depends on, a pytree with leading axis T, such as the targets, weights,
            or the times `jnp.arange(T)`. Default: nothing.
        length: T, needed where xs is None.
        wrt: The leaves of the parameters to differentiate, by their paths, such as ("W",) or ("forget.W",). Default:
            all of them.

    Returns:
        The gradient, a tree like the parameters, with None for the leaves that `wrt` does not name.

    Cost:
        Time O(T |θ|) directional derivatives of a step. Memory O(n |θ|) for any T.

    Example:
        >>> float(rd.rtrl(lambda a, h, x: a * h + x, jnp.array(0.5), jnp.zeros(()), jnp.ones(3), lambda h: h))
        3.0

    References:
        Williams & Zipser (1989), Neural Computation 1, 270-280.
    """
    length, T = entry.checked(step, params, h0, xs, length)
    entry.enter(step, targets=targets)
    if targets is not None and (steps := entry.time_steps(targets, None, "targets")) != T:
        raise ValueError(f"targets: got {steps} time steps, expected T = {T}")
    step = entry.traced_step(step, params, h0, entry.first(xs))
    target = () if targets is None else (entry.first(targets),)
    _refuse_other_arguments(loss_t, h0, *target)
    loss_t = entry.traced_loss(loss_t, step, None, *target)
    return _rtrl(step, params, h0, xs, loss_t, targets, T=T, wrt=wrt)


def _refuse_other_arguments(loss_t: Callable[..., Array], *given: Any) -> None:
    if not callable(loss_t):
        raise TypeError(f"loss_t: got {loss_t!r}, expected a function of one state")
    try:
        inspect.signature(loss_t).bind(*given)
    except ValueError:
        return  # it has no signature, as some functions of C have none
    except TypeError as error:
        expected = "loss_t(state, target)" if len(given) > 1 else "loss_t(state), or targets= such as jnp.arange(T)"
        raise TypeError(f"loss_t: {error} in {loss_t!r}; expected {expected}") from None


@entry.compiled()
def _rtrl(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss_t: Callable[..., Array],
    targets: Any,
    *,
    T: int,
    wrt: tuple[str, ...] | None,
) -> Params:
    h0 = entry.opened(step, params, h0, xs)
    theta, unravel = ravel_pytree(entry.varying_like(select(params, wrt), h0))  # the gradient of each device
    vector, unflatten = flatten(h0)

    def step_of_both(theta: Array, vector: Array, x: Input) -> Array:
        return flatten(step(filled(unravel(theta), params), unflatten(vector), x))[0]

    def loss_of(vector: Array, target: Any) -> Array:
        state = unflatten(vector)
        return entry.losses("loss_t", loss_t(state) if targets is None else loss_t(state, target), ())

    Carry = tuple[Array, Array, Array]

    def advance(carry: Carry, now: tuple[Input, Any]) -> tuple[Carry, None]:
        vector, S, gradient = carry
        x, target = now
        after, tangent = jax.linearize(lambda theta, vector: step_of_both(theta, vector, x), theta, vector)
        S = jax.vmap(tangent, in_axes=(0, 1), out_axes=1)(directions, S)
        return (after, S, gradient + jax.grad(loss_of)(after, target) @ S), None

    directions = entry.varying_like(jnp.eye(theta.size, dtype=theta.dtype), theta)
    S, gradient = jnp.zeros((vector.size, theta.size), vector.dtype), jnp.zeros_like(theta)
    start = entry.varying_like((vector, S, gradient), (h0, targets))
    (_, _, gradient), _ = jax.lax.scan(advance, start, (xs, targets), length=T)
    return unravel(gradient)
