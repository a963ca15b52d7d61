"""Gradient flossing: a penalty that pulls Lyapunov exponents to 0, so that gradients neither vanish nor explode.

    penalty = 1/k Σ_{i<=k} λ_i²

Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of Jacobians", NeurIPS.
λ_1 .. λ_k are the largest exponents of the forward dynamics, driven by the inputs of the task. The derivative goes
through the frame that measures them.
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
    """Make a penalty that pulls the k largest Lyapunov exponents to 0 (gradient flossing).

        weight/k · Σ_{i<=k} λ_i²,    averaged over trajectories along the first `examples` of the moment

    λ_1 .. λ_k are the exponents of the forward dynamics, driven by the inputs of the task and differentiated through
    the frame that measures them. k is the number of directions along which errors are to be carried back. The frame
    starts at random, drawn with the moment's key. An exponent of -inf (from an exactly singular Jacobian, which relu
    can give) makes the penalty inf; use a smaller k then. The gradient is always computed along with the value, and has
    no derivative itself.

    Args:
        weight: The weight of the penalty, at least 0; may be traced.
        k: The number of exponents, from 1 to n.
        every: Measure only where `moment.updates` is a multiple of this; other updates cost nothing and get 0. Default:
            1.
        length: Measure over this many first steps of an example. Default: all.
        examples: The number of examples to average over. Default: 1.

    Returns:
        A `Penalty`, the same object for equal Python numbers.

    Cost:
        For each update that measures, the time of about four unrolls of k + 1 states and one LU factorisation a step,
        and memory O(k n) a step. For k = n the compiled program is twice as large as for smaller k.

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=np.e, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> round(float(rd.train.flossing(0.5, k=2)(moment)), 3)  # every exponent is ln e = 1
        0.5

    References:
        Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of Jacobians", NeurIPS.
    """
    return weighted(weight, _flossing(along(k, examples, length), argument.size("every", every, 1)))


class Along(NamedTuple):
    """Where exponents are measured: λ_1 .. λ_k, along the first `length` steps (None: all) of the first `examples`."""

    k: int
    examples: int
    length: int | None


def along(k: int, examples: int, length: int | None) -> Along:
    """Return an `Along` after checking that its entries are whole numbers of at least 1."""
    length = None if length is None else argument.size("length", length, 1)
    return Along(argument.size("k", k, 1), argument.size("examples", examples, 1), length)


@memoised
def _flossing(where: Along, every: int) -> Penalty:
    def penalty(moment: Moment) -> Array:
        fixed = jax.lax.stop_gradient(moment.net.params)

        def measured() -> tuple[Array, Params]:
            def mean_square(params: Params) -> Array:
                return jnp.mean(exponents_of(moment.cell, params, moment.examples.xs, moment.key, where) ** 2)

            return jax.value_and_grad(mean_square)(fixed)

        def nothing() -> tuple[Array, Params]:
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(measured))

        if every == 1:
            return _with_gradient(moment.net.params, *measured())
        due = moment.updates % every == 0
        # when several nets train together, those that have stopped may have made another number of updates
        found = jax.lax.cond(~smallest(~due), measured, nothing)
        found = jax.tree.map(lambda leaf: jnp.where(due, leaf, jnp.zeros_like(leaf)), found)
        return _with_gradient(moment.net.params, *found)

    return penalty


# the gradient is computed with the value, inside the branch that measures: differentiating the branch from outside
# would make the other branch write zeros for everything that this one keeps for its backward pass
@jax.custom_vjp
def _with_gradient(params: Params, value: Array, gradient: Params) -> Array:
    """Return the value, with `gradient` as its gradient in the parameters."""
    return value


def _backward(gradient: Params, factor: Array) -> tuple[Params, Array, Params]:
    in_params = jax.tree.map(lambda leaf: factor.astype(leaf.dtype) * leaf, gradient)
    return in_params, jnp.zeros_like(factor), jax.tree.map(jnp.zeros_like, gradient)


_with_gradient.defvjp(lambda params, value, gradient: (value, gradient), _backward)


def exponents_of(
    cell: Cell, params: Params, xs: Float[Array, "batch T inputs"], key: Array, where: Along
) -> Float[Array, "examples k"]:
    """Measure λ_1 .. λ_k along each of the trajectories."""
    k, examples, length = where
    batch, T, _ = xs.shape
    if examples > batch:
        raise ValueError(f"examples: got {examples}, expected at most the {batch} in the moment")
    if length is not None and length > T:
        raise ValueError(f"length: got {length}, expected at most the {T} steps of an example")

    def of_one(xs: Array, key: Array) -> Array:
        h0 = cell.initial_state(params)
        # factorising at each step loses no digits and is cheap for few columns; one segment gives no standard error
        return lyapunov_spectrum(cell.step, params, h0, xs, k=k, interval=1, segments=1, key=key).exponents

    return jax.vmap(of_one)(xs[:examples, :length], jax.random.split(key, examples))
