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
    """Parameters of V h + c."""

    V: Float[Array, "outputs width"]
    c: Float[Array, " outputs"]


class Net(NamedTuple):
    """What is trained: the parameters of the cell and of the readout."""

    cell: Params
    readout: Readout


def init_net(cell: Cell, task: Task, *, key: Array, hidden: Any = 64, **options: Any) -> Net:
    """A net for the task; `hidden` and the options are those of the cell's own `init`."""
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    key_cell, key_readout = jax.random.split(argument.key(key))
    params = cell.init(key_cell, inputs=task.inputs, hidden=hidden, **options)
    shown = jax.eval_shape(lambda p: cell.output(cell.initial_state(p)), params)
    V = jax.random.normal(key_readout, (task.outputs, shown.shape[0]), shown.dtype) / math.sqrt(shown.shape[0])
    return Net(params, Readout(V, jnp.zeros((task.outputs,), shown.dtype)))


def answer(cell: Cell, readout: Readout, state: State) -> Float[Array, " outputs"]:
    """y = V output(h) + c of one state."""
    return readout.V @ cell.output(state) + readout.c


def losses_of_states(cell: Cell, task: Task, readout: Readout, states: State, example: Example) -> Float[Array, " T"]:
    """What each step adds to the loss of one example: its own over the number of those that count, or 0."""

    def at(state: State, target: Array) -> Array:
        return task.loss(answer(cell, readout, state), target)

    values = jax.vmap(at)(states, example.targets)
    return jnp.where(example.mask, values, 0) / jnp.sum(example.mask).astype(values.dtype)


def loss_of_states(cell: Cell, task: Task, readout: Readout, states: State, example: Example) -> Float[Array, ""]:
    """The mean loss of one example over the steps that count, from the states h_1 .. h_T."""
    return jnp.sum(losses_of_states(cell, task, readout, states, example))
