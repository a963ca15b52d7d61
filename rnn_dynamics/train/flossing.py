"""Gradient flossing: Lyapunov exponents are pulled to 0, so that gradients neither vanish nor explode.

    penalty = 1/k Σ_{i<=k} λ_i²

Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of Jacobians", NeurIPS.
λ_1 .. λ_k are the largest exponents of the forward dynamics, driven by the inputs of the task, and differentiated
through the frame that measures them. k is how many directions an error is to be carried back along. An exponent of
-inf (a Jacobian that is exactly singular, as relu can make it) makes the penalty inf: ask for fewer.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Cell, Params, memoised
from ..machinery.batch_decision import smallest
from ..measure import lyapunov_spectrum
from .moment import Moment
from .penalty import Penalty, weighted


def flossing(weight: Any, *, k: int, every: int = 1, length: int | None = None, examples: int = 1) -> Penalty:
    """weight/k · Σ λ_i², averaged over trajectories along the first `examples` of the moment; `weight` may be traced.

    Measured over the first `length` steps of an example (None: all), from a random frame drawn with the moment's key,
    and only where `moment.step` is a multiple of `every`: the other updates pay nothing for it. Where it is measured,
    time is that of some four unrolls of k + 1 states and of as many LU factorisations as there are steps, and memory
    O(k n) a step; k = n takes twice the program that fewer do. The gradient is found along with the value, wanted or
    not, and has no derivative itself.
    """
    return weighted(weight, _flossing(along(k, examples, length), argument.size("every", every, 1)))


class Along(NamedTuple):
    """λ_1 .. λ_k are measured along the first `length` steps (None: all) of the first `examples`."""

    k: int
    examples: int
    length: int | None


def along(k: int, examples: int, length: int | None) -> Along:
    """The same, once it is known that these are whole numbers of at least 1."""
    length = None if length is None else argument.size("length", length, 1)
    return Along(argument.size("k", k, 1), argument.size("examples", examples, 1), length)


@memoised
def _flossing(where: Along, every: int) -> Penalty:
    def penalty(moment: Moment) -> Array:
        fixed = jax.lax.stop_gradient(moment.net.cell)

        def measured() -> tuple[Array, Params]:
            def mean_square(params: Params) -> Array:
                return jnp.mean(exponents_of(moment.cell, params, moment.examples.xs, moment.key, where) ** 2)

            return jax.value_and_grad(mean_square)(fixed)

        def nothing() -> tuple[Array, Params]:
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(measured))

        if every == 1:
            return _with_gradient(moment.net.cell, *measured())
        due = moment.step % every == 0
        # of nets that are trained together those that have stopped may stand at another step
        found = jax.lax.cond(~smallest(~due), measured, nothing)
        found = jax.tree.map(lambda leaf: jnp.where(due, leaf, jnp.zeros_like(leaf)), found)
        return _with_gradient(moment.net.cell, *found)

    return penalty


# the gradient is found along with the value, within the branch of the updates that need it: a branch that is
# differentiated from outside would make the others write zeros for all that it keeps for its backward pass
@jax.custom_vjp
def _with_gradient(params: Params, value: Array, gradient: Params) -> Array:
    """The value, with this as its gradient in the parameters."""
    return value


def _backward(gradient: Params, factor: Array) -> tuple[Params, Array, Params]:
    in_params = jax.tree.map(lambda leaf: factor.astype(leaf.dtype) * leaf, gradient)
    return in_params, jnp.zeros_like(factor), jax.tree.map(jnp.zeros_like, gradient)


_with_gradient.defvjp(lambda params, value, gradient: (value, gradient), _backward)


def exponents_of(
    cell: Cell, params: Params, xs: Float[Array, "batch T inputs"], key: Array, where: Along
) -> Float[Array, "examples k"]:
    """λ_1 .. λ_k along each of the trajectories."""
    k, examples, length = where
    batch, T, _ = xs.shape
    if examples > batch:
        raise ValueError(f"examples: got {examples}, expected at most the {batch} in the moment")
    if length is not None and length > T:
        raise ValueError(f"length: got {length}, expected at most the {T} steps of an example")

    def of_one(xs: Array, key: Array) -> Array:
        h0 = cell.initial_state(params)
        # a factorisation each step loses no digits and costs little for few columns; one block has no standard error
        return lyapunov_spectrum(cell.step, params, h0, xs, k=k, every=1, blocks=1, key=key).exponents

    return jax.vmap(of_one)(xs[:examples, :length], jax.random.split(key, examples))
