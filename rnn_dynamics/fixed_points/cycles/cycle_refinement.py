"""Take cycles that were searched as longer ones than they are for what they are, and solve for them as such.

A cycle of period q that is searched as one of period p is a multiple solution if a multiplier is a root of unity. At
a period doubling, for instance, the equations of the 2-cycle hold to rounding within a cube root of it around the fixed
point. Newton's method stops anywhere there, at states that seem to be a cycle of period 2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..local_maps import local_maps
from ..problem import Problem
from .cycle_rounds import Ends
from .cycle_search import limits_of
from .cyclic_system import APART, cyclic_matrix
from .same_cycles import errors_of, merged

# iterations
REFINING = 8
# a cycle that repeats a shorter one to eps to this power of the size of the states may be that one
NEAR = 0.25
# residuals up to so many times eps say nothing, since the search is content with them
CONTENT = 32.0
# rounding errors are tried with so many patterns of signs
PATTERNS = 4


class Refined(NamedTuple):
    """Cycles (N, p, n) after some iterations, how rounding moves them, (N, p, n), and their residuals, (N,)."""

    states: np.ndarray
    response: np.ndarray
    residual: np.ndarray


def refined(problem: Problem, ends: Ends) -> Ends:
    """Return the cycles, each once; those whose true period is a divisor of p are solved for with that period."""
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    scale = float(limits_of(np.asarray(problem.vectors), None).scale)
    size = np.maximum(np.max(np.abs(ends.states), axis=(1, 2)), scale)
    states, period = _shortened(problem, repeated(ends.states, ends.period), ends.period, size, eps)
    response, error, family = ends.response.copy(), ends.error.copy(), ends.family.copy()
    rows = np.flatnonzero(period < ends.states.shape[1])
    if not rows.size:
        return ends._replace(states=states)
    found = newton(problem, states[rows], period[rows], size[rows], eps)
    states[rows], response[rows] = found.states, found.response
    error[rows], family[rows] = errors_of(found.states, found.response, scale, eps)
    chosen, label = merged(states, error)
    at = np.append(label, -1)[ends.ended_at]
    met = np.bincount(label, ends.met, len(chosen)).astype(int)
    states, response, error, family, period = (part[chosen] for part in (states, response, error, family, period))
    return Ends(states, response, error, family, period, met, at, ends.converged)


def _shortened(
    problem: Problem, states: np.ndarray, period: np.ndarray, size: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Replace each cycle that rounding cannot tell from a shorter one by that one; return the cycles and their periods.

    It cannot tell where the equations of the longer cycle also hold halfway between the two, once that state has been
    corrected in all directions but those in which they hardly change.
    """
    states, period = states.copy(), period.copy()
    p, n = states.shape[1:]
    for q in (q for q in range(1, p) if p % q == 0):
        apart = np.max(np.abs(np.roll(states, -q, axis=1) - states), axis=(1, 2))
        rows = np.flatnonzero((period % q == 0) & (period > q) & (apart <= eps**NEAR * size))
        if not rows.size:
            continue
        means = np.tile(states[rows].reshape(-1, p // q, q, n).mean(axis=1), (1, p // q, 1))
        shorter = newton(problem, means, np.full(len(rows), q), size[rows], eps)
        between = newton(problem, (shorter.states + states[rows]) / 2, period[rows], size[rows], eps, eps**NEAR)
        residual = np.maximum(shorter.residual, between.residual)
        moved = np.max(np.abs(shorter.states - states[rows]), axis=(1, 2))
        taken = (residual <= CONTENT * eps * size[rows]) & (moved <= 2 * eps**NEAR * size[rows])
        states[rows[taken]], period[rows[taken]] = shorter.states[taken], q
    return states, period


def newton(
    problem: Problem,
    states: np.ndarray,
    period: np.ndarray,
    size: np.ndarray,
    eps: float,
    negligible: float | None = None,
) -> Refined:
    """Make some Newton iterations for cycles (N, p, n) with their true periods, on the host.

    Directions with singular values below `negligible` times the largest are left alone; default: rounding decides.
    """
    states, response, residual = states.copy(), np.zeros_like(states), np.zeros(len(states))
    for _ in range(REFINING):
        (after, J), before = maps(problem, states, period), states.copy()
        for i, q in enumerate(period):
            h = states[i, :q].copy()
            G = after[i] - np.roll(h, -1, axis=0)
            residual[i] = np.max(np.abs(G))
            change = np.linalg.lstsq(cyclic_matrix(J[i]), -G.ravel(), rcond=negligible)[0].reshape(h.shape)
            noise = eps * (np.einsum("pij,pj->pi", np.abs(J[i]), np.abs(h)) + np.abs(h) + 1e-3 * size[i])
            moved = _largest_response(cyclic_matrix(J[i], 1 + APART * eps), noise.ravel()).reshape(h.shape)
            response[i] = np.resize(moved + np.where(moved >= 0, 1, -1) * np.abs(change), states[i].shape)
            if residual[i] > 8 * eps * np.max(np.abs(h)) and np.max(np.abs(change)) <= eps**NEAR * size[i]:
                states[i] = np.resize(h + change, states[i].shape)
        if np.array_equal(states, before):
            break
    return Refined(states, response, residual)


def _largest_response(matrix: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the largest of the solutions for rounding errors of this size and of several patterns of signs."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (noise.size, PATTERNS))
    moved = np.linalg.lstsq(matrix, signs * noise[:, None], rcond=0)[0]
    return moved[:, np.argmax(np.abs(moved).max(axis=0))]


def repeated(states: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return cycles (N, p, n) with their first q states repeated, q the true period of each."""
    return np.array([np.resize(one[:q], one.shape) for one, q in zip(states, period, strict=True)]).reshape(
        states.shape
    )


def maps(problem: Problem, states: np.ndarray, period: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return step(h) and the Jacobian at the first q states of each cycle, q its true period."""
    rows = np.concatenate([np.zeros((0, states.shape[2])), *(one[:q] for one, q in zip(states, period, strict=True))])
    xs = jax.tree.map(lambda leaf: np.asarray(leaf)[None], problem.x)
    f, J = local_maps(problem, xs, rows, np.zeros(len(rows), int))
    cuts = np.cumsum(period)[:-1]
    return np.split(f + rows, cuts), np.split(J, cuts)
