"""Search for all fixed points that can be reached from many candidates, and for slow points.

1. Capped Newton iterations in float32 from every candidate. They find saddles that a descent slides past.
2. Those that come near a point are polished to the last digits of the float type of the states.
3. The others descend to a local minimum of the speed: a slow point, or a fixed point that Newton's method missed.
4. Points at which no candidate ends: from the candidates again, with what is found divided out (`deflation.py`), and
   from combinations of found points (`found.py`), until no point has been met only once.

Why not optimistix: its Newton and Levenberg-Marquardt solve one problem to its end, so that under `vmap` all candidates
iterate until the slowest has ended. Here a candidate that has ended makes room for the next. Nor has it capped steps,
deflation or slow points, and it would be a dependency in place of some twenty lines of iterations.
"""

from typing import NamedTuple

import numpy as np

from ...cells.contract import Input, Step
from ..problem import Problem
from ..result import Ending
from .batches import batch_size
from .deflation import Divided, divided
from .found import Found, starts
from .stages import NEAR, Maps, Stages, coarse_maps, dtype_of

# the last generations of combined starts must find nothing new: so many, and one more for every eight points known;
# how many generations there are at most, and the share of points met once at which they may end
LEAST, MOST, UNSEEN = 6, 36, 0.005
# rounds of deflation from the candidates at most
DEFLATIONS = 4


class Search(NamedTuple):
    """Where a search ended: C rows, one for each input and candidate, and M points more.

    Attributes:
        vectors: Where each candidate ended, (C, n), NumPy.
        ending: How, (C,), as `Ending` codes.
        input: Which of several inputs each has, (C,).
        xs: The inputs, a pytree with a leading axis of inputs, or None.
        scale: The size of the numbers of a state.
        more: Fixed points at which no candidate ended, (M, n).
        more_input: Which input each of those has, (M,).
        unseen: An estimate of the probability that one more start would end at a point that was not found.
    """

    vectors: np.ndarray
    ending: np.ndarray
    input: np.ndarray
    xs: Input
    scale: float
    more: np.ndarray
    more_input: np.ndarray
    unseen: float


def searched(
    problem: Problem,
    step: Step,
    xs: Input,
    inputs: int,
    *,
    known: np.ndarray,
    tolerance: float | None,
    iterations: int,
) -> Search:
    """Search from all candidates for each input, away from the known points."""
    candidates = np.asarray(problem.vectors)
    maps = Maps(problem.step, problem.params, xs)
    scale = float(np.sqrt(np.mean(candidates.astype(float) ** 2))) or 1.0
    coarse = coarse_maps(problem, step, xs, maps)
    stages = Stages(maps, coarse, scale, tolerance, iterations, batch_size(len(candidates) * inputs))
    found = Found(candidates.shape[1], NEAR * scale)
    found.add(np.tile(known, (inputs, 1)), np.repeat(np.arange(inputs), len(known)), counted=False)
    away = len(found.vectors)
    which = np.repeat(np.arange(inputs), len(candidates))
    vectors, ending = _from_candidates(stages, found, np.tile(candidates, (inputs, 1)), which)
    fixed = np.flatnonzero(ending == Ending.FIXED)
    found.add(vectors[fixed], which[fixed], counted=False)
    for i in fixed:  # known points are not found again
        same = np.max(np.abs(found.vectors[:away] - vectors[i]), axis=1) <= found.near
        if np.any(same & (found.inputs[:away] == which[i])):
            ending[i] = Ending.NOT_CONVERGED
    more, more_input = _further(stages, found, candidates, inputs)
    return Search(vectors, ending, which, xs, scale, more, more_input, found.unseen())


def _from_candidates(
    stages: Stages, found: Found, start: np.ndarray, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the search from each row ends, and how."""
    vectors, ending = start.copy(), np.full(len(start), Ending.NOT_CONVERGED)
    ends, near = stages.explore(start, which, _table(stages, found, int(which.max()) + 1))
    near = np.flatnonzero(near)
    vectors[near], fixed = stages.polish(ends[near], which[near])
    ending[near[fixed]] = Ending.FIXED
    left = np.flatnonzero(ending != Ending.FIXED)
    vectors[left], fixed, slow = stages.descend(start[left], which[left])
    ending[left[fixed]], ending[left[slow]] = Ending.FIXED, Ending.SLOW
    return vectors, ending


def _table(stages: Stages, found: Found, inputs: int) -> Divided:
    points = [found.vectors[found.inputs == i] for i in range(inputs)]
    n = found.vectors.shape[1]
    return divided(points, n, stages.scale, dtype_of(stages.coarse.step))


def _further(stages: Stages, found: Found, candidates: np.ndarray, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Look for points at which no candidate ended; return them with their inputs."""
    # of small states more, since they cost little
    count = int(np.clip(len(candidates) // 4, np.clip(2**20 // candidates.shape[1] ** 2, 16, 128), 256))
    which = np.repeat(np.arange(inputs), count)
    some = candidates[np.linspace(0, len(candidates) - 1, count // 2).astype(int)]
    parts = []

    def new_from(start: np.ndarray, known: Divided, counted: bool) -> bool:
        ends, near = stages.explore(start, which, known)
        at = np.flatnonzero(near)
        new = at[found.add(ends[at], which[at], counted=counted)]
        points, fixed = stages.polish(ends[new], which[new])
        parts.append((points[fixed], which[new[fixed]]))
        return len(new) > 0

    for _ in range(DEFLATIONS):
        near = [found.displaced(i, count - len(some), some, 0.2 * stages.scale) for i in range(inputs)]
        start = np.concatenate([part for each in near for part in (some, each)])
        if not new_from(start, _table(stages, found, inputs), counted=False):
            break
    nothing, quiet = _table(stages, Found(candidates.shape[1], 0.0), inputs), 0
    for generation in range(MOST):
        start = np.concatenate([starts(found, candidates, count, generation)] * inputs)
        quiet = 0 if new_from(start, nothing, counted=True) else quiet + 1
        if quiet >= LEAST + len(found.vectors) // 8 and found.unseen() <= UNSEEN:
            break
    vectors, of = (np.concatenate(each) for each in zip(*parts, strict=True))
    return vectors, of
