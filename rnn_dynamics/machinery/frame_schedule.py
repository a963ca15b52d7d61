"""Cut time into rows of equal length, so that one loop body serves the pilot, the burn-in and the measured blocks.

    0         piloted, skipped                 T - blocks · size                                  T
    |  pilot, frame burn-in  |  remainder  |  block 1  |  block 2  |    ...    |  last block  |

    pilot          the first 16 steps, or T/4 if that is less: they choose the interval between factorisations
    frame burn-in  the first `skipped` steps: they turn the frame and are not measured; this may overlap the pilot
    remainder      measured steps that do not fill a block
    blocks         stretches of equal length, from whose growth the standard errors are computed

The part of the pilot after the frame burn-in, and the remainder, are measured too but belong to no block. A new row
begins at every border, so some rows would be shorter than a block. They are filled up in front with places that the
loop skips. So all rows have one shape, and the step is traced and compiled once.

Next: `frame_loop.py` runs over these rows.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np

from ..cells.contract import Input

# how many blocks standard errors are computed from; more where the run may end after any of them
BLOCKS = 32
BLOCKS_TO_STOP_AT = 256
SHORTEST_BLOCK = 8
# steps of the pilot
PILOT = 16
# what the loop does at a place of a row: nothing, a step, or a step with a factorisation after it
SKIP, MOVE, BRING_BACK = 0, 1, 2


class Schedule(NamedTuple):
    """Rows of `size` places, one step each. A row that is not full begins with places that are skipped.

    time     the step at each place, (rows, size)
    due      SKIP, MOVE or BRING_BACK at each place, (rows, size); the last place of each row is BRING_BACK
    pilot    the row at whose end the interval is chosen; -1 if there is no pilot
    piloted  the number of steps up to there
    first    the first row that is measured
    block    the first row that is a block; all later rows are blocks too
    steps    the number of steps measured up to the end of each block
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
        """Return the number of steps in a block."""
        return self.time.shape[1]

    def rows_of(self, xs: Input) -> Input:
        """Return the inputs with two axes, row and place, instead of the axis of time."""
        rows, size = self.time.shape
        if self.due.all():  # nothing is skipped, so the places are all the times in order
            return jax.tree.map(lambda leaf: leaf.reshape(rows, size, *leaf.shape[1:]), xs)
        return jax.tree.map(lambda leaf: leaf.at[self.time].get(mode="promise_in_bounds"), xs)


@functools.lru_cache(maxsize=16)
def schedule(T: int, skipped: int, *, pilot: bool, blocks: int | None, may_stop: bool) -> Schedule:
    """Return the rows for T steps, of which the first `skipped` are not measured.

    Measured steps that do not fill a block come before the blocks.
    """
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
    """Return where each row from start to stop begins and ends; the first may be shorter than `size`."""
    stops = np.arange(stop, start, -size)[::-1]
    return np.stack([np.maximum(stops - size, start), stops])
