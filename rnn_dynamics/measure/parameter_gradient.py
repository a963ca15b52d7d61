"""The parameter gradient ∂L/∂θ by the cheaper direction, or truncated to a window of steps, and the truncation error.

    g_K = Σ_t Σ_{t-K<k<=t} d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,        g_T = ∂L/∂θ,        bias(K) = ‖g_K - g_T‖ / ‖g_T‖

with d_t = ∂⁺L/∂h_t, the later states held fixed.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.state_vector import filled, flatten, select
from .contributions import Contributions
from .gradients import Loss, direct_gradients, total

# a forward pass carries one tangent per parameter; a reverse pass costs about as much as two tangents
FEW_PARAMETERS = 2


def parameter_gradient(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    length: int | None = None,
    wrt: tuple[str, ...] | None = None,
    window: int | None = None,
    direction: str = "auto",
) -> Params:
    """Compute the gradient of a loss with respect to the parameters, whole or truncated to a window of steps.

        g_K = Σ_t Σ_{t-K<k<=t} d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,   d_t = ∂⁺L/∂h_t,   g_T = ∂L/∂θ

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters θ, any pytree.
        h0: The initial state, any pytree.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        loss: A function of the states as `unroll` stacks them. It returns L, a real scalar, or the terms of L, one real
            number for each time, (T,).
        length: T, needed where xs is None.
        wrt: The leaves of the parameters to differentiate, by their paths, such as ("W",) or ("forget.W",). Default:
            all of them.
        window: K: each ∂⁺L/∂h_t reaches back only over the K steps up to t, as in truncated backpropagation. Default:
            all T steps.
        direction: "reverse", "forward" or "auto", which is forward for at most two parameters. A window needs reverse.

    Returns:
        The gradient, a tree like the parameters, with None for the leaves that `wrt` does not name.

    Cost:
        Reverse: time of about three unrolls, memory O(T) states. Forward: time O(|θ|) unrolls, memory O(T |θ|) states.
        With `window=K`: time O(K) unrolls.

    Example:
        >>> net = (lambda a, h, x: a * h + x, jnp.array(0.5), jnp.zeros(()), jnp.ones(3), jnp.sum)
        >>> [float(rd.parameter_gradient(*net, window=K)) for K in (1, 2, 3)]
        [2.5, 3.0, 3.0]
        >>> float(rd.parameter_gradient(*net))
        3.0
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    if direction not in ("auto", "forward", "reverse"):
        raise ValueError(f"direction: got {direction!r}, expected 'auto', 'forward' or 'reverse'")
    window = entry.whole_number("window", window)
    if window is not None and (window < 1 or direction == "forward"):
        wrong = f"{window!r} with direction='forward'" if window >= 1 else repr(window)
        raise ValueError(f"window: got {wrong}, expected at least 1 step, and the reverse direction")
    T = entry.time_steps(xs, entry.whole_number("length", length))
    step = entry.traced_step(step, params, h0, entry.first(xs))
    loss = entry.traced_loss(loss, step, T)
    if window is not None:
        return _truncated(step, params, h0, xs, loss, window=window, T=T, wrt=wrt)
    return _whole(step, params, h0, xs, loss, direction=direction, T=T, wrt=wrt)


def truncation_bias(contributions: Contributions) -> Float[Array, " windows"]:
    """Compute the relative error of truncated backpropagation for every window.

        bias(K) = ‖g_K - g_T‖ / ‖g_T‖,   K = 1 .. T

    g_K is the parameter gradient truncated to a window of K steps (`parameter_gradient`), g_T the whole one.

    Args:
        contributions: The result of `gradient_contributions`.

    Returns:
        The error for each window, (T,): entry [K - 1] is bias(K).

    Cost:
        Time O(T² |θ|).

    Example:
        >>> found = rd.gradient_contributions(
        ...     lambda a, h, x: a * h + x, jnp.array(0.5), jnp.zeros(()), jnp.ones(3), lambda states: states[-1]
        ... )
        >>> rd.truncation_bias(found)
        Array([0.25, 0.  , 0.  ], dtype=float32)
    """
    T = len(contributions.norms)

    def error(K: Array) -> Array:
        beyond = jnp.arange(T) >= K
        return _norm([jnp.where(beyond, leaf.T, 0).sum(axis=-1) for leaf in jax.tree.leaves(contributions.by_lag)])

    return jax.vmap(error)(jnp.arange(1, T + 1)) / _norm(jax.tree.leaves(contributions.gradient))


def _norm(leaves: list[Array]) -> Array:
    return jnp.sqrt(sum(jnp.sum(jnp.abs(leaf) ** 2) for leaf in leaves))


@entry.compiled()
def _whole(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    T: int,
    wrt: tuple[str, ...] | None,
    direction: str,
) -> Params:
    h0 = entry.opened(step, params, h0, xs)

    def of_parameters(some: Params) -> Array:
        theta = filled(some, params)
        return total(loss, jax.lax.scan(lambda h, x: (step(theta, h, x),) * 2, h0, xs, length=T)[1], T)

    chosen = entry.varying_like(select(params, wrt), h0)
    count = sum(leaf.size for leaf in jax.tree.leaves(chosen))
    forward = direction == "forward" or (direction == "auto" and count <= FEW_PARAMETERS)
    return jax.jacfwd(of_parameters)(chosen) if forward else jax.grad(of_parameters)(chosen)


@entry.compiled()
def _truncated(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    T: int,
    wrt: tuple[str, ...] | None,
    window: int,
) -> Params:
    h0 = entry.opened(step, params, h0, xs)
    chosen = entry.varying_like(select(params, wrt), h0)
    before, direct = direct_gradients(step, loss, params, h0, xs, T)

    def backward(carry: tuple[Array, Params], now: tuple[Array, State, Input]) -> tuple[tuple[Array, Params], None]:
        """Go back over step k. Row i of `adjoints` is d_t J_t ··· J_{k+1} for t = k + i; rows past the window drop."""
        adjoints, gradient = carry
        d, h, x = now
        adjoints = jnp.concatenate([d[None], adjoints[:-1]])
        pull_params = jax.vjp(lambda some: flatten(step(filled(some, params), h, x))[0], chosen)[1]
        gradient = jax.tree.map(jnp.add, gradient, pull_params(adjoints.sum(axis=0))[0])
        return (linear_maps(step, params, h, x).pull(adjoints), gradient), None

    nothing = jnp.zeros((min(window, T), direct.shape[1]), direct.dtype), jax.tree.map(jnp.zeros_like, chosen)
    start = entry.varying_like(nothing, h0)
    (_, gradient), _ = jax.lax.scan(backward, start, (direct, before, xs), reverse=True)
    return gradient
