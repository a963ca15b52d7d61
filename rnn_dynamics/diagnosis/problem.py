"""What is diagnosed: a step, its parameters, and a batch of input sequences with one initial state.

One sequence becomes a batch of one, and an undriven net one that is driven by inputs of no numbers, so that everything
behind this file sees leading axes (sequences, T).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.contract import Input, Params, State, Step

OUTSIDE = "rd.diagnose decides on the host what to measure; call it outside of jit, vmap, grad and scan"


class Problem(NamedTuple):
    """A net and the sequences that it is measured on.

    Attributes:
        step: The map `step(params, state, x) -> state` of one unbatched state.
        params: Its parameters.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, with leading axes (sequences, T).
        steps: T.
        sequences: The number of sequences.
        loss: `loss(states)`, or `loss(states, target)` where there are targets; None without a loss.
        targets: A pytree with leading axis (sequences,), or None.
        horizon: How many steps back the task needs a gradient to reach, or None.
    """

    step: Step
    params: Params
    h0: State
    xs: Input
    steps: int
    sequences: int
    loss: Callable[..., Any] | None = None
    targets: Any = None
    horizon: int | None = None

    def sequence(self, which: int) -> Input:
        """Return the inputs of one sequence, (T, ...)."""
        return jax.tree.map(lambda leaf: leaf[which], self.xs)

    def loss_of(self, loss: Callable[..., Any], which: int) -> Callable[[State], Any]:
        """Return the loss of one sequence as a function of its states alone."""
        if self.targets is None:
            return loss
        target = jax.tree.map(lambda leaf: leaf[which], self.targets)
        return lambda states: loss(states, target)

    def up_to(self, steps: int) -> "Problem":
        """Return the problem with only the first steps, and so without its loss."""
        xs = jax.tree.map(lambda leaf: leaf[:, :steps], self.xs)
        return self._replace(xs=xs, steps=steps, loss=None, targets=None)


def problem_of(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None,
    batched: bool | None,
    loss: Callable[..., Any] | None,
    targets: Any,
    horizon: int | None,
    sequences: int,
) -> Problem:
    """Check the arguments of `rd.diagnose`, and decide whether xs is one sequence or a batch."""
    if not callable(step):
        raise TypeError(f"step: got {step!r}, expected a function step(params, state, x) -> state")
    for name, tree in {"params": params, "h0": h0, "xs": xs, "targets": targets}.items():
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree)):
            raise TypeError(f"{name}: got a traced array. {OUTSIDE}")
    if loss is not None and not callable(loss):
        raise TypeError(f"loss: got {loss!r}, expected a function loss(states) or loss(states, target)")
    if targets is not None and loss is None:
        raise TypeError("targets: got targets without a loss, expected loss=, a function loss(states, target)")
    horizon = None if horizon is None else argument.size("horizon", horizon, 1)
    xs, targets = jax.tree.map(jnp.asarray, (xs, targets))
    if not all(np.ndim(leaf) for leaf in jax.tree.leaves(xs)):
        raise TypeError(
            "xs: got single numbers, expected arrays with leading axes; make lists arrays by jnp.asarray(xs)"
        )
    if xs is None or not jax.tree.leaves(xs):
        return _undriven(step, params, h0, length, loss, targets, horizon)
    if not is_batch(step, params, h0, xs, batched):
        xs, targets = jax.tree.map(lambda leaf: leaf[None], (xs, targets))
    total, steps = _leading_axes(xs)
    if length is not None and length != steps:
        raise ValueError(f"length: got {length!r}, but xs has {steps} steps; leave it out")
    for leaf in jax.tree.leaves(targets):
        if np.shape(leaf)[:1] != (total,):
            raise ValueError(f"targets: got shape {np.shape(leaf)}, expected a leading axis of {total} sequences")
    used = min(argument.size("sequences", sequences, 1), total)
    xs, targets = jax.tree.map(lambda leaf: leaf[:used], (xs, targets))
    return Problem(step, params, h0, xs, steps, used, loss, targets, horizon)


def _undriven(
    step: Step, params: Params, h0: State, length: Any, loss: Any, targets: Any, horizon: int | None
) -> Problem:
    """Return an undriven net as one driven by inputs of no numbers."""
    if length is None:
        raise ValueError("length: got None with xs=None, expected the number of steps of the undriven net")
    T = argument.size("length", length, 2)
    targets = jax.tree.map(lambda leaf: leaf[None], targets)

    def undriven(params: Params, h: State, x: Input) -> State:
        return step(params, h, None)

    return Problem(undriven, params, h0, jnp.zeros((1, T, 0)), T, 1, loss, targets, horizon)


def is_batch(step: Step, params: Params, h0: State, xs: Input, batched: bool | None) -> bool:
    """Return whether xs has leading axes (sequences, T) rather than (T,), by trying the step with both."""
    errors = {way: _error_of(step, params, h0, xs, way) for way in (False, True)}
    if batched is not None:
        batched = argument.flag("batched", batched)
        if errors[batched] is not None:
            raise ValueError(f"xs: got {_shapes(xs)} with batched={batched}, but then {errors[batched]}")
        return batched
    if errors[False] is None and errors[True] is None:
        raise ValueError(
            f"batched: step takes xs of shape {_shapes(xs)} both as one sequence, with x of shape {_shapes(xs, 1)}, "
            f"and as a batch, with x of shape {_shapes(xs, 2)}; say batched=False or batched=True"
        )
    if errors[False] is not None and errors[True] is not None:
        raise ValueError(
            f"xs: got {_shapes(xs)}, which fits neither as one sequence with leading axis T ({errors[False]}) nor as a "
            f"batch with leading axes (sequences, T) ({errors[True]}); h0 is one state, without a batch axis"
        )
    return errors[True] is None


def _error_of(step: Step, params: Params, h0: State, xs: Input, batched: bool) -> str | None:
    """Return why the step does not take the inputs this way, or None if it does."""
    axes = 2 if batched else 1
    if any(np.ndim(leaf) < axes for leaf in jax.tree.leaves(xs)):
        return f"xs has fewer than {axes} axes"
    x = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[axes:], leaf.dtype), xs)
    try:
        after = jax.eval_shape(lambda *args: step(*args), params, h0, x)
    except Exception as error:  # whatever the user's step raises for a wrong shape
        return f"step raises {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    trees: list[Any] = [jax.tree.structure(after), jax.tree.structure(h0)]
    if trees[0] != trees[1]:
        return f"step returns a tree {trees[0]} and h0 is {trees[1]}"
    shapes = [[jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (h0, after)]
    return None if shapes[0] == shapes[1] else f"step turns a state of shape {shapes[0]} into {shapes[1]}"


def _shapes(xs: Input, without: int = 0) -> str:
    return ", ".join(str(np.shape(leaf)[without:]) for leaf in jax.tree.leaves(xs))


def _leading_axes(xs: Input) -> tuple[int, int]:
    sizes = {np.shape(leaf)[:2] for leaf in jax.tree.leaves(xs)}
    if len(sizes) != 1:
        raise ValueError(f"xs: got leading axes {sorted(sizes)}, expected the same (sequences, T) for every array")
    sequences, steps = sizes.pop()
    if sequences < 1 or steps < 2:
        raise ValueError(f"xs: got {sequences} sequences of {steps} steps, expected at least 1 sequence of 2 steps")
    return sequences, steps
