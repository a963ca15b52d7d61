"""Gradients over the lag: in the 2-norm, for a random direction, through the diagonal alone, and the bound on them."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN
from ..machinery.lapack_threads import on_one_thread
from ..machinery.linear_maps import linear_maps
from ..machinery.state_vector import flatten
from ..machinery.svd import norm_of_matrix
from ..measure import gradient_flow
from .parts import part_names
from .problem import Problem
from .trajectory import Trajectory

# n³ · lags that are pulled back for the 2-norms of all sequences: some ten seconds
MOST_WORK = 4e11
MOST_DIAGONAL_WORK = 2e9  # n³ · lags, without a rank that falls
DIRECTIONS = 16
# Jacobians that are formed together and that make up the bound, and the largest state for which they are formed
JACOBIANS, LARGEST_JACOBIAN = 24, 512
LONGEST = 2000
LOWEST = -1e30  # in place of ln 0, which cannot be interpolated


class Flows(NamedTuple):
    """Curves over the lag, (sequences, lags), in nats; `doubt` says in words why not to trust log_norm."""

    log_norm: NDArray
    log_rms: NDArray
    doubt: str


def number_of_lags(problem: Problem) -> int:
    """Return how many lags to measure: T, or 2000 (four times the horizon, if that is more)."""
    return min(problem.steps, max(LONGEST, 4 * (problem.horizon or 0)))


def flows(problem: Problem, lags: int) -> Flows:
    """Measure the gradient flow of each sequence, or of as many as can be afforded.

    A net with thousands of numbers is measured along random directions: a lower bound of the 2-norm.
    """
    # one call for each sequence: the program for one compiles in a third of the time of that for a batch
    n = state_size(problem)
    affordable = int(MOST_WORK / (float(n) ** 3 * lags))
    some: dict[str, Any] = {} if affordable else {"directions": DIRECTIONS, "key": jax.random.key(0)}
    curves = []
    for which in range(min(problem.sequences, max(affordable, 4))):
        xs = problem.sequence(which)
        curves.append(
            gradient_flow(
                problem.step, problem.params, problem.h0, xs, lags=lags, curves=("norm", "frobenius"), windows=1, **some
            )
        )
    doubtful = sum(not bool(np.all(flow.converged)) for flow in curves)
    doubt = f"the 2-norm may be too low for {doubtful} of {len(curves)} sequences" if doubtful else ""
    if some:
        doubt = f"the 2-norm is a lower bound, from {DIRECTIONS} random directions of {n}"
    log_norm = np.stack([np.asarray(flow.log_norm, np.float64) for flow in curves])
    log_rms = np.stack([np.asarray(flow.log_frobenius, np.float64) for flow in curves]) - math.log(n) / 2
    return Flows(log_norm, log_rms, doubt)


def state_size(problem: Problem) -> int:
    """Return n, how many numbers the state has."""
    return max(place.stop for place in part_names(problem.h0).values())


class Samples(NamedTuple):
    """From the Jacobians of the first sequence: curves over the lag, (1, lags), in nats; None if too expensive."""

    log_bound: NDArray | None
    log_diagonal: NDArray | None


def from_jacobians(problem: Problem, path: Trajectory, lags: int, at: int) -> Samples:
    """Return Σ ln ‖J_t‖₂, and ln of the 2-norm of the product of the diagonals of J_t, over the lag.

    The bound takes at most 24 of the Jacobians and interpolates the logarithms between them, which change little. The
    diagonal needs all of them, since its largest product may belong to any unit. They are formed up to lag `at`, if
    that can be afforded; the curve is NaN after it.
    """
    n = state_size(problem)
    if n > LARGEST_JACOBIAN:
        return Samples(None, None)
    everything = np.arange(problem.steps - lags, problem.steps)
    some = everything[np.unique(np.linspace(0, lags - 1, min(lags, JACOBIANS)).round().astype(int))]
    norms = _of_jacobians(problem, path, some)[0]
    log_bound = _summed(np.interp(everything, some, np.maximum(norms, LOWEST))[:, None])
    if float(n) ** 3 * at > MOST_DIAGONAL_WORK:
        return Samples(log_bound, None)
    curve = _summed(np.maximum(_of_jacobians(problem, path, everything[lags - at :])[1], LOWEST))
    return Samples(log_bound, np.pad(curve, ((0, 0), (0, lags - at)), constant_values=np.nan))


def _of_jacobians(problem: Problem, path: Trajectory, times: NDArray) -> tuple[NDArray, NDArray]:
    """Return ln ‖J_t‖₂, (times,), and ln |J_t,ii|, (times, n), for the first sequence; times count from 0."""
    step = entry.traced_step(problem.step, problem.params, problem.h0, entry.first(problem.sequence(0)))
    norms, diagonals = [], []
    for begin in range(0, len(times), JACOBIANS):
        # always as many, so that one program serves all
        chunk = np.resize(times[begin : begin + JACOBIANS], JACOBIANS)
        befores, xs = jax.tree.map(lambda leaf, chunk=chunk: jnp.asarray(leaf[0][chunk]), (path.before, problem.xs))
        norm, diagonal = _together(step, problem.params, befores, xs)
        norms.append(np.asarray(norm)[: len(times) - begin])
        diagonals.append(np.asarray(diagonal)[: len(times) - begin])
    with np.errstate(divide="ignore"):
        return np.log(np.concatenate(norms)), np.log(np.concatenate(diagonals))


@entry.compiled(compiler=PLAIN)
def _together(
    step: Step, params: Params, befores: State, xs: Input
) -> tuple[Float[Array, " times"], Float[Array, "times n"]]:
    """Return ‖J_t‖₂ and |J_t,ii| at several times."""
    on_one_thread()

    def of_one(now: tuple[State, Input]) -> tuple[Array, Array]:
        h, x = now
        vector = flatten(h)[0]
        jacobian = linear_maps(step, params, h, x).pull(jnp.eye(vector.size, dtype=vector.dtype))
        return norm_of_matrix(jacobian), jnp.abs(jnp.diagonal(jacobian))

    return jax.lax.map(of_one, (befores, xs))


def _summed(logs: NDArray) -> NDArray:
    """Sum logarithms (times, units) back from the last time, and return the largest unit's sums."""
    sums = np.cumsum(np.asarray(logs, np.float64)[::-1], axis=0).max(axis=1)
    return np.concatenate([[0.0], np.where(sums <= LOWEST, -np.inf, sums)])[None]
