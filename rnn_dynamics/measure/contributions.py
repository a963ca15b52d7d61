"""Split the parameter gradient into the contribution of each past step to each loss.

    ∂L/∂θ = Σ_t Σ_{k<=t} C_tk,        C_tk = d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,        d_t = ∂⁺L/∂h_t

d_t is the derivative of the loss with the later states held fixed, and ∂⁺h_k/∂θ that of step k with h_{k-1} held
fixed. The sum over lags t - k < K is the gradient of backpropagation truncated to a window of K steps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.printed import Table, fields_of, number, printable
from ..machinery.state_vector import filled, flatten, select
from .gradients import Loss, direct_gradients


@printable
class Contributions(NamedTuple):
    """Contributions of each past step to the parameter gradient, from `gradient_contributions`.

    Attributes:
        norms: ‖C_tk‖, (T, T): entry [t - 1, k - 1] is the norm of step k's contribution to the gradient of the loss at
            time t; zero for k > t.
        by_lag: Σ_t C_{t,t-ℓ} for every lag ℓ = 0 .. T - 1, a tree like the parameters with a leading axis T.
        gradient: ∂L/∂θ, the signed sum of all contributions, a tree like the parameters.
    """

    norms: Float[Array, "T T"]
    by_lag: Params
    gradient: Params

    def _headline(self) -> str:
        T = np.shape(self.norms)[-1]
        size = np.sqrt(sum(np.sum(np.abs(np.asarray(leaf)) ** 2) for leaf in jax.tree.leaves(self.gradient)))
        return f"(T={T}): largest term {number(np.max(self.norms))}; ‖∂L/∂θ‖ = {number(size)}"

    def _table(self) -> Table:
        if np.ndim(self.norms) > 2:
            return fields_of(self)
        rows = [
            [str(lag), number(terms.max()), number(np.linalg.norm(terms))]
            for lag, terms in ((lag, np.diagonal(self.norms, -lag)) for lag in range(len(self.norms)))
        ]
        return Table(["lag", "largest term", "root of sum of squares"], rows)


def gradient_contributions(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    length: int | None = None,
    wrt: tuple[str, ...] | None = None,
) -> Contributions:
    """Measure how much each past step contributes to the parameter gradient of each loss.

        ∂L/∂θ = Σ_t Σ_{k<=t} C_tk,   C_tk = d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,   d_t = ∂⁺L/∂h_t

    C_tk is the part of the gradient of the loss at time t that comes from the use of θ in step k. Use it to see how
    far back a gradient reaches; `truncation_bias` turns it into the error of truncated backpropagation.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters θ, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        loss: A function of the states as `unroll` stacks them. It returns L, a real scalar, or the terms of L, one real
            number for each time, (T,).
        length: T, needed where xs is None.
        wrt: The leaves of the parameters to differentiate, by their paths, such as ("W",) or ("forget.W",). Default:
            all of them.

    Returns:
        A `Contributions`. Leaves that `wrt` does not name are None in its trees.

    Cost:
        Time O(T²) pullbacks of a step to θ. Memory O(T n) for the adjoints and O(T |θ|), never T² gradients.

    Example:
        >>> found = rd.gradient_contributions(
        ...     lambda a, h, x: a * h + x, jnp.array(0.5), jnp.zeros(()), jnp.ones(3), lambda states: states[-1]
        ... )
        >>> found.norms[-1]
        Array([0. , 0.5, 1.5], dtype=float32)
    """
    length, T = entry.checked(step, params, h0, xs, length)
    step = entry.traced_step(step, params, h0, entry.first(xs))
    return _contributions(step, params, h0, xs, entry.traced_loss(loss, step, T), T=T, wrt=wrt)


@entry.compiled()
def _contributions(
    step: Step, params: Params, h0: State, xs: Input, loss: Loss, *, T: int, wrt: tuple[str, ...] | None
) -> Contributions:
    h0 = entry.opened(step, params, h0, xs)
    chosen = entry.varying_like(select(params, wrt), h0)  # the terms of each device, not their sum
    before, direct = direct_gradients(step, loss, params, h0, xs, T)

    def backward(carry: tuple[Array, Params], now: tuple[Array, State, Input]) -> tuple[tuple[Array, Params], Array]:
        """Go back over step k. Before it, row t of `adjoints` is d_t J_t ··· J_{k+1}, zero for t < k."""
        adjoints, by_lag = carry
        k, h, x = now
        adjoints = adjoints.at[k].set(direct[k])
        pull_params = jax.vjp(lambda some: flatten(step(filled(some, params), h, x))[0], chosen)[1]
        terms = jax.vmap(lambda a: pull_params(a)[0])(adjoints)
        squares = [jnp.sum(jnp.abs(leaf.reshape(T, -1)) ** 2, axis=1) for leaf in jax.tree.leaves(terms)]
        # row t belongs to lag t - k; the rows before k are zero and roll to the end
        by_lag = jax.tree.map(lambda total, term: total + jnp.roll(term, -k, axis=0), by_lag, terms)
        return (linear_maps(step, params, h, x).pull(adjoints), by_lag), jnp.sqrt(sum(squares))

    nothing = jax.tree.map(lambda leaf: jnp.zeros((T, *leaf.shape), leaf.dtype), chosen)
    start = entry.varying_like((jnp.zeros_like(direct), nothing), h0)
    (_, by_lag), norms = jax.lax.scan(backward, start, (jnp.arange(T), before, xs), reverse=True)
    by_lag = jax.tree.map(jnp.conj, by_lag)
    return Contributions(norms.T, by_lag, jax.tree.map(lambda leaf: leaf.sum(axis=0), by_lag))
