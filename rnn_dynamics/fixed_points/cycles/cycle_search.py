"""Search for cycles from many starts: lanes that are refilled, so that one program of one size serves any number."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..problem import Problem
from .cycle_newton import DONE, LOST, RUNNING, Lanes, Limits, iterated

# iterations in one call of the program, and the memory that its Jacobians may take
STEPS, MEMORY = 4, 2**27


class Solutions(NamedTuple):
    """Where the searches from S starts ended.

    Attributes:
        states: The p states, (S, p, n).
        response: How rounding errors move a solution, (S, p, n).
        found: Whether a cycle was found, (S,).
    """

    states: np.ndarray
    response: np.ndarray
    found: np.ndarray


def solved(problem: Problem, starts: np.ndarray, known: tuple[Any, Any], limits: Limits, iterations: int) -> Solutions:
    """Run Newton's method from each of the starts (S, p, n)."""
    count, p, n = starts.shape
    L = lane_count(count, p, n, starts.dtype.itemsize)
    found = Solutions(starts.copy(), np.zeros_like(starts), np.zeros(count, bool))
    waiting = list(range(count))[::-1]
    which, used = np.full(L, -1), np.zeros(L, int)
    states, response = np.zeros((2, L, p, n), starts.dtype)
    status = np.full(L, LOST, np.int32)
    while True:
        for lane in np.flatnonzero(which < 0)[: len(waiting)]:
            which[lane], used[lane], status[lane] = waiting.pop(), 0, RUNNING
            states[lane] = starts[which[lane]]
        if (which < 0).all():
            return found
        lanes = Lanes(*map(jnp.asarray, (states, response, status)))
        lanes = iterated(problem.step, problem.params, problem.x, lanes, *known, limits, steps=STEPS)
        states, response, status = map(np.array, lanes)
        used += STEPS
        ended = (which >= 0) & ((status != RUNNING) | (used >= iterations))
        rows = which[ended]
        found.states[rows], found.response[rows] = states[ended], response[ended]
        found.found[rows] = status[ended] == DONE
        status[ended], which[ended] = LOST, -1


def lane_count(count: int, p: int, n: int, itemsize: int) -> int:
    """Return how many searches run side by side: a power of two, not more than fit into memory."""
    fitting = max(1, MEMORY // (itemsize * p * n * (8 * n + 8)))
    return 1 << min((count - 1).bit_length(), fitting.bit_length() - 1)


def limits_of(vectors: np.ndarray, tolerance: float | None) -> Limits:
    """Return when a lane is done: by default at 32 eps times the largest component of its states."""
    eps = np.finfo(vectors.dtype).eps
    scale = float(np.median(np.max(np.abs(vectors), axis=1))) or 1.0
    numbers = scale, scale, tolerance or 0.0, 32 * eps if tolerance is None else 0.0
    return Limits(*(jnp.asarray(number, vectors.dtype) for number in numbers))
