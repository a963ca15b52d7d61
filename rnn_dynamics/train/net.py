"""A cell and the affine readout above it: y_t = V output(h_t) + c.

Initial weights of the readout: V ~ N(0, 1/width), c = 0.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Cell, Params, State
from .task import Example, Task


class Readout(NamedTuple):
    """The parameters of the readout y = V output(h) + c.

    Attributes:
        V: (outputs, width) the weights; the width is the size of what the cell outputs.
        c: (outputs,) the bias.
    """

    V: Float[Array, "outputs width"]
    c: Float[Array, " outputs"]


class Net(NamedTuple):
    """The parameters that training changes.

    Attributes:
        params: The parameters of the cell.
        readout: The parameters of the readout.
    """

    params: Params
    readout: Readout


def init_net(cell: Cell, task: Task, *, key: Array, hidden: Any = 64, **options: Any) -> Net:
    """Draw a net for a task: the parameters of the cell, and a readout of the outputs that the task needs.

        y_t = V output(h_t) + c,    V ~ N(0, 1/width),    c = 0

    Args:
        cell: The recurrent map.
        task: The task, which sets the numbers of inputs and outputs.
        key: A JAX random key.
        hidden: The size that the cell's `init` takes. Default: 64 units.
        **options: Other options of the cell's `init`, such as `gain` or `recurrent`.

    Returns:
        A `Net`.

    Cost:
        That of the cell's `init`, and O(outputs · width) for the readout.

    Example:
        >>> net = rd.train.init_net(rd.cells.gru, rd.train.tasks.adding(10), key=key, hidden=5)
        >>> net.readout.V.shape, net.readout.c.tolist()
        ((1, 5), [0.0])
    """
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    key_cell, key_readout = jax.random.split(argument.key(key))
    params = cell.init(key_cell, inputs=task.inputs, hidden=hidden, **options)
    shown = jax.eval_shape(lambda p: cell.output(cell.initial_state(p)), params)
    V = jax.random.normal(key_readout, (task.outputs, shown.shape[0]), shown.dtype) / math.sqrt(shown.shape[0])
    return Net(params, Readout(V, jnp.zeros((task.outputs,), shown.dtype)))


def answer(cell: Cell, readout: Readout, state: State) -> Float[Array, " outputs"]:
    """Compute y = V output(h) + c for one state."""
    return readout.V @ cell.output(state) + readout.c


def losses_of_states(cell: Cell, task: Task, readout: Readout, states: State, example: Example) -> Float[Array, " T"]:
    """Compute each step's term in the loss of one example: its loss over the number that count, or 0."""

    def at(state: State, target: Array) -> Array:
        return task.loss(answer(cell, readout, state), target)

    values = jax.vmap(at)(states, example.targets)
    return jnp.where(example.mask, values, 0) / jnp.sum(example.mask).astype(values.dtype)


def loss_of_states(cell: Cell, task: Task, readout: Readout, states: State, example: Example) -> Float[Array, ""]:
    """Compute the mean loss of one example over the steps that count, from the states h_1 .. h_T."""
    return jnp.sum(losses_of_states(cell, task, readout, states, example))
