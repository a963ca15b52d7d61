"""A step iterated over time by `jax.lax.scan`: h_t = step(params, h_{t-1}, x_t) for t = 1 .. T."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry


def unroll(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    checkpoint_every: int | None = None,
) -> State:
    """The states h_1 .. h_T, stacked on a leading axis of each leaf of the state.

    The specification:

        states, h = [], h0
        for t in range(T):
            h = step(params, h, xs[t])
            states.append(h)
        return stack(states)

    `xs` is a pytree with leading axis T, or None with `length=T` for an undriven map, whose step then gets x = None.
    Time O(T) steps, memory O(T) states; compiled once per computation, shape and option. A backward pass keeps what
    every step needs for its derivative; with `checkpoint_every=K` it keeps the states at every K-th step and computes
    the rest again, one stretch at a time: memory T/K + K for one more forward pass, least at K = √T and nothing gained
    for K > T/2.

    An array that the step captures (a global, a closure, an attribute) is seen as it is at the call. The check that all
    values are finite waits for them; inside your own jit it is left out.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    length, every = entry.whole_number("length", length), entry.whole_number("checkpoint_every", checkpoint_every)
    return _unroll(step, params, h0, xs, length=length, every=every)


@entry.compiled("length", "every")
def _unroll(step: Step, params: Params, h0: State, xs: Input, *, length: int | None, every: int | None) -> State:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))

    def advance(h: State, x: Input) -> tuple[State, State]:
        h = step(params, h, x)
        return h, h

    if every is None:
        return jax.lax.scan(advance, h0, xs, length=T)[1]
    if every < 1:
        raise ValueError(f"checkpoint_every: got {every!r}, expected a whole number of steps of at least 1, or None")
    return _unroll_in_stretches(advance, h0, xs, T, min(every, T))


def _unroll_in_stretches(
    advance: Callable[[State, Input], tuple[State, State]], h0: State, xs: Input, T: int, every: int
) -> State:
    """Whole stretches of `every` steps in an outer scan, then the rest; each is recomputed in a backward pass."""
    whole = T - T % every

    def stretch(h: State, xs: Input, length: int) -> tuple[State, State]:
        return jax.lax.scan(advance, h, xs, length=length)

    # the scans keep XLA from merging the two passes, so jax.checkpoint need not prevent it
    recomputed = jax.checkpoint(stretch, static_argnums=2, prevent_cse=False)
    head = jax.tree.map(lambda leaf: leaf[:whole].reshape(T // every, every, *leaf.shape[1:]), xs)
    h, states = jax.lax.scan(lambda h, xs: recomputed(h, xs, every), h0, head, length=T // every)
    states = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), states)
    if whole < T:
        _, rest = recomputed(h, jax.tree.map(lambda leaf: leaf[whole:], xs), T - whole)
        states = jax.tree.map(lambda *parts: jnp.concatenate(parts), states, rest)
    return states


def state_after(step: Step, params: Params, h: State, xs: Input, t: int) -> State:
    """The state after the first t inputs alone; no other is kept."""
    first = jax.tree.map(lambda leaf: leaf[:t], xs)
    return jax.lax.scan(lambda h, x: (step(params, h, x), None), h, first, length=t)[0] if t else h
