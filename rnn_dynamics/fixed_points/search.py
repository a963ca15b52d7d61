"""Search for fixed points and slow points from many candidates at once."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input
from .newton import Places, marquardt, newton
from .problem import Problem
from .result import Ending


class Search(NamedTuple):
    """Where a search ended: C vectors, one for each input and candidate, and M more that deflation found.

    Attributes:
        vectors: Where each candidate ended, (C, n), NumPy.
        ending: How, (C,), as `Ending` codes.
        residual: The largest component of step(h) - h there, (C,).
        input: Which of several inputs each has, (C,).
        xs: The inputs, a pytree with a leading axis of inputs, or None.
        scale: The size of the numbers of a state to which rounding errors are relative.
        more: Fixed points that were found once those above were divided out, (M, n).
        more_input: Which input each has, (M,).
    """

    vectors: np.ndarray
    ending: np.ndarray
    residual: np.ndarray
    input: np.ndarray
    xs: Input
    scale: float
    more: np.ndarray
    more_input: np.ndarray


NEWTON, CHUNK = 60, 10


def searched(
    problem: Problem, xs: Input, inputs: int, *, known: np.ndarray, tolerance: float | None, iterations: int
) -> Search:
    """Search from all candidates for each input."""
    start = np.asarray(problem.vectors)
    which = np.repeat(np.arange(inputs), len(start))
    vectors = np.tile(start, (inputs, 1))
    eps = np.finfo(start.dtype).eps
    scale = float(np.sqrt(np.mean(start.astype(float) ** 2))) or 1.0
    limit = tolerance or 8 * eps * max(scale, 1.0)
    ending = np.full(len(vectors), Ending.NOT_CONVERGED)
    residual = np.full(len(vectors), np.inf)
    cap = jnp.asarray(0.6 * scale, start.dtype)

    def run(program, chosen, rounds, **options):
        slope, damping = np.ones(len(vectors), start.dtype), np.full(len(vectors), 1e-2, start.dtype)
        if options.get("again"):
            vectors[chosen] = np.tile(start, (inputs, 1))[chosen]
        for _ in range(rounds):
            if not len(chosen):
                break
            size = 1 << (len(chosen) - 1).bit_length()
            padded = np.resize(chosen, size)
            at = Places(*(jnp.asarray(a[padded]) for a in (vectors, residual.astype(start.dtype), slope, damping)))
            extra = (cap,) if program is newton else ()
            at = program(problem.step, problem.params, xs, jnp.asarray(which[padded]), at, *extra, steps=CHUNK)
            found, size_, slopes, mus = (np.asarray(a)[: len(chosen)] for a in at)
            vectors[chosen], residual[chosen], slope[chosen], damping[chosen] = found, size_, slopes, mus
            fixed = size_ <= limit
            slow = ~fixed & (slopes < 10 * np.sqrt(eps)) & (program is marquardt)
            ending[chosen[fixed]], ending[chosen[slow]] = Ending.FIXED, Ending.SLOW
            chosen = chosen[~fixed & ~slow]
        return chosen

    left = run(newton, np.arange(len(vectors)), NEWTON // CHUNK)
    run(marquardt, left, -(-iterations // CHUNK), again=True)
    return Search(vectors, ending, residual, which, xs, scale, vectors[:0], which[:0])
