"""Say what is known of cycles: multipliers, stability and its margin, and which form a family."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..eigen_analysis import eigen_analysis
from ..local_maps import as_arrays, as_states
from ..problem import Problem
from ..result import Ending
from .cycle_refinement import maps, refined
from .cycle_rounds import Ends
from .cycles_result import Cycles
from .floquet import multipliers, product

# a rounding error of other signs could move a multiplier so many times farther than the one that was tried
FACTOR = 4.0


class Stability(NamedTuple):
    """Multipliers of N cycles in descending order of magnitude, (N, n), their errors, (N, n), and residuals, (N,)."""

    multipliers: np.ndarray
    error: np.ndarray
    residual: np.ndarray


def described(problem: Problem, ends: Ends) -> Cycles:
    """Return the cycles, by true period and then by how many candidates ended there, and what is known of each."""
    ends = refined(problem, ends)
    found = stability(problem, ends)
    dimension = np.sum(np.abs(found.multipliers - 1) <= found.error, axis=1)
    of_family = members(ends, dimension, found.residual)
    count = np.bincount(of_family[ends.ended_at[ends.ended_at >= 0]], minlength=len(of_family))
    listed = np.flatnonzero(of_family == np.arange(len(of_family)))
    order = listed[np.lexsort((-count[listed], ends.period[listed]))]
    place = np.full(len(of_family) + 1, -1)
    place[order] = np.arange(len(order))
    at = np.where(ends.ended_at >= 0, place[np.append(of_family, -1)[ends.ended_at]], -1)
    size, off = np.abs(found.multipliers), np.abs(np.abs(found.multipliers) - 1)
    nearest = np.argmin(off, axis=1)[:, None]
    numbers = {
        "period": ends.period[order],
        "residual": found.residual[order],
        "multipliers": found.multipliers[order],
        "stable": np.all(size < 1 - found.error, axis=1)[order],
        "undecided": np.any(off <= found.error, axis=1)[order],
        "unstable": np.sum(size > 1 + found.error, axis=1)[order],
        "margin": 1 - np.max(size, axis=1)[order],
        "margin_error": np.take_along_axis(found.error, nearest, 1)[order, 0],
        "share": count[order] / max(len(ends.ended_at), 1),
        "ending": np.where(ends.converged, int(Ending.FIXED), int(Ending.NOT_CONVERGED)),
        "ended_at": at,
        "error": ends.error[order],
        "dimension": dimension[order],
        "family": np.bincount(of_family, minlength=len(of_family))[order],
    }
    return Cycles(as_states(problem, ends.states[order]), **as_arrays(numbers, problem.vectors.dtype))


def stability(problem: Problem, ends: Ends) -> Stability:
    """Return the multipliers of each cycle over its true period, and how far rounding can have moved each."""
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    count, _, n = ends.states.shape
    found = Stability(np.zeros((count, n), complex), np.zeros((count, n)), np.zeros(count))
    after, J = maps(problem, ends.states, ends.period)
    shifted = [maps(problem, ends.states + sign * FACTOR * ends.response, ends.period)[1] for sign in (1, -1)]
    for i, q in enumerate(ends.period):
        found.residual[i] = np.max(np.abs(after[i] - np.roll(ends.states[i, :q], -1, axis=0)))
        found.multipliers[i] = multipliers(J[i])
        P = product(J[i])
        moved = [np.nan_to_num(product(each[i]) - P, posinf=0, neginf=0) for each in shifted]
        change = max(moved, key=np.linalg.norm)
        found.error[i] = eigen_analysis(P[None], change[None], q * eps).error[0]
    return found


def members(ends: Ends, dimension: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return for each cycle the one that stands for its family, (N,): itself, if it is isolated.

    A family is a line or surface of cycles of one period, whose members rounding cannot hold in place.
    """
    of_family = np.arange(len(ends.period))
    moving = ends.family & (dimension > 0)
    for q in np.unique(ends.period[moving]):
        family = np.flatnonzero(moving & (ends.period == q))
        of_family[family] = family[np.argmin(residual[family])]
    return of_family
