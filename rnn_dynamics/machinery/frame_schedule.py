"""Time cut into rows of equal length, so that one loop body serves the pilot, the burn-in and the measured blocks."""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np

from ..cells.contract import Input

# blocks of time that the standard errors are computed from; more of them where the run may end after any
BLOCKS = 32
BLOCKS_TO_STOP_AT = 256
SHORTEST_BLOCK = 8
# steps of the pilot that chooses the interval between factorisations
PILOT = 16
# what is done at each place of a row
SKIP, MOVE, BRING_BACK = 0, 1, 2


class Schedule(NamedTuple):
    """Rows of `size` places, each one step. A row that is not full begins with places that are skipped.

    time    the step at each place
    due     SKIP, MOVE, or BRING_BACK: a step with a factorisation after it, the last of each row
    pilot   the row at whose end the interval is chosen; -1 where there is none
    first   the first row that is measured
    block   the first row that is a block; those after it are blocks as well
    piloted the number of steps up to there
    steps   the number of steps measured up to the end of each block
    """

    time: np.ndarray
    due: np.ndarray
    pilot: int
    piloted: int
    first: int
    block: int
    steps: np.ndarray

    @property
    def size(self) -> int:
        """Steps in a block."""
        return self.time.shape[1]

    def rows_of(self, xs: Input) -> Input:
        """The inputs with the axis of time replaced by rows and places."""
        rows, size = self.time.shape
        if self.due.all():  # nothing is skipped, so the places are all of time in order
            return jax.tree.map(lambda leaf: leaf.reshape(rows, size, *leaf.shape[1:]), xs)
        return jax.tree.map(lambda leaf: leaf.at[self.time].get(mode="promise_in_bounds"), xs)


@functools.lru_cache(maxsize=16)
def schedule(T: int, skipped: int, *, pilot: bool, blocks: int | None, may_stop: bool) -> Schedule:
    """Rows for T steps of which the first `skipped` are not measured. What fills no block comes before the blocks."""
    piloted = min(PILOT, T // 4) if pilot else 0
    measured = T - max(piloted, skipped)
    if blocks is None:
        blocks = max(1, min(BLOCKS_TO_STOP_AT if may_stop else BLOCKS, measured // SHORTEST_BLOCK))
    if blocks > measured:
        raise ValueError(f"blocks: got {blocks}, expected at most {measured}, the steps after burn-in and pilot")
    size = measured // blocks
    edges = [*sorted({0, piloted, skipped, T - blocks * size}), T]
    starts, stops = np.concatenate([_cut(*part, size) for part in itertools.pairwise(edges)], axis=1)
    place = np.arange(size)
    due = np.where(place < size - (stops - starts)[:, None], SKIP, MOVE)
    due[:, -1] = BRING_BACK
    block = len(stops) - blocks
    return Schedule(
        time=np.maximum(stops[:, None] - size + place, 0).astype(np.int32),
        due=due.astype(np.int32),
        pilot=int(np.searchsorted(stops, piloted)) if piloted else -1,
        piloted=piloted,
        first=int(np.sum(stops <= skipped)),
        block=block,
        steps=(stops[block:] - skipped).astype(np.int32),
    )


def _cut(start: int, stop: int, size: int) -> np.ndarray:
    """Where each row begins and where it ends; the first may be shorter than `size`."""
    stops = np.arange(stop, start, -size)[::-1]
    return np.stack([np.maximum(stops - size, start), stops])
