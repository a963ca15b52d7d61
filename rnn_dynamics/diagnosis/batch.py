"""What the measurements of a batch share: sequences with leading axes (sequences, T), and a loss of each of them.

    L = mean over the sequences of loss(states)  or  loss(states, target)

`loss` is that of the other measurements: a function of one sequence's states as `unroll` stacks them, which returns L
or the T terms whose sum is L. With `targets`, a pytree whose leading axis is the sequences, it also gets the target.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..measure.gradients import Loss


def leading_axes(xs: Input) -> tuple[int, int]:
    """Return the number of sequences and T, from inputs with leading axes (sequences, T)."""
    sizes = {np.shape(leaf)[:2] for leaf in jax.tree.leaves(xs)}
    if len(sizes) != 1 or len(next(iter(sizes))) != 2:
        raise ValueError(f"xs: got leading axes {sorted(sizes)}, expected the same (sequences, T) for every array")
    sequences, T = sizes.pop()
    if min(sequences, T) < 1:
        raise ValueError(f"xs: got {sequences} sequences of {T} steps, expected at least 1 of each")
    return sequences, T


def traced_step(step: Step, params: Params, h0: State, xs: Input) -> Traced:
    """Check the arguments and trace the step for one sequence, with the arrays that it captures now."""
    entry.enter(step, params=params, h0=h0, xs=xs)
    return entry.traced_step(step, params, h0, jax.tree.map(lambda leaf: _within(leaf, 2), xs))


def traced_loss(loss: Loss, step: Traced, T: int, targets: Any) -> Traced:
    """Trace the loss of one sequence as a function of its states and, where there are targets, of its target."""
    if targets is None:
        return entry.traced_loss(lambda states, _: loss(states), step, T, None)
    return entry.traced_loss(loss, step, T, jax.tree.map(lambda leaf: _within(leaf, 1), targets))


def floating_ones(params: Params) -> Params:
    """Return the parameters that have a gradient, with None in place of whole numbers and flags."""
    return jax.tree.map(lambda leaf: leaf if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) else None, params)


def _within(leaf: Any, axes: int) -> jax.ShapeDtypeStruct:
    """Return the shape and dtype of an array without its first axes."""
    return jax.ShapeDtypeStruct(np.shape(leaf)[axes:], jnp.result_type(leaf))
