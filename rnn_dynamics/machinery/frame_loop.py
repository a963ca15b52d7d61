"""The loop behind Lyapunov exponents: it measures how a frame F of k columns grows along a trajectory.

    F_0 orthonormal,   J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,   T upper triangular        every s steps
    growth_i = Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|,   R(F) by QR        λ_i = growth_i / time

The columns would all turn to the fastest direction and overflow, so T is taken out of them every s steps. The first
term adds up what was taken out. The other two are the log-volumes of the frames at the two ends, which are 0 for
orthonormal frames. With them the sum is that of a QR decomposition of the whole product, whatever factor was used on
the way.

The interval s is chosen from the growth during a pilot of 16 steps, so that columns keep seven tenths of their digits:

    s = min(0.3 ln(1/eps) / (largest - smallest rate),  ln(largest float) / 4 / largest |rate|,  32),  at least 1

A loop over the rows of a `Schedule`, and within it a loop over the steps of a row, do everything: the pilot, the steps
that only turn the frame, and the measured segments. So the step is traced and compiled once.

`growth` runs the loop: `_row` is one row, `_advance` one step, `_brought_back` one factorisation. How a frame is pushed
is in `frame_push.py`, how it is factored in `lu_frames.py`, how time is cut in `frame_schedule.py`. Next:
`measured_growth` and `measure/lyapunov_result.py` turn a `Run` into exponents.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.contract import Input, Params, State, Step
from . import entry
from .batch_decision import smallest
from .frame_push import Push
from .frame_schedule import BRING_BACK, SKIP, Schedule
from .linear_maps import linear_maps
from .lu_frames import ORTHONORMAL, Factor, by_qr
from .standard_error import standard_error

FEWEST_TO_STOP_AT = (
    32  # segments before a run may stop: then segments four times as long enter the standard error as well
)
LONGEST = 32  # steps between factorisations at most


class Run(NamedTuple):
    """What the loop returns: numbers at the end of each row of time, and numbers of the whole measured time.

    T are the triangular factors taken out of the frame, R(F) is that of the frame itself by QR.

    upto        Σ ln |T_ii| since the measurement began
    logs        the part of that sum from this row
    volumes     ln |R_ii(F)| at the end of the row
    corners     the volumes at the rows where the total begins and ends; elsewhere possibly 0
    lost        the most nats of a factor that were lost to cancellation in one interval
    log_det     Σ ln |det J_t|, where the push computes it
    segments_run  the number of segments that were run; later rows repeat the last one, with logs of 0
    interval    the number of steps between factorisations
    """

    upto: Float[Any, "rows k"]
    logs: Float[Any, "rows k"]
    corners: Float[Any, "rows k"]
    volumes: Float[Any, "rows k"]
    lost: Float[Any, " k"]
    log_det: Float[Any, ""]
    segments_run: Int[Any, ""]
    interval: Int[Any, ""]


class Growth(NamedTuple):
    """The growth of ln |R_ii| of the product of Jacobians: over all measured time, and within each segment."""

    total: Float[Any, " k"]
    upto: Float[Any, "segments k"]  # from the beginning up to the end of each segment
    segments: Float[Any, "segments k"]  # 0 for those that were not run


class _Frame(NamedTuple):
    """A state, the rows of Fᵀ that go with it, and sums since the row of time began."""

    h: State
    rows: Array
    age: Array  # steps since the last factorisation
    logs: Array  # Σ ln |T_ii|
    rest: Array  # what is still to be added to it: its rounding error (Kahan), and logarithms that the push returned
    lost: Array
    log_det: Array
    log_det_rest: Array


class _Carry(NamedTuple):
    """What one row of time passes to the next."""

    h: State
    rows: Array
    upto: Array  # Σ logs since the measurement began
    turned: Array  # Σ logs before that
    lost: Array  # since the measurement began
    log_det: Array  # since the measurement began
    interval: Array


class _Row(NamedTuple):
    """The numbers at the end of a row of time, as in a `Run`."""

    upto: Array
    logs: Array
    corner: Array
    volumes: Array


def growth(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    columns: Float[Array, "n k"],
    plan: Schedule,
    interval: int | str,
    *,
    push: Push,
    factor: Factor,
    entire: bool,
    longest: int = LONGEST,
    until: Float[Array, ""] | None = None,
) -> Run:
    """Measure the growth of orthonormal columns over the rows of the plan.

    With `until`, stop after the first segment at which every standard error is at most that. With `interval="auto"` the
    pilot, which has a factorisation after each step, chooses the interval for the other rows. Unless `entire`, the
    corners are computed separately, so that the compiler can drop the volumes of the other rows where the caller does
    not use them.
    """
    chooses = interval == "auto" and longest > 1
    steps = jnp.int32(1 if interval == "auto" or longest == 1 else interval)
    zeros, zero = jnp.zeros(columns.shape[1], columns.dtype), jnp.zeros((), columns.dtype)
    start = entry.varying_like(_Carry(h0, columns.T, zeros, zeros, zeros, zero, steps), h0)
    advance = partial(_advance, step, params, push, factor, longest == 1 or interval == 1, bool(plan.due.all()))
    volumes = (lambda frame: zeros) if factor in ORTHONORMAL else (lambda frame: by_qr(frame).logs)
    entire = entire or until is not None
    row = partial(_row, advance, volumes, plan, longest if chooses else None, entire)
    inputs = jnp.arange(len(plan.due), dtype=jnp.int32), jnp.asarray(plan.due), plan.rows_of(xs)
    if until is None:
        end, found = jax.lax.scan(row, start, inputs)
        run = jnp.int32(len(plan.steps))
    else:
        end, found, run = _until_precise(row, start, inputs, plan, until)
    return Run(*found, lost=end.lost, log_det=end.log_det, segments_run=run, interval=end.interval)


def measured_growth(xp: Any, plan: Schedule, run: Run) -> Growth:
    """Compute the growth over all measured time and within each segment from the rows of a run."""
    before = run.corners[plan.first - 1] if plan.first else xp.zeros_like(run.corners[0])
    return Growth(
        total=run.upto[-1] + run.corners[-1] - before,
        upto=(run.upto + run.volumes)[plan.segment :] - before[None],
        segments=_within_segments(xp, plan, run.logs, run.volumes),
    )


def compensated(total: Array, added: Array) -> tuple[Array, Array]:
    """Return total + added and the rounding error of that sum (Kahan), which is 0 where the sum is not finite."""
    new = total + added
    return new, jnp.where(jnp.isfinite(new), added - (new - total), 0)


def _row(
    advance: Callable,
    volumes: Callable,
    plan: Schedule,
    longest: int | None,
    entire: bool,
    carry: _Carry,
    inputs: tuple[Array, Array, Input],
) -> tuple[_Carry, _Row]:
    """Run one row of time. Its sums start from 0, because one sum over all steps would lose digits to its own size."""
    number, due, xs = inputs
    zeros, zero = jnp.zeros_like(carry.upto), jnp.zeros((), carry.upto.dtype)
    frame = _Frame(carry.h, carry.rows, jnp.int32(0), zeros, zeros, zeros, zero, zero)
    frame, _ = jax.lax.scan(partial(advance, carry.interval), entry.varying_like(frame, carry.h), (due, xs))
    all_volumes = volumes(frame.rows.T)
    if entire:
        corner = all_volumes
    else:
        needed = (number == plan.pilot) | (number == plan.first - 1) | (number == len(plan.due) - 1)
        corner = jax.lax.cond(needed, lambda rows: volumes(rows.T), lambda rows: zeros, frame.rows)
    upto, turned, interval = carry.upto + frame.logs, carry.turned, carry.interval
    lost, log_det = jnp.maximum(carry.lost, frame.lost), carry.log_det + frame.log_det
    if longest is not None and plan.pilot >= 0:
        chosen = jnp.minimum(chosen_interval((turned + upto + corner) / plan.piloted), longest)
        interval = jnp.where(number == plan.pilot, chosen, interval)
    if plan.first:
        turns = number < plan.first
        turned = jnp.where(turns, turned + upto, turned)
        upto, lost, log_det = (jnp.where(turns, 0, value) for value in (upto, lost, log_det))
    found = _Row(upto, frame.logs, corner, all_volumes)
    return _Carry(frame.h, frame.rows, upto, turned, lost, log_det, interval), found


def _advance(
    step: Step,
    params: Params,
    push: Push,
    factor: Factor,
    always: bool,
    full: bool,
    interval: Array,
    frame: _Frame,
    at: tuple[Array, Input],
) -> tuple[_Frame, None]:
    """Do what is due at one place of a row: nothing, a step, or a step with a factorisation after it."""
    due, x = at

    def move(frame: _Frame) -> _Frame:
        maps = linear_maps(step, params, frame.h, x)
        pushed = push(maps, frame.rows)
        rest, lost = frame.rest + pushed.logs, jnp.maximum(frame.lost, pushed.lost)
        log_det = compensated(frame.log_det, pushed.log_det + frame.log_det_rest)
        moved = _Frame(maps.after, pushed.rows, frame.age + 1, frame.logs, rest, lost, *log_det)
        if always:
            return _brought_back(factor, moved)
        old = (moved.age >= interval) | (due == BRING_BACK)
        return jax.lax.cond(old, partial(_brought_back, factor), lambda frame: frame, moved)

    moved = move(frame)
    if not full:  # skip by selection: a branch at each place would take longer than a step of a small system
        moved = jax.tree.map(lambda old, new: jnp.where(due == SKIP, old, new), frame, moved)
    return moved, None


def _brought_back(factor: Factor, frame: _Frame) -> _Frame:
    """Take the triangular factor out of the frame."""
    new = factor(frame.rows.T)
    logs, rest = compensated(frame.logs, new.logs + frame.rest)
    lost = jnp.maximum(frame.lost, new.lost)
    return frame._replace(rows=new.frame.T, age=jnp.zeros_like(frame.age), logs=logs, rest=rest, lost=lost)


def _within_segments(
    xp: Any, plan: Schedule, logs: Float[Any, "rows k"], volumes: Float[Any, "rows k"]
) -> Float[Any, "segments k"]:
    """Compute what each segment has added to ln |R_ii|."""
    volumes = volumes if plan.segment else xp.concatenate([xp.zeros_like(volumes[:1]), volumes])
    return logs[plan.segment :] + xp.diff(volumes[max(plan.segment - 1, 0) :], axis=0)


def chosen_interval(rates: Float[Array, "k ..."]) -> Int[Array, ""]:
    """Choose the interval from the rates of growth in the pilot: the shortest that a member of the batch needs."""
    return smallest(jnp.min(_safe(jax.lax.stop_gradient(rates))))


def _safe(rates: Float[Array, "k ..."]) -> Int[Array, "..."]:
    """Return for how many steps columns that grow at these rates keep seven tenths of their digits and stay finite."""
    kind = jnp.finfo(rates.dtype)
    highest, lowest = jnp.max(jnp.stack([rates, -rates]), axis=1)
    digits = -0.3 * math.log(kind.eps) / jnp.maximum(highest + lowest, 1e-3)
    room = math.log(kind.max) / 4 / jnp.maximum(jnp.maximum(highest, lowest), 1e-3)
    steps = jnp.floor(jnp.minimum(digits, room))
    return jnp.where(jnp.isfinite(steps), jnp.clip(steps, 1, LONGEST), 1).astype(jnp.int32)


def _until_precise(
    row: Callable, start: _Carry, inputs: tuple[Array, Array, Input], plan: Schedule, until: Float[Array, ""]
) -> tuple[_Carry, _Row, Array]:
    """Scan `row` until the standard error of each column's growth in a segment is small; count the segments run."""
    tolerance, rows = until * plan.size, len(plan.due)

    def unfinished(carry: tuple) -> Array:
        count, _, found = carry
        error = standard_error(_within_segments(jnp, plan, found.logs, found.volumes), count - plan.segment)
        return (count < rows) & ((count < plan.segment + FEWEST_TO_STOP_AT) | ~jnp.all(error <= tolerance))

    def run(carry: tuple) -> tuple:
        count, state, found = carry
        state, new = row(state, jax.tree.map(lambda leaf: leaf[count], inputs))
        return count + 1, state, jax.tree.map(lambda all_, one: all_.at[count].set(one), found, new)

    shapes = jax.eval_shape(row, start, jax.tree.map(lambda leaf: leaf[0], inputs))[1]
    nothing = jax.tree.map(lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype), shapes)
    count, end, found = jax.lax.while_loop(unfinished, run, entry.varying_like((jnp.int32(0), start, nothing), start))
    last = jnp.minimum(jnp.arange(rows, dtype=jnp.int32), count - 1)
    found = found._replace(upto=found.upto[last], corner=found.corner[last], volumes=found.volumes[last])
    return end, found, count - plan.segment
