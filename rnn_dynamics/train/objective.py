"""The loss of a net on a batch, with the states of the whole batch unrolled together, step by step.

    h_t = step(params, h_{t-1}, x_t) + noise · ξ_t,  ξ ~ N(0, 1)        L = mean over the examples of their losses

Truncation after every K steps treats the derivative of h_{mK+1} with respect to h_{mK} as 0 (truncated backpropagation
through time). The loss is unchanged; its gradient contains no dependence across these times.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Cell, Params, State
from ..measure import unroll
from .clipping import clip_each_step
from .net import Net, answer, loss_of_states
from .options import Unrolling
from .task import Example, Task, mean_over_mask


def precision(net: Net) -> Any:
    """Return the dtype of the net's answers."""
    return net.readout.c.dtype


def prepared(cell: Cell, net: Net) -> Net:
    """Return the net with everything that is the same in each step computed once."""
    return Net(cell.prepare(net.params), net.readout)


def draw(task: Task, keys: Array, dtype: Any) -> Example:
    """Draw one example for each key, with its numbers in the given precision."""

    def cast(leaf: Array) -> Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, jax.vmap(task.sample)(keys))


def states_of(
    cell: Cell,
    params: Params,
    xs: Float[Array, "batch T inputs"],
    unrolling: Unrolling,
    noise: Float[Array, ""] | None = None,
    keys: Array | None = None,
) -> State:
    """Compute the states h_1 .. h_T of every example, leaves (T, batch, ...), from prepared parameters."""
    batch, T, _ = xs.shape
    zero = cell.initial_state(params)
    h0 = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (batch, *leaf.shape)), zero)
    if unrolling.clip_each_step is not None:
        # the gradient that passes back is that of a mean over the batch
        cell = clip_each_step(cell, unrolling.clip_each_step / batch)
    every_example = jax.vmap(cell.step, (None, 0, 0))

    def step(params: Params, h: State, now: tuple[Array, Array]) -> State:
        x, t = now
        if unrolling.truncate is not None:
            cut = t % unrolling.truncate == 0
            h = jax.tree.map(lambda leaf: jnp.where(cut, jax.lax.stop_gradient(leaf), leaf), h)
        h = every_example(params, h, x)
        return h if noise is None or keys is None else jax.vmap(partial(disturbed, noise=noise, t=t))(keys, h)

    times = jnp.moveaxis(xs, 1, 0), jnp.arange(T, dtype=jnp.int32)
    return unroll(step, params, h0, times, keep_every=unrolling.keep_every)


def disturbed(key: Array, h: State, *, noise: Float[Array, ""], t: Array) -> State:
    """Add Gaussian noise to every number of the state of one example."""
    leaves, tree = jax.tree.flatten(h)
    keys = jax.random.split(jax.random.fold_in(key, t), len(leaves))
    noisy = [
        leaf + (noise * jax.random.normal(key, leaf.shape)).astype(leaf.dtype)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, noisy)


def batch_loss(
    cell: Cell, task: Task, net: Net, keys: Array, unrolling: Unrolling, noise: Any = None
) -> Float[Array, ""]:
    """Compute the mean loss over one example for each key, for a net whose parameters are not prepared."""
    keys = jax.vmap(partial(jax.random.split, num=2))(keys)
    examples = draw(task, keys[:, 0], precision(net))
    net = prepared(cell, net)
    states = states_of(cell, net.params, examples.xs, unrolling, noise, keys[:, 1])
    losses = jax.vmap(partial(loss_of_states, cell, task, net.readout), (1, 0))(states, examples)
    return jnp.mean(losses)


def verdict(cell: Cell, task: Task, net: Net, examples: Example) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Compute the mean loss and the fraction of correct answers, for prepared parameters and without noise."""
    states = states_of(cell, net.params, examples.xs, Unrolling())
    losses = jax.vmap(partial(loss_of_states, cell, task, net.readout), (1, 0))(states, examples)
    if task.correct is None:
        return jnp.mean(losses), jnp.full((), jnp.nan, losses.dtype)
    correct = task.correct

    def right(states: State, example: Example) -> Array:
        answers = jax.vmap(partial(answer, cell, net.readout))(states)
        return mean_over_mask(jax.vmap(correct)(answers, example.targets).astype(losses.dtype), example.mask)

    return jnp.mean(losses), jnp.mean(jax.vmap(right, (1, 0))(states, examples))
