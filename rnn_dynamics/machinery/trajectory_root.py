"""The states of a trajectory as the root of y_t - F(y_{t-1}, x_t), found in stretches of time and differentiated.

    trajectory    solve one stretch after the other
    Progress      what is carried from stretch to stretch

The iterations are not differentiated. A root has the derivatives that the implicit function theorem gives: with
J_t = ∂F/∂h at the states themselves, a change c_t of F moves the states by the solution of v_t = J_t v_{t-1} + c_t.

`measure/parallel_states.py` calls it. Next: `parallel_iteration.py` finds the root.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..cells.contract import Input
from .entry import varying_like
from .linear_recurrence import solve_recurrence, states_before
from .parallel_iteration import Iterate, iterate

Advance = Callable[[Float[Array, " n"], Input], Float[Array, " n"]]  # F, for states that are vectors


class Progress(NamedTuple):
    """What is known after some stretches of time.

    h            the last state
    going        whether all states are known so far; if not, later stretches are left alone
    total        how many of the first states are known
    iterations   how many were run in all
    corrections, residuals, fronts
                 of each iteration, as in `Iterate`: the worst of any stretch
    """

    h: Float[Array, " n"]
    going: Bool[Array, ""]
    total: Int[Array, ""]
    iterations: Int[Array, ""]
    corrections: Float[Array, " most"]
    residuals: Float[Array, " most"]
    fronts: Float[Array, " most"]


def trajectory(
    advance: Advance,
    start: Float[Array, " n"],
    guess: Float[Array, "T n"],
    xs: Input,
    stretch: int,
    *,
    method: str,
    tolerance: float,
    most: int,
) -> tuple[Progress, Float[Array, "T n"]]:
    """Solve whole stretches one after the other, then the rest. Only the first `total` states are known."""
    solve = partial(_solved, advance, method=method, tolerance=tolerance, most=most)
    zero, history = jnp.int32(0), jnp.full(most, jnp.nan, start.dtype)
    now = varying_like(Progress(start, jnp.bool_(True), zero, zero, history, history, history), start)
    T = len(guess)
    if stretch == T:
        return solve(now, guess, xs)
    whole = T - T % stretch
    head = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, stretch, *leaf.shape[1:]), (guess, xs))
    now, states = jax.lax.scan(lambda now, given: solve(now, *given), now, head)
    states = states.reshape(whole, -1)
    if whole < T:
        now, rest = solve(now, *jax.tree.map(lambda leaf: leaf[whole:], (guess, xs)))
        states = jnp.concatenate([states, rest])
    return now, states


def _solved(
    advance: Advance, now: Progress, guess: Float[Array, "T n"], xs: Input, *, method: str, tolerance: float, most: int
) -> tuple[Progress, Float[Array, "T n"]]:
    """Solve one stretch."""

    def residual(states: Float[Array, "T n"]) -> Float[Array, "T n"]:
        return states - jax.vmap(advance)(states_before(now.h, states), xs)

    def solve(_: Any, guess: Float[Array, "T n"]) -> tuple[Float[Array, "T n"], Iterate]:
        linearise = partial(_linearised, advance, xs, diagonal=method == "diagonal")
        found = iterate(linearise, now.h, guess, now.going, method=method, tolerance=tolerance, most=most)
        return found.states, jax.tree.map(lambda leaf: leaf.astype(guess.dtype), found)  # a root has no integers

    states, found = jax.lax.custom_root(residual, guess, solve, _tangents, has_aux=True)
    found = jax.lax.stop_gradient(found)
    known = found.known.astype(jnp.int32)
    return Progress(
        states[-1],
        known == len(states),
        now.total + known,
        now.iterations + found.iterations.astype(jnp.int32),
        jnp.fmax(now.corrections, found.corrections),
        jnp.fmax(now.residuals, found.residuals),
        jnp.fmin(now.fronts, found.fronts),
    ), states


def _linearised(
    advance: Advance, xs: Input, before: Float[Array, "T n"], *, diagonal: bool
) -> tuple[Float[Array, "T n"], Float[Array, "T n *n"]]:
    """Return the states one step after those in `before`, and the Jacobians there or their diagonals.

    Diagonals take one unit vector after the other, which keeps memory at O(T n).
    """
    basis = jnp.eye(before.shape[1], dtype=before.dtype)
    if diagonal:
        after, push = jax.linearize(lambda h: jax.vmap(advance)(h, xs), before)
        return after, jax.lax.map(lambda unit: _pushed(push, before, unit) @ unit, basis).T

    def at(h: Float[Array, " n"], x: Input) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
        after, push = jax.linearize(lambda h: advance(h, x), h)
        return after, jax.vmap(push, out_axes=1)(varying_like(basis, after))

    return jax.vmap(at)(before, xs)


def _tangents(map_: Any, values: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Solve v_t - J_t v_{t-1} = values_t for v; `map_` is the left side as a function of v."""
    units = jnp.eye(values.shape[1], dtype=values.dtype)
    J = jax.vmap(partial(_pushed, lambda v: v - map_(v), values), out_axes=2)(units)
    # a derivative in reverse solves w_t - J_{t+1}^T w_{t+1} = values_t, without the J_1 that comes first here
    back = jnp.swapaxes(jnp.roll(J[::-1], 1, axis=0), 1, 2)
    return jax.lax.custom_linear_solve(
        map_,
        values,
        lambda _, values: solve_recurrence(J, values),
        lambda _, values: solve_recurrence(back, values[::-1])[::-1],
    )


def _pushed(
    push: Callable[[Float[Array, "T n"]], Float[Array, "T n"]], like: Float[Array, "T n"], unit: Float[Array, " n"]
) -> Float[Array, "T n"]:
    """Push the same vector at all times."""
    return push(varying_like(jnp.broadcast_to(unit, like.shape), like))
