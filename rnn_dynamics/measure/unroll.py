"""Iterate a step over time: h_t = step(params, h_{t-1}, x_t) for t = 1 .. T, by `jax.lax.scan` or all at once."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.parallel_iteration import METHODS
from .parallel_states import converged_states, parallel_states


def unroll(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    keep_every: int | None = None,
    method: str = "scan",
) -> State:
    """Run the step T times from h0 and return the states h_1 .. h_T.

        h_t = step(params, h_{t-1}, x_t),   t = 1 .. T

    The specification:

        states, h = [], h0
        for t in range(T):
            h = step(params, h, xs[t])
            states.append(h)
        return stack(states)

    Arrays that the step captures (a global, a closure, an attribute) are read at each call. Checking that params, h0
    and xs are finite blocks until they have been computed; inside your own jit it is left out.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, any pytree.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, which then gets x = None.
        length: T, needed where xs is None.
        keep_every: K: a backward pass stores only every K-th state and recomputes the rest, one stretch of K
            steps at a time. Default: it stores what every step needs for its derivative.
        method: "scan", one step after the other; or "newton", "diagonal" or "damped", which find all states at once
            where the net forgets, as `rd.parallel_states` does with its other options. If they do not converge, that
            is an error; inside your own jit, vmap or grad the states are then NaN from the first unknown one on.

    Returns:
        The states, a pytree like h0 with a leading axis T: entry [t - 1] of each leaf is h_t.

    Cost:
        Time O(T) steps, memory O(T) states; compiled once per computation, shape and option. With `keep_every=K`
        a backward pass takes memory O(T/K + K) and one more forward pass. K = √T needs least; K > T/2 gains nothing.
        The other methods: see `rd.parallel_states`.

    Example:
        >>> rd.unroll(lambda a, h, x: a * h + x, 0.5, jnp.zeros(()), jnp.ones(3))
        Array([1.  , 1.5 , 1.75], dtype=float32)

    References:
        Griewank (1992), Optimization Methods and Software 1, 35-54.
        Chen, Xu, Zhang & Guestrin (2016), arXiv:1604.06174.
    """
    length, _ = entry.checked(step, params, h0, xs, length)
    every = entry.whole_number("keep_every", keep_every)
    if argument.choice("method", method, ("scan", *METHODS)) != "scan":
        if every is not None:
            raise ValueError(f'keep_every: got {keep_every!r} with method={method!r}, expected method="scan"')
        return converged_states(parallel_states(step, params, h0, xs, length=length, method=method), method)
    return _unroll(step, params, h0, xs, length=length, every=every)


@entry.compiled()
def _unroll(step: Step, params: Params, h0: State, xs: Input, *, length: int | None, every: int | None) -> State:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)

    def advance(h: State, x: Input) -> tuple[State, State]:
        h = step(params, h, x)
        return h, h

    if every is None:
        return jax.lax.scan(advance, h0, xs, length=T)[1]
    if every < 1:
        raise ValueError(f"keep_every: got {every!r}, expected a whole number of steps of at least 1, or None")
    return _unroll_in_stretches(advance, h0, xs, T, min(every, T))


def _unroll_in_stretches(
    advance: Callable[[State, Input], tuple[State, State]], h0: State, xs: Input, T: int, every: int
) -> State:
    """Scan over whole stretches of `every` steps, then the rest; a backward pass recomputes each stretch."""
    whole = T - T % every

    def stretch(h: State, xs: Input, length: int) -> tuple[State, State]:
        return jax.lax.scan(advance, h, xs, length=length)

    # the scans already keep XLA from merging the two passes, so jax.checkpoint need not prevent it
    recomputed = jax.checkpoint(stretch, static_argnums=2, prevent_cse=False)
    head = jax.tree.map(lambda leaf: leaf[:whole].reshape(T // every, every, *leaf.shape[1:]), xs)
    h, states = jax.lax.scan(lambda h, xs: recomputed(h, xs, every), h0, head, length=T // every)
    states = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), states)
    if whole < T:
        _, rest = recomputed(h, jax.tree.map(lambda leaf: leaf[whole:], xs), T - whole)
        states = jax.tree.map(lambda *parts: jnp.concatenate(parts), states, rest)
    return states


def state_after(step: Step, params: Params, h: State, xs: Input, t: int) -> State:
    """Return the state after the first t inputs, without keeping the others."""
    first = jax.tree.map(lambda leaf: leaf[:t], xs)
    return jax.lax.scan(lambda h, x: (step(params, h, x), None), h, first, length=t)[0] if t else h
