"""Search for cycles in rounds: from the trajectories of the candidates, then from mixtures of their states."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...machinery import entry
from ..problem import Problem
from .cycle_newton import trajectories
from .cycle_search import Solutions, limits_of, solved
from .same_cycles import errors_of, from_first, merged, true_period

# a trajectory is followed as long as no component is above so many times the largest of the candidates
FAR = 100.0
# at least so many mixed starts in a round
FEWEST = 32
# the search ends after so many rounds that bring nothing new
QUIET = 2


class Ends(NamedTuple):
    """Distinct cycles, M of them, and where the candidates ended.

    Attributes:
        states: (M, p, n).
        response: How rounding errors move the states, (M, p, n).
        error: The size of that, (M,).
        family: Whether it is one of a family, (M,).
        period: The true periods, (M,).
        met: How many starts ended there, (M,).
        ended_at: The cycle of each candidate, (candidates,); -1 for none or a known one.
        converged: Whether a cycle was found from each candidate, (candidates,).
    """

    states: np.ndarray
    response: np.ndarray
    error: np.ndarray
    family: np.ndarray
    period: np.ndarray
    met: np.ndarray
    ended_at: np.ndarray
    converged: np.ndarray


def searched(
    problem: Problem, period: int, known: np.ndarray | None, tolerance: float | None, iterations: int, rounds: int
) -> Ends:
    """Search from the candidates and from mixtures of their states, until all has been met twice and nothing is new."""
    vectors = np.asarray(problem.vectors)
    limits = limits_of(vectors, tolerance)
    largest = FAR * max(float(np.max(np.abs(vectors))), float(limits.scale))
    far = jnp.asarray(min(largest, float(np.finfo(vectors.dtype).max)), vectors.dtype)
    starts = np.asarray(trajectories(problem.step, problem.params, problem.x, problem.vectors, far, period=period))
    rng, excluded = np.random.default_rng(0), filled(known, period, vectors)
    found = solved(problem, starts, excluded, limits, iterations)
    ends = distinct(found, known, len(vectors), float(limits.scale))
    quiet = 0
    for turn in range(rounds):
        mixed = mixtures(rng, starts, ends.states.astype(starts.dtype), turn)
        more = solved(problem, mixed, excluded, limits, iterations)
        found = Solutions(*(np.concatenate(pair) for pair in zip(found, more, strict=True)))
        before, ends = ends, distinct(found, known, len(vectors), float(limits.scale))
        isolated = ~ends.family
        quiet = quiet + 1 if np.sum(isolated) <= np.sum(~before.family) else 0
        if quiet >= QUIET and np.all(ends.met[isolated] > 1):
            break
    return ends


def mixtures(rng: np.random.Generator, starts: np.ndarray, cycles: np.ndarray, turn: int) -> np.ndarray:
    """Return starts that are put together from pieces of trajectories (C, p, n) and of the cycles found (N, p, n).

    After each state comes the one after it in its trajectory, or with a chance of one half any other state. Every
    other start repeats its first q states, for one of the divisors q of p.
    """
    p = starts.shape[1]
    orbits = np.concatenate([starts, cycles])
    count, divisors = max(len(starts), FEWEST), [q for q in range(1, p + 1) if p % q == 0]
    orbit, place = rng.integers(0, len(orbits), (count, p)), rng.integers(0, p, (count, p))
    keeps = rng.random(count)
    for i in range(1, p):
        goes_on = rng.random(count) < keeps
        goes_on &= (place[:, i - 1] < p - 1) | (orbit[:, i - 1] >= len(starts))
        orbit[goes_on, i], place[goes_on, i] = orbit[goes_on, i - 1], (place[goes_on, i - 1] + 1) % p
    mixed = orbits[orbit, place]
    for i in range(1, count, 2):
        q = divisors[(i // 2 + turn) % len(divisors)]
        mixed[i] = np.resize(mixed[i, :q], mixed[i].shape)
    return mixed


def distinct(found: Solutions, known: np.ndarray | None, candidates: int, scale: float) -> Ends:
    """Return the distinct cycles among all solutions; the first of these are from the candidates."""
    eps = float(np.finfo(found.states.dtype).eps)
    at = np.flatnonzero(found.found)
    states, response = (array[at].astype(np.float64) for array in (found.states, found.response))
    error, family = errors_of(states, response, scale, eps)
    excluded = np.zeros((0, *states.shape[1:])) if known is None else known.astype(np.float64)
    # known cycles are exact here, so that they choose first and whatever is one of them joins it
    chosen, label = merged(np.concatenate([excluded, states]), np.concatenate([np.zeros(len(excluded)), error]))
    kept = chosen >= len(excluded)
    label = np.where(kept, np.cumsum(kept) - 1, -1)[label[len(excluded) :]]
    chosen = chosen[kept] - len(excluded)
    ended_at, own = np.full(candidates, -1), at < candidates
    ended_at[at[own]] = label[own]
    period = np.array([true_period(states[i], error[i]) for i in chosen], int)
    shift = [from_first(states[i], error[i]) for i in chosen]
    states, response = states[chosen], response[chosen]
    for i, first in enumerate(shift):
        states[i], response[i] = np.roll(states[i], -first, axis=0), np.roll(response[i], -first, axis=0)
    met = np.bincount(label[label >= 0], minlength=len(chosen))
    return Ends(states, response, error[chosen], family[chosen], period, met, ended_at, found.found[:candidates])


def filled(known: np.ndarray | None, period: int, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the known cycles from each of their states on, (K, p, n), and weights: 0 for the rows that fill up."""
    rows = np.zeros((0, period, vectors.shape[1])) if known is None else known
    turned = np.concatenate([np.roll(rows, shift, axis=1) for shift in range(period)]).astype(vectors.dtype)
    size = 1 << max(len(turned) - 1, 0).bit_length()
    padded = np.concatenate([turned, np.zeros((size - len(turned), *turned.shape[1:]), turned.dtype)])
    return padded, (np.arange(size) < len(turned)).astype(vectors.dtype)


def cycles_as_vectors(problem: Problem, known: Any, period: int) -> np.ndarray:
    """Return cycles given as states with leading axes (K, period) as vectors (K, period, n)."""
    state = problem.step.out
    trees: list[Any] = [jax.tree.structure(known), jax.tree.structure(state)]
    if trees[0] != trees[1]:
        raise TypeError(f"known: got a tree {trees[0]}, but a state is a tree {trees[1]}; expected equal trees")
    for (path, leaf), one in zip(jax.tree_util.tree_leaves_with_path(known), jax.tree.leaves(state), strict=True):
        if np.ndim(leaf) != len(one.shape) + 2 or np.shape(leaf)[1:] != (period, *one.shape):
            raise ValueError(
                f"known{jax.tree_util.keystr(path)}: got shape {np.shape(leaf)}, expected (cycles, "
                f"{', '.join(map(str, (period, *one.shape)))}), as the points of a result with the same period"
            )
    entry.enter(problem.step, known=known)
    parts = []
    for leaf in jax.tree.leaves(known):
        array = np.asarray(leaf).reshape(*np.shape(leaf)[:2], int(np.prod(np.shape(leaf)[2:])))
        parts += [array.real, array.imag] if np.iscomplexobj(array) else [array]
    return np.concatenate(parts, axis=2)
