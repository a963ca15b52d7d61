"""Find all states of a trajectory at once: Newton's method on the equations h_t = F(h_{t-1}, x_t), t = 1 .. T.

For states y, not yet a trajectory, let r_t = F(y_{t-1}, x_t) - y_t. Each iteration solves a linear recurrence:

    δ_t = A_t δ_{t-1} + r_t,   δ_0 = 0        y_t ← F(y_{t-1}, x_t) + A_t δ_{t-1} = y_t + δ_t

    newton     A_t = J_t          DEER (Lim et al. 2024)
    diagonal   A_t = diag(J_t)    quasi-DEER (Gonzalez et al. 2024)
    damped     A_t = J_t          and in the second formula δ_{t-1} changes no number by more than `LIMIT` times its
                                  size, the largest magnitude that it has over time

`damped` is for nets that contract along their trajectory, but not at the guess: there J ··· J grows until δ means
nothing, and saturated states follow. It is not ELK (Gonzalez et al. 2024), though its purpose is the same. ELK adds
λ ‖δ‖² to the squared residuals that an iteration minimises, as Levenberg and Marquardt do, and solves that by a
parallel Kalman smoother. This shortens δ along the whole trajectory and leaves a weight λ to choose. Here δ is
Newton's, cut to a box afterwards.

The size is that of F(y), not of y: a number that is 0 in all y so far may move as soon as F moves it. A number that F
leaves at 0 may still move by `LIMIT` times a small share of the largest one (`units`). The sizes grow with the states,
so that states many times larger than the guess are reached in a number of iterations like the logarithm of that ratio.

As the second formula is written, a state whose past is exact becomes F of that past, to the last bit. So each iteration
makes at least one more state exact, whatever A and the limit are, and T iterations always suffice. Few suffice where
errors fade along the trajectory.

    iterate     the loop, for one stretch of time
    Iterate     what it carries: the states, their errors, and the history

`measure/parallel_states.py` calls it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .entry import varying_like
from .linear_recurrence import solve_recurrence, states_before, times

METHODS = ("newton", "diagonal", "damped")
LIMIT = 0.3

# states before each time -> states after it, and A, (T, n, n) or (T, n)
Linearise = Callable[[Float[Array, "T n"]], tuple[Float[Array, "T n"], Float[Array, "T n *n"]]]


class Iterate(NamedTuple):
    """The states after some iterations, and what is known of them.

    states       (T, n)
    known        how many of the first states have small errors
    change       the largest relative change of the last iteration
    iterations   how many there were
    corrections, residuals, fronts
                 of every iteration: its largest change, the largest residual before it, both relative, and `known`
                 after it; NaN for those that were not run
    """

    states: Float[Array, "T n"]
    known: Int[Array, ""]
    change: Float[Array, ""]
    iterations: Int[Array, ""]
    corrections: Float[Array, " most"]
    residuals: Float[Array, " most"]
    fronts: Float[Array, " most"]


def iterate(
    linearise: Linearise,
    start: Float[Array, " n"],
    guess: Float[Array, "T n"],
    going: Bool[Array, ""],
    *,
    method: str,
    tolerance: float,
    most: int,
) -> Iterate:
    """Iterate from `guess` until every error is at most `tolerance`, or `most` times; not at all unless `going`."""

    def unfinished(now: Iterate) -> Bool[Array, ""]:
        return going & (now.iterations < most) & (now.known < len(guess))

    def again(now: Iterate) -> Iterate:
        return _improved(linearise, start, guess, now, method, tolerance)

    zero, none = jnp.int32(0), jnp.full(most, jnp.nan, guess.dtype)
    first = Iterate(guess, zero, jnp.full((), jnp.inf, guess.dtype), zero, none, none, none)
    return jax.lax.while_loop(unfinished, again, varying_like(first, guess))


def _improved(
    linearise: Linearise,
    start: Float[Array, " n"],
    guess: Float[Array, "T n"],
    now: Iterate,
    method: str,
    tolerance: float,
) -> Iterate:
    """Return the next iterate."""
    after, A = linearise(states_before(start, now.states))
    limit = LIMIT * units(start, after, default_tolerance(after.dtype)) if method == "damped" else None
    states, plain, kept = _shifted(after, A, after - now.states, guess, limit)
    moved = states - now.states
    unit = units(start, states, tolerance)
    change = jnp.max(relative(moved, unit))
    errors = moved * (_linear_rate(change, now.change) if method == "diagonal" else 1)
    # states that did not move follow from each other, up to the first that moved
    sure = kept & (plain | jnp.all(moved == 0, axis=1))
    known = front(jnp.where(sure[:, None], errors, jnp.inf), start, states, tolerance)
    at = now.iterations
    return Iterate(
        states,
        known,
        change,
        at + 1,
        now.corrections.at[at].set(change),
        now.residuals.at[at].set(jnp.max(relative(after - now.states, unit))),
        now.fronts.at[at].set(known.astype(change.dtype)),
    )


def _shifted(
    after: Float[Array, "T n"],
    A: Float[Array, "T n *n"],
    residuals: Float[Array, "T n"],
    guess: Float[Array, "T n"],
    limit: Float[Array, " n"] | None,
) -> tuple[Float[Array, "T n"], Bool[Array, " T"], Bool[Array, " T"]]:
    """Return the new states; at which times they are y + δ, with nothing limited; and at which they are finite.

    Products of A may overflow: the states after such a δ take a plain step instead. States that overflow themselves
    return to the guess.
    """
    shifts = solve_recurrence(A, residuals)
    before = states_before(jnp.zeros_like(shifts[0]), shifts)
    finite = jnp.all(jnp.isfinite(before), axis=1)
    used = jnp.where(finite[:, None], before, 0)
    if limit is not None:
        used = jnp.clip(used, -limit[None], limit[None])
    states = after + times(A, used)
    kept = jnp.isfinite(states)
    return jnp.where(kept, states, guess), jnp.all(used == before, axis=1), jnp.all(kept, axis=1)


def _linear_rate(change: Float[Array, ""], before: Float[Array, ""]) -> Float[Array, ""]:
    """Return how large the errors that remain are at most, relative to the last change of the diagonal iteration.

    It converges linearly, by a ratio q that the last two changes show: what remains is q + q² + ... times the last one.
    A full Newton step needs no such factor, since it is the error that the states had before it, to first order.
    """
    ratio = jnp.where(change > 0, change / before, 0)
    return jnp.where(ratio < 1, jnp.maximum(1, ratio / (1 - ratio)), jnp.inf)


def front(
    errors: Float[Array, "T n"], start: Float[Array, " n"], states: Float[Array, "T n"], tolerance: float
) -> Int[Array, ""]:
    """Return how many of the first states have relative errors of at most `tolerance`.

    The unit of each number is its size in these states alone: those after them may be far off and large.
    """
    T = len(states)
    places = jnp.arange(T, dtype=jnp.int32)

    def shorter(counts: tuple[Int[Array, ""], Int[Array, ""]]) -> tuple[Int[Array, ""], Int[Array, ""]]:
        unit = units(start, first_of(states, counts[1]), tolerance)
        small = relative(errors, unit) <= tolerance
        return counts[1], jnp.min(jnp.where(small & (places < counts[1]), T, places))

    full = varying_like((jnp.int32(T + 1), jnp.int32(T)), states)
    return jax.lax.while_loop(lambda counts: counts[1] < counts[0], shorter, full)[1]


def first_of(states: Float[Array, "T n"], known: Int[Array, ""]) -> Float[Array, "T n"]:
    """Return the states with zeros from the first one on that is not known."""
    return jnp.where((jnp.arange(len(states), dtype=jnp.int32) < known)[:, None], states, 0)


def default_tolerance(dtype: Any) -> float:
    """Return eps^(2/3): 2e-5 in float32 and 4e-11 in float64."""
    return float(jnp.finfo(dtype).eps) ** (2 / 3)


def units(start: Float[Array, " n"], states: Float[Array, "T n"], tolerance: float) -> Float[Array, " n"]:
    """Return the size of each number of the state, its largest magnitude over time.

    A number that is tiny beside the others counts as so large that `tolerance` times it is 8 times their rounding.
    """
    sizes = jnp.maximum(jnp.max(jnp.abs(states), axis=0), jnp.abs(start))
    return jnp.maximum(sizes, 8 * float(jnp.finfo(sizes.dtype).eps) / tolerance * jnp.max(sizes))


def relative(differences: Float[Array, "T n"], unit: Float[Array, " n"]) -> Float[Array, " T"]:
    """Return the largest difference at each time in these units; 0 where nothing differs, even if all units are 0."""
    found = jnp.abs(differences) / jnp.where(unit > 0, unit, 1)[None]
    return jnp.max(jnp.where((differences != 0) & (unit == 0)[None], jnp.inf, found), axis=1)
