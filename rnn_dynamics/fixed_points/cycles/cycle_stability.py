"""Say what is known of cycles: multipliers, stability and its margin, and which form a family."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...cells.contract import State
from ..eigen_analysis import eigen_analysis
from ..local_maps import as_states, local_maps
from ..problem import Problem
from ..result import Ending
from .cycle_rounds import Ends
from .cycles_result import Cycles
from .floquet import multipliers, product

# a rounding error of other signs could move a multiplier so many times farther than the one that was tried
FACTOR = 4.0
REFINING = 4


class Stability(NamedTuple):
    """Multipliers of N cycles in descending order of magnitude, (N, n), their errors, (N, n), and residuals, (N,)."""

    multipliers: np.ndarray
    error: np.ndarray
    residual: np.ndarray


def described(problem: Problem, ends: Ends) -> Cycles:
    """Return the cycles, by true period and then by how many candidates ended there, and what is known of each."""
    ends = ends._replace(states=refined(problem, ends.states, ends.period))
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
    real = problem.vectors.dtype
    cast = {"f": real, "c": np.result_type(real, np.complex64), "i": np.int32, "b": np.bool_}
    arrays = {name: jnp.asarray(array.astype(cast[array.dtype.kind])) for name, array in numbers.items()}
    return Cycles(points=_as_cycles(problem, ends.states[order]), **arrays)


def repeated(states: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return cycles (N, p, n) with their first q states repeated, q the true period of each."""
    return np.array([np.resize(one[:q], one.shape) for one, q in zip(states, period, strict=True)]).reshape(
        states.shape
    )


def stability(problem: Problem, ends: Ends) -> Stability:
    """Return the multipliers of each cycle over its true period, and how far rounding can have moved each."""
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    count, _, n = ends.states.shape
    found = Stability(np.zeros((count, n), complex), np.zeros((count, n)), np.zeros(count))
    after, J = _maps(problem, ends.states, ends.period)
    shifted = [_maps(problem, ends.states + sign * FACTOR * ends.response, ends.period)[1] for sign in (1, -1)]
    for i, q in enumerate(ends.period):
        found.residual[i] = np.max(np.abs(after[i] - np.roll(ends.states[i, :q], -1, axis=0)))
        found.multipliers[i] = multipliers(J[i])
        P = product(J[i])
        moved = [np.nan_to_num(product(each[i]) - P, posinf=0, neginf=0) for each in shifted]
        change = max(moved, key=np.linalg.norm)
        found.error[i] = eigen_analysis(P[None], change[None], q * eps).error[0]
    return found


def refined(problem: Problem, states: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return cycles (N, p, n) after some Newton iterations for those that are shorter than p.

    A cycle of period q that was searched as one of period p is a multiple solution if a multiplier is a root of unity:
    at a period doubling the two cycles meet. It is then found to a fraction of the digits only.
    """
    states = repeated(states, period)
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    rows, n = np.flatnonzero(period < states.shape[1]), states.shape[2]
    for _ in range(REFINING if len(rows) else 0):
        after, J = _maps(problem, states[rows], period[rows])
        for i, ahead, Js in zip(rows, after, J, strict=True):
            q = period[i]
            G = ahead - np.roll(states[i, :q], -1, axis=0)
            if np.max(np.abs(G)) > 8 * eps * np.max(np.abs(states[i])):
                lifted = np.zeros((q, n, q, n))
                for k in range(q):
                    lifted[k, :, k] += Js[k]
                    lifted[k, :, (k + 1) % q] -= np.eye(n)
                change = np.linalg.lstsq(lifted.reshape(q * n, q * n), -G.ravel())[0].reshape(q, n)
                small = np.max(np.abs(change)) <= np.max(np.abs(states[i])) + eps
                states[i] = np.resize(states[i, :q] + change * small, states[i].shape)
    return states


def _maps(problem: Problem, states: np.ndarray, period: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return step(h) and the Jacobian at the first q states of each cycle, q its true period."""
    rows = np.concatenate([np.zeros((0, states.shape[2])), *(one[:q] for one, q in zip(states, period, strict=True))])
    xs = jax.tree.map(lambda leaf: np.asarray(leaf)[None], problem.x)
    f, J = local_maps(problem, xs, rows, np.zeros(len(rows), int))
    cuts = np.cumsum(period)[:-1]
    return np.split(f + rows, cuts), np.split(J, cuts)


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


def _as_cycles(problem: Problem, states: np.ndarray) -> State:
    """Return cycles (N, p, n) as states with leading axes (N, p)."""
    count, p, n = states.shape
    flat = as_states(problem, states.reshape(count * p, n))
    return jax.tree.map(lambda leaf: leaf.reshape(count, p, *leaf.shape[1:]), flat)
