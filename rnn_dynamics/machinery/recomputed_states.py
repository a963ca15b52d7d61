"""Loop backward over a trajectory without storing its states: recompute them one stretch of steps at a time.

    forward     store only the state at the beginning of each of about √T stretches
    backward    for each stretch from the last: run forward again from its beginning, then go back through its states

That takes memory for O(√T) states instead of T, for one more forward pass. `lag_loop.py` uses it.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..cells.contract import Input, Params, State, Step

# fewest steps in a stretch
SHORTEST = 16


def backward_in_stretches(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    T: int,
    stretch: Callable[[Any, State, Input, int], tuple[Any, Any]],
    carry: Any,
    every: int | None = None,
) -> Any:
    """Call `stretch(carry, states before the steps, xs, length)` for every stretch, from the last to the first.

    Return what it returns for every step, in the order of time. All stretches have one length, so that the loop is
    compiled once. If T is not a multiple of it, the first stretch begins with extra steps that stay at h0; they are
    visited last, and their results are dropped. `every` is the length; by default it is about √T, for a memory of O(√T)
    states.
    """
    every = every or _length_of_stretches(T)
    count = math.ceil(T / every)
    spare = count * every - T

    def advance(h: State, now: tuple[Any, Input]) -> tuple[State, State]:
        still, x = now
        after = step(params, h, x)
        if spare:
            after = jax.tree.map(lambda old, new: jnp.where(still, old, new), h, after)
        return after, h

    def padded(leaf: jax.Array) -> jax.Array:
        first = jnp.broadcast_to(leaf[:1], (spare, *leaf.shape[1:]))
        return jnp.concatenate([first, leaf]).reshape(count, every, *leaf.shape[1:])

    times = (jnp.arange(T + spare) < spare if spare else None, xs)
    if count == 1 and not spare:
        before = jax.lax.scan(advance, h0, times, length=T)[1]
        return stretch(carry, before, xs, T)[1]
    still = None if times[0] is None else times[0].reshape(count, every)
    times = (still, jax.tree.map(padded, xs))

    def to_next(h: State, times: Any) -> tuple[State, State]:
        return jax.lax.scan(advance, h, times, length=every)[0], h

    def back(carry: Any, at: tuple[State, Any]) -> tuple[Any, Any]:
        begin, times = at
        before = jax.lax.scan(advance, begin, times, length=every)[1]
        return stretch(carry, before, times[1], every)

    begins = jax.lax.scan(to_next, h0, times, length=count)[1]
    left = jax.lax.scan(back, carry, (begins, times), reverse=True)[1]
    return jax.tree.map(lambda leaf: leaf.reshape(-1)[spare:], left)


def _length_of_stretches(T: int) -> int:
    """Return a length from √T to 2√T, at least SHORTEST: the one with the fewest extra steps, the longest of those."""
    shortest = min(max(SHORTEST, math.isqrt(T)), T)
    return min(range(min(2 * shortest, T), shortest - 1, -1), key=lambda every: -T % every)
