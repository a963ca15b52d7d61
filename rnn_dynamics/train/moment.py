"""A moment of training: the argument of probes and penalties, and what they need from it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Int

from ..cells.contract import Cell, Input, Params, State, Step
from .net import Net, loss_of_states, losses_of_states
from .task import Example, Task

Index = int | Int[Array, ""]


class Moment(NamedTuple):
    """A net at one time of its training, with some examples: the argument of every probe and penalty.

    Attributes:
        cell: The recurrent map.
        task: What the net learns.
        net: The parameters; those of the cell are prepared (`cell.prepare`), and `cell.step` takes them.
        examples: A batch of examples with a leading axis: held-out ones for a probe, those of the update for a penalty.
        key: A random key for the measurement, a different one at each moment.
        updates: The number of updates made so far.

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> moment.examples.xs.shape
        (2, 5, 2)
    """

    cell: Cell
    task: Task
    net: Net
    examples: Example
    key: Array
    updates: Int[Array, ""]


def example_of(moment: Moment, index: Index = 0) -> Example:
    """Return one of the examples of a moment.

    Args:
        moment: The moment.
        index: Which example, counted from 0; may be traced. JAX takes the last one for a traced index that is too
            large.

    Returns:
        An `Example` without the leading axis.

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> rd.train.example_of(moment, 1).xs.shape
        (5, 2)
    """
    held = len(moment.examples.mask)
    if not isinstance(index, jax.core.Tracer) and not 0 <= int(index) < held:
        raise ValueError(f"index: got {index}, expected one of the {held} examples, counted from 0")
    return jax.tree.map(lambda leaf: leaf[index], moment.examples)


def problem(moment: Moment, index: Index = 0) -> tuple[Step, Params, State, Input]:
    """Return `(step, params, h0, xs)` along one example: the arguments of every measurement of `rnn_dynamics`.

    Args:
        moment: The moment.
        index: Which example, counted from 0; may be traced.

    Returns:
        The step of the cell, its parameters, its initial state and the inputs of the example, (T, inputs).

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> rd.unroll(*rd.train.problem(moment)).shape
        (5, 3)
    """
    params = moment.net.params
    return moment.cell.step, params, moment.cell.initial_state(params), example_of(moment, index).xs


def loss_along(moment: Moment, index: Index = 0) -> Callable[[State], Array]:
    """Return the loss of one example as a function of its states, for `rd.state_gradients` and the like.

    Args:
        moment: The moment.
        index: Which example, counted from 0; may be traced.

    Returns:
        A function of the states h_1 .. h_T, stacked as `rd.unroll` stacks them, to the mean loss over the steps that
        count.

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> rd.state_gradients(*rd.train.problem(moment), rd.train.loss_along(moment)).shape
        (5, 3)
    """
    example = example_of(moment, index)
    return lambda states: loss_of_states(moment.cell, moment.task, moment.net.readout, states, example)


def losses_along(moment: Moment, index: Index = 0) -> Callable[[State], Array]:
    """Return the terms that the steps of one example add to its loss, as a function of its states.

    Args:
        moment: The moment.
        index: Which example, counted from 0; may be traced.

    Returns:
        A function of the states h_1 .. h_T to (T,) terms, whose sum is the loss of `loss_along`; 0 at steps that do not
        count.

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> rd.train.losses_along(moment)(jnp.zeros((5, 3)))[:4].tolist()  # only the last step counts
        [0.0, 0.0, 0.0, 0.0]
    """
    example = example_of(moment, index)

    def losses(states: State) -> Array:
        return losses_of_states(moment.cell, moment.task, moment.net.readout, states, example)

    return losses
