"""Find all states of a trajectory at once: Newton's method on the equations h_t = F(h_{t-1}, x_t), t = 1 .. T.

For states y, not yet a trajectory, let r_t = F(y_{t-1}, x_t) - y_t. Each iteration solves a linear recurrence:

    δ_t = κ A_t δ_{t-1} + r_t,   δ_0 = 0        y_t ← F(y_{t-1}, x_t) + κ A_t δ_{t-1}

    newton     A_t = J_t,        κ = 1          DEER (Lim et al. 2024)
    diagonal   A_t = diag(J_t),  κ = 1          quasi-DEER (Gonzalez et al. 2024)
    damped     A_t = J_t,        κ <= 1         κ falls while the residual grows, and returns to 1

With κ = 1 the second formula is y + δ; as it is written, a state whose past is exact becomes F of that past, to the last
bit. So each iteration makes at least one more state exact, whatever A and κ are, and T iterations always suffice. Few
suffice where errors fade along the trajectory.

    iterate     the loop, for one stretch of time
    Iterate     what it carries: the states, their last change, and the history

`measure/parallel_states.py` calls it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .entry import varying_like
from .linear_recurrence import solve_recurrence, states_before, times

METHODS = ("newton", "diagonal", "damped")
# the damping falls to SLOWER times its value after a larger residual, and rises to FASTER times it after a smaller one
SLOWER, FASTER, LEAST = 0.7, 1.5, 1e-3

# states before each time -> states after it, and A, (T, n, n) or (T, n)
Linearise = Callable[[Float[Array, "T n"]], tuple[Float[Array, "T n"], Float[Array, "T n *n"]]]


class Iterate(NamedTuple):
    """The states after some iterations, and what is known of them.

    states       (T, n)
    errors       the estimated error of each state, relative to the size of its numbers, (T,)
    change       the largest relative change of the last iteration
    residual     the largest relative residual before it
    damping      κ
    iterations   how many there were
    corrections, residuals
                 `change` and `residual` of every iteration; NaN for those that were not run
    """

    states: Float[Array, "T n"]
    errors: Float[Array, " T"]
    change: Float[Array, ""]
    residual: Float[Array, ""]
    damping: Float[Array, ""]
    iterations: Int[Array, ""]
    corrections: Float[Array, " most"]
    residuals: Float[Array, " most"]


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
        return going & (now.iterations < most) & ~jnp.all(now.errors <= tolerance)

    def again(now: Iterate) -> Iterate:
        return _improved(linearise, start, guess, now, method, tolerance)

    inf, none = jnp.full((), jnp.inf, guess.dtype), jnp.full(most, jnp.nan, guess.dtype)
    first = Iterate(
        guess, jnp.full_like(guess[:, 0], jnp.inf), inf, inf, jnp.ones_like(inf), jnp.int32(0), none, none
    )
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
    unit = units(start, now.states, tolerance)
    residual = jnp.max(relative(after - now.states, unit))
    damping = now.damping
    if method == "damped":
        smaller = (residual < now.residual) | (residual <= tolerance)
        damping = jnp.where(smaller, jnp.minimum(FASTER * damping, 1), jnp.maximum(SLOWER * damping, LEAST))
        A = damping * A
    states, right = _shifted(after, A, after - now.states, guess)
    changes = relative(states - now.states, units(start, states, tolerance))
    change = jnp.max(changes)
    errors = jnp.where(right, changes * _error_per_change(method, change, now.change, damping), jnp.inf)
    errors = jnp.where(changes == 0, 0, errors)  # states that follow from each other, up to the first that moved
    return Iterate(
        states,
        errors,
        change,
        residual,
        damping,
        now.iterations + 1,
        now.corrections.at[now.iterations].set(change),
        now.residuals.at[now.iterations].set(residual),
    )


def _shifted(
    after: Float[Array, "T n"], A: Float[Array, "T n *n"], residuals: Float[Array, "T n"], guess: Float[Array, "T n"]
) -> tuple[Float[Array, "T n"], Bool[Array, " T"]]:
    """Return the new states, and at which times they are what the formula says.

    Products of A may overflow: the states after such a δ take a plain step instead. States that overflow themselves
    return to the guess.
    """
    shifts = solve_recurrence(A, residuals)
    before = states_before(jnp.zeros_like(shifts[0]), shifts)
    kept = jnp.all(jnp.isfinite(before), axis=1)
    states = after + times(A, jnp.where(kept[:, None], before, 0))
    finite = jnp.isfinite(states)
    return jnp.where(finite, states, guess), kept & jnp.all(finite, axis=1)


def _error_per_change(
    method: str, change: Float[Array, ""], before: Float[Array, ""], damping: Float[Array, ""]
) -> Float[Array, ""]:
    """Return how large the errors are that remain, at most, relative to the last change.

    A full Newton step is the error that the states had before it, to first order, so less than that remains after it.
    A damped step tells nothing. Iterations with diagonals converge linearly, by a ratio q that two changes show: what
    remains is q + q² + ... times the last one.
    """
    one = jnp.ones_like(change)
    if method == "damped":
        return jnp.where(damping < 1, jnp.inf, one)
    if method == "diagonal":
        ratio = jnp.where(change > 0, change / before, 0)
        return jnp.where(ratio < 1, jnp.maximum(one, ratio / (1 - ratio)), jnp.inf)
    return one


def units(start: Float[Array, " n"], states: Float[Array, "T n"], tolerance: float) -> Float[Array, " n"]:
    """Return the size of each number of the state, its largest magnitude over time.

    A number that is tiny beside the others counts as so large that `tolerance` times it is their rounding.
    """
    sizes = jnp.maximum(jnp.max(jnp.abs(states), axis=0), jnp.abs(start))
    return jnp.maximum(sizes, 8 * float(jnp.finfo(sizes.dtype).eps) / tolerance * jnp.max(sizes))


def relative(differences: Float[Array, "T n"], unit: Float[Array, " n"]) -> Float[Array, " T"]:
    """Return the largest difference at each time in these units; 0 where nothing differs, even if all units are 0."""
    found = jnp.abs(differences) / jnp.where(unit > 0, unit, 1)[None]
    return jnp.max(jnp.where((differences != 0) & (unit == 0)[None], jnp.inf, found), axis=1)
