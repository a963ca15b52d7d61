"""Cut time into rows of equal length, so that one loop body serves the pilot, the burn-in and the measured segments.

    0         piloted, skipped                 T - segments · size                                  T
    |  pilot, frame burn-in  |  remainder  |  segment 1  |  segment 2  |    ...    |  last segment  |

    pilot          the first 16 steps, or T/4 if that is less: they choose the interval between factorisations
    frame burn-in  the first `skipped` steps: they turn the frame and are not measured; this may overlap the pilot
    remainder      measured steps that do not fill a segment
    segments       stretches of equal length, from whose growth the standard errors are computed

The part of the pilot after the frame burn-in, and the remainder, are measured too but belong to no segment. A new row
begins at every border, so some rows would be shorter than a segment. They are filled up in front with places that the
loop skips. So all rows have one shape, and the step is traced and compiled once.

Next: `frame_loop.py` runs over these rows.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np

from ..cells.contract import Input

# how many segments standard errors are computed from; more where the run may end after any of them
SEGMENTS = 32
SEGMENTS_TO_STOP_AT = 256
SHORTEST_SEGMENT = 8
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
    segment    the first row that is a segment; all later rows are segments too
    steps    the number of steps measured up to the end of each segment
    """

    time: np.ndarray
    due: np.ndarray
    pilot: int
    piloted: int
    first: int
    segment: int
    steps: np.ndarray

    @property
    def size(self) -> int:
        """Return the number of steps in a segment."""
        return self.time.shape[1]

    def rows_of(self, xs: Input) -> Input:
        """Return the inputs with two axes, row and place, instead of the axis of time."""
        rows, size = self.time.shape
        if self.due.all():  # nothing is skipped, so the places are all the times in order
            return jax.tree.map(lambda leaf: leaf.reshape(rows, size, *leaf.shape[1:]), xs)
        return jax.tree.map(lambda leaf: leaf.at[self.time].get(mode="promise_in_bounds"), xs)


@functools.lru_cache(maxsize=16)
def schedule(T: int, skipped: int, *, pilot: bool, segments: int | None, may_stop: bool) -> Schedule:
    """Return the rows for T steps, of which the first `skipped` are not measured.

    Measured steps that do not fill a segment come before the segments.
    """
    piloted = min(PILOT, T // 4) if pilot else 0
    measured = T - max(piloted, skipped)
    if segments is None:
        segments = max(1, min(SEGMENTS_TO_STOP_AT if may_stop else SEGMENTS, measured // SHORTEST_SEGMENT))
    if segments > measured:
        raise ValueError(f"segments: got {segments}, expected at most {measured}, the steps after burn-in and pilot")
    size = measured // segments
    edges = [*sorted({0, piloted, skipped, T - segments * size}), T]
    starts, stops = np.concatenate([_cut(*part, size) for part in itertools.pairwise(edges)], axis=1)
    place = np.arange(size)
    due = np.where(place < size - (stops - starts)[:, None], SKIP, MOVE)
    due[:, -1] = BRING_BACK
    segment = len(stops) - segments
    return Schedule(
        time=np.maximum(stops[:, None] - size + place, 0).astype(np.int32),
        due=due.astype(np.int32),
        pilot=int(np.searchsorted(stops, piloted)) if piloted else -1,
        piloted=piloted,
        first=int(np.sum(stops <= skipped)),
        segment=segment,
        steps=(stops[segment:] - skipped).astype(np.int32),
    )


def _cut(start: int, stop: int, size: int) -> np.ndarray:
    """Return where each row from start to stop begins and ends; the first may be shorter than `size`."""
    stops = np.arange(stop, start, -size)[::-1]
    return np.stack([np.maximum(stops - size, start), stops])


class WindowPlan(NamedTuple):
    """Windows of time that are measured at once.

    rows      a row for each window
    together  how many windows there are in a segment
    shares    the windows are divided into so many equal shares
    segments  the segments, without the rows before them
    """

    rows: Schedule
    together: int
    shares: int
    segments: Schedule


@functools.lru_cache(maxsize=16)
def window_plan(T: int, skipped: int, *, windows: int, segments: int, shares: int) -> WindowPlan:
    """Cut T steps, of which the first `skipped` are not measured, into about so many windows.

    A segment has between windows/segments windows and nearly twice as many: the number that leaves fewest steps over.
    """
    fewest = max(1, windows // segments)
    measured = T - skipped
    together = min(range(fewest, 2 * fewest), key=lambda count: measured % (segments * count))
    rows = schedule(T, skipped, pilot=False, segments=segments * together, may_stop=False)
    merged = rows._replace(
        time=np.empty((segments, rows.size * together)), first=0, segment=0, steps=rows.steps[together - 1 :: together]
    )
    more = -len(rows.due) % shares  # windows in front whose steps are all skipped
    rows = rows._replace(
        time=np.pad(rows.time, ((more, 0), (0, 0))),
        due=np.pad(rows.due, ((more, 0), (0, 0)), constant_values=SKIP),
        first=rows.first + more,
        segment=rows.segment + more,
    )
    return WindowPlan(rows, together, shares, merged)
