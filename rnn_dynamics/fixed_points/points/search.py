"""Search for all fixed points that can be reached from many candidates, and for slow points.

1. Capped Newton iterations in float32 from every candidate. They find saddles that a descent slides past.
2. Those that come near a point are polished to the last digits of the float type of the states.
3. The others descend to a local minimum of the speed: a slow point, or a fixed point that Newton's method missed.
4. Points at which no candidate ends: generations of starts that combine found points and candidates (`found.py`), with
   what is found divided out (`deflation.py`), until several generations in a row have found nothing.

Why not optimistix: its Newton and Levenberg-Marquardt solve one problem to its end, so that under `vmap` all candidates
iterate until the slowest has ended. Here a candidate that has ended makes room for the next. Nor has it capped steps,
deflation or slow points, and it would be a dependency in place of some twenty lines of iterations.
"""

from typing import NamedTuple

import numpy as np

from ...cells.contract import Input, Step
from ..local_maps import local_maps
from ..problem import Problem
from ..result import Ending
from .batches import batch_size
from .deflation import Divided, divided
from .found import Found, starts
from .index import is_bounded
from .stages import EXPLORING, NEAR, Maps, Stages, coarse_maps, dtype_of

# so many generations in a row must find nothing new, and one more for every eight isolated points known; how many there
# are at most
LEAST, MOST = 4, 64
# while the indices prove that points are missing, the search goes on for FOR_EACH starts for each candidate, but for at
# least AT_LEAST / n², since starts of small states cost little
FOR_EACH, AT_LEAST = 8, 2**24
# so many points of a line are divided out at most
ON_A_LINE = 16
# degenerate ends this many times as far out as the candidates are dropped: gates that have rounded to 1 hold any state
FAR = 3.0


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
        unseen: A bound for the probability that one more start would end at a point that was not found.
        incomplete: Whether the indices prove that points are missing.
    """

    vectors: np.ndarray
    ending: np.ndarray
    input: np.ndarray
    xs: Input
    scale: float
    more: np.ndarray
    more_input: np.ndarray
    unseen: float
    incomplete: bool


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
    found.add(np.tile(known, (inputs, 1)), np.repeat(np.arange(inputs), len(known)))
    away = len(found.vectors)
    which = np.repeat(np.arange(inputs), len(candidates))
    vectors, ending = _from_candidates(stages, found, np.tile(candidates, (inputs, 1)), which)
    fixed = np.flatnonzero(ending == Ending.FIXED)
    found.add(vectors[fixed], which[fixed])
    for i in fixed:  # known points are not found again
        same = np.max(np.abs(found.vectors[:away] - vectors[i]), axis=1) <= found.near
        if np.any(same & (found.inputs[:away] == which[i])):
            ending[i] = Ending.NOT_CONVERGED
    reached = len(found.vectors)
    quiet, incomplete = _further(stages, found, problem, inputs)
    more, unseen = slice(reached, None), 1 - 0.05 ** (1 / quiet)
    return Search(vectors, ending, which, xs, scale, found.vectors[more], found.inputs[more], unseen, incomplete)


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
    points = [found.to_divide_out(i, ON_A_LINE) for i in range(inputs)]
    return divided(points, found.vectors.shape[1], stages.scale, dtype_of(stages.coarse.step))


def _further(stages: Stages, found: Found, problem: Problem, inputs: int) -> tuple[int, bool]:
    """Look for points at which no candidate ended.

    Returns how many starts in a row found none for any input, and whether the indices prove that some are missing.
    """
    candidates = np.asarray(problem.vectors)
    # of small states more, and for longer, since they cost little
    n = candidates.shape[1]
    count = int(np.clip(len(candidates) // 4, np.clip(2**20 // n**2, 16, 256), 256))
    most = int(np.clip(1024 // n, EXPLORING, 3 * EXPLORING))
    which = np.repeat(np.arange(inputs), count)
    _describe(found, problem, stages.maps.xs, np.arange(len(found.vectors)))
    bounded = is_bounded(problem, stages.maps.xs, inputs, stages.scale)
    quiet, missing, patience = 0, False, max(FOR_EACH * len(candidates), AT_LEAST // n**2)
    for generation in range(MOST):
        start = np.concatenate([starts(found, candidates, count, generation, stages.scale)] * inputs)
        ends, near = stages.explore(start, which, _table(stages, found, inputs), most)
        at = np.flatnonzero(near)
        points, fixed = stages.polish(ends[at], which[at])
        known = len(found.vectors)
        found.add(points[fixed], which[at[fixed]])
        _describe(found, problem, stages.maps.xs, np.arange(known, len(found.vectors)))
        found.drop_degenerate(known, FAR * float(np.max(np.abs(candidates))))
        quiet = 0 if np.any(found.sign[known:]) else quiet + 1
        missing = bool(bounded and np.all(found.sign) and np.any(found.index_sums(inputs) != 1))
        over = not missing or (generation + 1) * count >= patience
        if quiet >= LEAST + np.count_nonzero(found.sign) // 8 and over:
            break
    return max(quiet, 1) * count, missing


def _describe(found: Found, problem: Problem, xs: Input, places: np.ndarray) -> None:
    n = found.vectors.shape[1]
    places = places[: max(64, 2**26 // n**3)]  # more than can be decomposed in seconds lie on a line
    J = local_maps(problem, xs, found.vectors[places], found.inputs[places]).J
    found.describe(places, J - np.eye(n), float(np.finfo(dtype_of(problem.step)).eps))
