"""Gradients of a loss with respect to every state, ∂L/∂h_t, in one backward pass.

A loss is a function of the states as `unroll` stacks them. It returns L, or the T terms whose sum is L.

With a_t = ∂L/∂h_t (all paths) and d_t = ∂⁺L/∂h_t (h_t alone, the later states held fixed)

    a_t = d_t + a_{t+1} J_{t+1}          ∂L/∂θ = Σ_t a_t ∂⁺h_t/∂θ = Σ_t Σ_{k<=t} d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ
    S_t = J_t S_{t-1} + ∂⁺h_t/∂θ         ∂L/∂θ = Σ_t d_t S_t

`contributions.py` computes the double sum and `rtrl.py` the last line, forward in time.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.scaled import from_exponent, rescaled, sum_of
from ..machinery.state_vector import flatten

Loss = Callable[[State], Array]


def state_gradients(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    length: int | None = None,
    per_loss: bool = False,
) -> State:
    """Compute the gradient of a loss with respect to every state of a trajectory.

        a_t = ∂L/∂h_t = ∂⁺L/∂h_t + a_{t+1} J_{t+1},   t = 1 .. T

    This is the total derivative: it includes the effect of h_t on every later state. A complex leaf gets
    ∂L/∂Re + i ∂L/∂Im. A value below the smallest normal number of the type is 0; `gradient_flow` measures how a
    gradient shrinks beyond that.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, any pytree.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        loss: A function of the states as `unroll` stacks them. It returns L, a real scalar, or the terms of L, one real
            number for each time, (T,).
        length: T, needed where xs is None.
        per_loss: Whether each of the T terms gets its own gradients. Default: the gradients of their sum.

    Returns:
        The gradients, a pytree like h0 with a leading axis T: entry [t - 1] is ∂L/∂h_t. With `per_loss=True` there are
        two leading axes (T, T): entry [s - 1, t - 1] is ∂L_s/∂h_t.

    Cost:
        Time of one unroll and one backward pass, memory O(T) steps. With `per_loss` T backward passes, memory O(T²).

    Example:
        >>> rd.state_gradients(
        ...     lambda a, h, x: a * h, 0.5, jnp.ones(()), None, lambda states: states[-1], length=3
        ... )
        Array([0.25, 0.5 , 1.  ], dtype=float32)
    """
    length, T = entry.checked(step, params, h0, xs, length)
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _state_gradients(step, params, h0, xs, entry.traced_loss(loss, step, T), T=T, per_loss=per_loss)


@entry.compiled()
def _state_gradients(step: Step, params: Params, h0: State, xs: Input, loss: Loss, *, T: int, per_loss: bool) -> State:
    h0 = entry.opened(step, params, h0, xs)

    def nudged(offsets: State) -> Array:
        """Return the loss with an offset added to every state; its gradient in the offsets is ∂L/∂h_t."""

        def advance(h: State, now: tuple[Input, State]) -> tuple[State, State]:
            x, offset = now
            h = jax.tree.map(jnp.add, step(params, h, x), offset)
            return h, h

        states = jax.lax.scan(advance, h0, (xs, offsets), length=T)[1]
        return entry.losses("loss", loss(states), (T,)) if per_loss else total(loss, states, T)

    nothing = jax.tree.map(lambda leaf: jnp.zeros((T, *leaf.shape), leaf.dtype), h0)
    # inside shard_map, offsets that do not vary would get the sum of all devices' gradients
    value, pull = jax.vjp(nudged, entry.varying_like(nothing, h0))
    gradients = jax.vmap(pull)(jnp.eye(T, dtype=value.dtype)) if per_loss else pull(jnp.ones_like(value))
    return jax.tree.map(jnp.conj, gradients[0])


def log_state_gradients(
    step: Step, params: Params, h0: State, xs: Input, loss: Loss, *, length: int | None = None
) -> Float[Array, " T"]:
    """Compute the logarithm of the norm of the gradient with respect to every state, however small or large it is.

        ln ‖a_t‖,   a_t = ∂L/∂h_t = ∂⁺L/∂h_t + a_{t+1} J_{t+1},   t = 1 .. T

    The gradient is carried back with its scale apart, so it neither underflows nor overflows: a float32 gradient below
    1e-38 would be 0. `state_gradients` returns the gradients themselves.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        loss: A function of the states as `unroll` stacks them. It returns L, a real scalar, or the terms of L, one real
            number for each time, (T,).
        length: T, needed where xs is None.

    Returns:
        The logarithms in nats, (T,): entry [t - 1] is ln ‖∂L/∂h_t‖; -inf only for an exact 0.

    Cost:
        Time of one unroll and one backward pass, memory O(T) states.

    Example:
        >>> logs = rd.log_state_gradients(
        ...     lambda a, h, x: a * h, 0.5, jnp.ones(()), None, lambda states: states[-1], length=1000
        ... )
        >>> round(float(logs[0]), 2)  # 999 ln ½
        -692.45
    """
    length, T = entry.checked(step, params, h0, xs, length)
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _log_state_gradients(step, params, h0, xs, entry.traced_loss(loss, step, T), T=T)


@entry.compiled()
def _log_state_gradients(step: Step, params: Params, h0: State, xs: Input, loss: Loss, *, T: int) -> Float[Array, " T"]:
    h0 = entry.opened(step, params, h0, xs)
    entry.decomposable(h0)
    before, direct = direct_gradients(step, loss, params, h0, xs, T)

    def backward(later: tuple[Array, Array], at: tuple[State, Input, Array]) -> tuple[tuple[Array, Array], Array]:
        (direction, exponent), (h, x, d) = later, at
        norm = from_exponent(direction, exponent).log_norm()
        pulled, grown = rescaled(linear_maps(step, params, h, x).pull(direction[None])[0])
        return sum_of((pulled, exponent + grown), rescaled(d)), norm

    # the loss does not depend on h_0 directly
    earlier = jnp.concatenate([jnp.zeros_like(direct[:1]), direct[:-1]])
    start = entry.varying_like(rescaled(direct[-1]), h0)
    return jax.lax.scan(backward, start, (before, xs, earlier), reverse=True)[1]


def total(loss: Loss, states: State, T: int) -> Float[Array, ""]:
    """Return L, the sum of what the loss returns: a scalar, or one number for each time."""
    return jnp.sum(entry.losses("loss", loss(states), (), (T,)))


def direct_gradients(
    step: Step, loss: Loss, params: Params, h0: State, xs: Input, T: int
) -> tuple[State, Float[Array, "T n"]]:
    """Return the states h_0 .. h_{T-1} before each step, and d_t = ∂⁺L/∂h_t, flattened."""
    states = jax.lax.scan(lambda h, x: (step(params, h, x),) * 2, h0, xs, length=T)[1]
    before = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest[:-1]]), h0, states)
    direct = jax.tree.map(jnp.conj, jax.grad(lambda states: total(loss, states, T))(states))
    return before, jax.vmap(lambda d: flatten(d)[0])(direct)
