"""A moment of training: what a probe measures and a penalty judges."""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Int

from ..cells.contract import Cell, Input, Params, State, Step
from .net import Net, loss_of_states, losses_of_states
from .task import Example, Task

Index = int | Int[Array, ""]


class Moment(NamedTuple):
    """A net at one time of its training, with some examples.

    cell      the recurrent map
    task      what is learnt
    net       the parameters, those of the cell prepared: `cell.step` takes them
    examples  a batch of them: held-out ones for a probe, those of the step for a penalty
    key       for what is random in a measurement, another one at each moment
    step      the number of updates made so far
    """

    cell: Cell
    task: Task
    net: Net
    examples: Example
    key: Array
    step: Int[Array, ""]


def example_of(moment: Moment, index: Index = 0) -> Example:
    """One of the examples; JAX takes the last one for a traced index that is too large."""
    held = len(moment.examples.mask)
    if not isinstance(index, jax.core.Tracer) and not 0 <= int(index) < held:
        raise ValueError(f"index: got {index}, expected one of the {held} examples, counted from 0")
    return jax.tree.map(lambda leaf: leaf[index], moment.examples)


def problem(moment: Moment, index: Index = 0) -> tuple[Step, Params, State, Input]:
    """(step, params, h0, xs) along one of the examples: what every measurement is called with."""
    params = moment.net.cell
    return moment.cell.step, params, moment.cell.initial_state(params), example_of(moment, index).xs


def loss_along(moment: Moment, index: Index = 0) -> Callable[[State], Array]:
    """The loss of that example as a function of the states h_1 .. h_T."""
    example = example_of(moment, index)
    return lambda states: loss_of_states(moment.cell, moment.task, moment.net.readout, states, example)


def losses_along(moment: Moment, index: Index = 0) -> Callable[[State], Array]:
    """What each step adds to that loss, (T,), as a function of the states."""
    example = example_of(moment, index)

    def losses(states: State) -> Array:
        return losses_of_states(moment.cell, moment.task, moment.net.readout, states, example)

    return losses
