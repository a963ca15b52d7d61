"""The gradient in the parameters taken apart: which step of the past contributed how much to which loss.

    ∂L/∂θ = Σ_t Σ_{k<=t} C_tk,        C_tk = d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,        d_t = ∂⁺L/∂h_t

d_t is what the loss sees of h_t itself, the later states held, and ∂⁺h_k/∂θ the derivative of step k alone, h_{k-1}
held. Summed over the lag t - k < K it is the gradient of backpropagation truncated to a window of K steps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.state_vector import filled, flatten, select
from .gradients import Loss, direct_gradients


class Contributions(NamedTuple):
    """What `gradient_contributions` returns; entry [t, k] of a table counts both from 0 for h_1.

    norms      ‖C_tk‖, (T, T), zero for k > t
    by_lag     Σ_t C_{t,t-ℓ} for every lag ℓ = 0 .. T - 1: the tree of parameters with a leading axis
    gradient   ∂L/∂θ, the signed sum of them all
    """

    norms: Float[Array, "T T"]
    by_lag: Params
    gradient: Params


def gradient_contributions(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    losses: Loss,
    *,
    length: int | None = None,
    wrt: tuple[str, ...] | None = None,
) -> Contributions:
    """The T × T table of the double sum for L = Σ `losses(states)`, a scalar or one number for each time.

    `wrt` names the leaves of the parameters to look at by their paths, such as ("W",) or ("forget.W",); None takes
    all. Time O(T²) pullbacks of a step in θ; memory O(T n) for the adjoints and O(T |θ|), never T² gradients.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    T = entry.time_steps(xs, entry.whole_number("length", length))
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _contributions(step, params, h0, xs, entry.traced_loss(losses, step, T), T=T, wrt=wrt)


@entry.compiled("T", "wrt")
def _contributions(
    step: Step, params: Params, h0: State, xs: Input, losses: Loss, *, T: int, wrt: tuple[str, ...] | None
) -> Contributions:
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    chosen = entry.varying_like(select(params, wrt), h0)  # each device's own terms, not their sum
    before, direct = direct_gradients(step, losses, params, h0, xs, T)

    def backward(carry: tuple[Array, Params], moment: tuple[Array, State, Input]) -> tuple[tuple[Array, Params], Array]:
        """At step k: row t of `adjoints` is d_t J_t ··· J_{k+1}, zero for t < k."""
        adjoints, by_lag = carry
        k, h, x = moment
        adjoints = adjoints.at[k].set(direct[k])
        pull_params = jax.vjp(lambda some: flatten(step(filled(some, params), h, x))[0], chosen)[1]
        terms = jax.vmap(lambda a: pull_params(a)[0])(adjoints)
        squares = [jnp.sum(jnp.abs(leaf.reshape(T, -1)) ** 2, axis=1) for leaf in jax.tree.leaves(terms)]
        # row t goes to lag t - k; the rows before k are zero and roll to the end
        by_lag = jax.tree.map(lambda total, term: total + jnp.roll(term, -k, axis=0), by_lag, terms)
        return (linear_maps(step, params, h, x).pull(adjoints), by_lag), jnp.sqrt(sum(squares))

    nothing = jax.tree.map(lambda leaf: jnp.zeros((T, *leaf.shape), leaf.dtype), chosen)
    start = entry.varying_like((jnp.zeros_like(direct), nothing), h0)
    (_, by_lag), norms = jax.lax.scan(backward, start, (jnp.arange(T), before, xs), reverse=True)
    by_lag = jax.tree.map(jnp.conj, by_lag)
    return Contributions(norms.T, by_lag, jax.tree.map(lambda leaf: leaf.sum(axis=0), by_lag))
