"""Ω, the penalty on gradients that shrink or grow from one step back to the next.

    Ω = Σ_k Ω_k,    Ω_k = (‖∂L/∂h_{k+1} · ∂h_{k+1}/∂h_k‖ / ‖∂L/∂h_{k+1}‖ - 1)²,    k = 1 .. T-1

Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural networks", section 3.3. L is the loss
of one example, and ∂L/∂h_{k+1} is its total derivative, through every later state as well. Only the direction of the
error has to keep its length; the rest of the Jacobian is free.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Cell, Input, State
from ..machinery.linear_maps import linear_maps
from ..machinery.scaled import exponent_of, power_of_two
from ..measure.gradients import direct_gradients
from .moment import Moment
from .net import Net, loss_of_states
from .penalty import Penalty, weighted
from .task import Example, Task


def norm_preserving(weight: Any, *, immediate: bool = False) -> Penalty:
    """Make the penalty Ω, which keeps the norm of the gradient from one step back to the next.

        Ω = Σ_k Ω_k,    Ω_k = (‖∂L/∂h_{k+1} · ∂h_{k+1}/∂h_k‖ / ‖∂L/∂h_{k+1}‖ - 1)²,    k = 1 .. T-1

    L is the loss of one example, ∂L/∂h_{k+1} its total derivative. Only the direction of the error has to keep its
    length; the rest of the Jacobian is free. Ω is averaged over the examples of the moment.

    Ω_k counts as 0 where no entry of ∂L/∂h_{k+1} reaches the smallest normal number of its type (1e-38 in float32):
    after the last step that is scored, and before the step at which the gradient has vanished. Where the Jacobian maps
    the gradient to exactly 0, Ω_k is 1 and its derivative counts as 0. A gradient that is not finite makes Ω NaN.

    Args:
        weight: The weight of the penalty, at least 0; may be traced.
        immediate: False takes the derivative of all of Ω, with second derivatives of the step, through the states and
            through ∂L/∂h. True takes the derivative of the paper, which treats every h_k and ∂L/∂h_{k+1} as constants,
            so that the parameters act only through ∂h_{k+1}/∂h_k. The value of Ω is the same.

    Returns:
        A `Penalty`, the same object for equal Python numbers.

    Cost:
        A few times the time and about twice the memory of the gradient of the loss; about half of that if `immediate`.

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=2.0, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> round(float(rd.train.norm_preserving(0.5)(moment)), 3)  # each of T - 1 = 4 steps doubles the gradient
        2.0

    References:
        Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural networks", section 3.3.
    """
    return weighted(weight, _immediate if argument.flag("immediate", immediate) else _whole)


def _whole(moment: Moment) -> Float[Array, ""]:
    return _mean_over_examples(moment, immediate=False)


def _immediate(moment: Moment) -> Float[Array, ""]:
    return _mean_over_examples(moment, immediate=True)


def _mean_over_examples(moment: Moment, *, immediate: bool) -> Float[Array, ""]:
    def omega(example: Example) -> Array:
        return omega_of_example(moment.cell, moment.task, moment.net, example, immediate=immediate)

    return jnp.mean(jax.vmap(omega)(moment.examples))


def omega_of_example(cell: Cell, task: Task, net: Net, example: Example, *, immediate: bool) -> Float[Array, ""]:
    """Compute Ω of one example by one unroll and one backward pass, which pulls ∂L/∂h_{k+1} back as it goes."""

    def held(tree: Any) -> Any:
        return jax.lax.stop_gradient(tree) if immediate else tree

    fixed, T = held(net), len(example.mask)

    def loss(states: State) -> Array:
        return loss_of_states(cell, task, fixed.readout, states, example)

    h0 = cell.initial_state(fixed.params)
    before, direct = direct_gradients(cell.step, loss, fixed.params, h0, example.xs, T)

    def backward(a: Array, at: tuple[State, Input, Array]) -> tuple[Array, Array]:
        h, x, d = at
        pulled = linear_maps(cell.step, net.params, h, x).pull(a[None])[0]
        return held(d + pulled), deviation(a, pulled)

    after_first = jax.tree.map(lambda leaf: leaf[1:], (before, example.xs))
    _, deviations = jax.lax.scan(backward, held(direct[-1]), (*after_first, direct[:-1]), reverse=True)
    return jnp.sum(deviations)


def deviation(a: Float[Array, " n"], pulled: Float[Array, " n"]) -> Float[Array, ""]:
    """Compute (‖pulled‖ / ‖a‖ - 1)², or 0 where a has vanished; its derivative is finite everywhere."""
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(a)))
    vanished = largest < jnp.finfo(a.dtype).tiny  # False for NaN, so that NaN reaches the result
    unit = power_of_two(-exponent_of(largest), a.dtype)  # so that squares of small gradients do not underflow
    ratio = _norm(pulled * unit) / jnp.where(vanished, 1, _norm(a * unit))
    return jnp.where(vanished, 0, (ratio - 1) ** 2)


def _norm(vector: Float[Array, " n"]) -> Float[Array, ""]:
    """Compute ‖vector‖, with a derivative of 0 at 0."""
    squares = jnp.sum(vector**2)
    zero = squares == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))
