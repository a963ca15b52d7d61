"""∂L/∂h_t for every t, in one backward pass, and the gradient in the parameters as the double sum and in forward mode.

With a_t = ∂L/∂h_t (all paths) and d_t = ∂⁺L/∂h_t (h_t alone, the later states held)

    a_t = d_t + a_{t+1} J_{t+1}          ∂L/∂θ = Σ_t a_t ∂⁺h_t/∂θ = Σ_t Σ_{k<=t} d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ
    S_t = J_t S_{t-1} + ∂⁺h_t/∂θ         ∂L/∂θ = Σ_t d_t S_t
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.scaled import from_exponent, log_norm, rescaled, sum_of
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
    """∂L/∂h_t for t = 1 .. T, stacked as `unroll` stacks the states; L = `loss(states)`, a real scalar.

    The total derivative: through every later state as well. With `per_loss=True` the loss returns one number for each
    time, (T,), and the result has a leading axis s: entry [s, t] is ∂L_s/∂h_t. A complex leaf gets ∂L/∂Re + i ∂L/∂Im.
    One unroll and one backward pass (T of them per loss), memory O(T) steps. A value below the smallest normal number
    of the type is 0.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    T = entry.time_steps(xs, entry.whole_number("length", length))
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _state_gradients(step, params, h0, xs, entry.traced_loss(loss, step, T), T=T, per_loss=per_loss)


@entry.compiled("T", "per_loss")
def _state_gradients(step: Step, params: Params, h0: State, xs: Input, loss: Loss, *, T: int, per_loss: bool) -> State:
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))

    def nudged(offsets: State) -> Array:
        """The loss with an offset added to every state, whose gradient in the offsets is what is asked for."""

        def advance(h: State, moment: tuple[Input, State]) -> tuple[State, State]:
            x, offset = moment
            h = jax.tree.map(jnp.add, step(params, h, x), offset)
            return h, h

        value = loss(jax.lax.scan(advance, h0, (xs, offsets), length=T)[1])
        return entry.losses("loss", value, T if per_loss else None)

    nothing = jax.tree.map(lambda leaf: jnp.zeros((T, *leaf.shape), leaf.dtype), h0)
    # offsets that do not vary inside shard_map would get the sum of all devices' gradients
    value, pull = jax.vjp(nudged, entry.varying_like(nothing, h0))
    gradients = jax.vmap(pull)(jnp.eye(T, dtype=value.dtype)) if per_loss else pull(jnp.ones_like(value))
    return jax.tree.map(jnp.conj, gradients[0])


def log_state_gradients(step: Step, params: Params, h0: State, xs: Input, losses: Loss) -> Float[Array, " T"]:
    """ln ‖∂L/∂h_t‖ for t = 1 .. T, with L = Σ `losses(states)`, (T,); -inf for an exact zero alone.

    a_t is carried back as direction · 2^exponent, so that it neither underflows nor overflows.
    """
    before, direct = direct_gradients(step, losses, params, h0, xs, len(jax.tree.leaves(xs)[0]))

    def backward(later: tuple[Array, Array], at: tuple[State, Input, Array]) -> tuple[tuple[Array, Array], Array]:
        (direction, exponent), (h, x, d) = later, at
        norm = log_norm(from_exponent(direction, exponent))
        pulled, grown = rescaled(linear_maps(step, params, h, x).pull(direction[None])[0])
        return sum_of((pulled, exponent + grown), rescaled(d)), norm

    # what ∂L/∂h_0 has by h_0 alone is nothing
    earlier = jnp.concatenate([jnp.zeros_like(direct[:1]), direct[:-1]])
    return jax.lax.scan(backward, rescaled(direct[-1]), (before, xs, earlier), reverse=True)[1]


def direct_gradients(
    step: Step, losses: Loss, params: Params, h0: State, xs: Input, T: int
) -> tuple[State, Float[Array, "T n"]]:
    """The states h_0 .. h_{T-1} before each step, and d_t = ∂⁺L/∂h_t of L = Σ `losses(states)` in flat coordinates."""
    states = jax.lax.scan(lambda h, x: (step(params, h, x),) * 2, h0, xs, length=T)[1]
    before = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest[:-1]]), h0, states)
    direct = jax.tree.map(jnp.conj, jax.grad(lambda s: losses(s).sum())(states))
    return before, jax.vmap(lambda d: flatten(d)[0])(direct)
