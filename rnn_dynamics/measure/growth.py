"""How a frame of columns grows along a trajectory, whichever way it is pushed and brought back."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.contract import Input, Params, State, Step
from . import door
from .linear_maps import LinearMaps, linear_maps
from .standard_error import standard_error
from .together import smallest
from .triangular import Factor, by_qr, column_scaled

# blocks of time that the standard errors are computed from; more of them where the run may end after any
BLOCKS = 32
BLOCKS_TO_STOP_AT = 256
FEWEST_TO_STOP_AT = 32  # so that blocks four times as long have a say in the standard error
SHORTEST_BLOCK = 8
# steps of the pilot that chooses the interval, and the longest interval
PILOT = 16
LONGEST = 32


class Growth(NamedTuple):
    """Of ln |R_ii| of the product of Jacobians over the measured time: the whole of it, and what each block added."""

    total: Array
    before: Array  # what the steps before the first block added
    blocks: Array
    size: Array  # steps in a block
    steps: Array  # measured up to the end of each block
    blocks_run: Array  # later rows repeat the last of `steps` and have grown by nothing
    lost: Array  # nats of a factor that were lost to cancellation in one interval, at most
    every: Array


class _Frame(NamedTuple):
    """A state, the rows of Fᵀ with it, and what has been seen of them so far."""

    h: State
    rows: Array
    age: Array  # steps since the last factorisation
    logs: Array  # Σ ln |T_ii|
    rest: Array  # what the rounding of that sum has left out so far (Kahan)
    lost: Array


def compensated(total: Array, added: Array) -> tuple[Array, Array]:
    """total + added, and what its rounding has left out (Kahan); nothing where the sum is infinite."""
    new = total + added
    return new, jnp.where(jnp.isfinite(new), added - (new - total), 0)


class _Pushed(NamedTuple):
    rows: Array
    logs: Array
    lost: Array


Push = Callable[[LinearMaps, Array], _Pushed]


def push(maps: LinearMaps, rows: Float[Array, "k n"]) -> _Pushed:
    """(J F)ᵀ from Fᵀ; kept as rows, since XLA's products on CPUs are twice as fast that way round."""
    nothing = jnp.zeros(len(rows), rows.dtype)
    return _Pushed(maps.push(rows.T).T, nothing, nothing)


def push_in_two(maps: LinearMaps, rows: Float[Array, "k n"]) -> _Pushed:
    """(J F)ᵀ by way of a frame of C F, as in `column_scaled`."""
    J, half = column_scaled(maps.push(jnp.eye(rows.shape[1], dtype=rows.dtype)), rows.T)
    return _Pushed(half.frame.T @ J.T, half.logs, half.lost)


def growth(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    T: int,
    skipped: int,
    pushed_by: Push,
    columns: Float[Array, "n k"],
    every: int | str,
    *,
    factor: Factor,
    blocks: int | None,
    until: Float[Array, ""] | None,
    longest: int = LONGEST,
) -> Growth:
    """The growth of a frame over the T steps from h0, of which the first `skipped` only turn it.

    The first steps, with a factorisation each, are the pilot that chooses the interval of the others. Blocks of equal
    length stand at the end; with `until` no more of them are run than it takes.
    """
    zeros = jnp.zeros(columns.shape[1], columns.dtype)
    frame = door.varying_like(_Frame(h0, columns.T, jnp.int32(0), zeros, zeros, zeros), h0)
    advance = partial(_advance, step, params, pushed_by, factor)
    fresh = partial(_brought_back, factor)
    pilot = min(PILOT, T // 4) if every == "auto" else 0
    begin = max(pilot, skipped)
    blocks = _number_of_blocks(T - begin, blocks, until is not None)
    size = (T - begin) // blocks
    tail = T - blocks * size

    frame, interval = _piloted(advance, fresh, frame, xs, pilot, every, skipped, longest)
    frame = fresh(_walk(advance, interval, frame, xs, begin, tail))
    before = frame.logs

    def block(carry: tuple[_Frame, Array], inputs: Input) -> tuple[tuple[_Frame, Array], tuple[Array, Array]]:
        """Sums start anew in each block: one sum over all steps would lose digits to its own size."""
        frame, volumes = carry
        frame = frame._replace(age=jnp.zeros_like(frame.age), logs=jnp.zeros_like(frame.logs))
        frame = fresh(_walk(advance, interval, frame, inputs, 0, size))
        volumes_now = by_qr(frame.rows.T).logs
        return (frame, volumes_now), (frame.logs, volumes_now - volumes)

    inputs = jax.tree.map(lambda leaf: leaf[tail:].reshape(blocks, size, *leaf.shape[1:]), xs)
    start = (frame, by_qr(frame.rows.T).logs)
    if until is None:
        count = jnp.int32(blocks)
        (end, _), (logs, volumes) = jax.lax.scan(block, start, inputs, length=blocks)
    else:
        count, (end, _), (logs, volumes) = _until_precise(block, start, inputs, blocks, until * size)
    # volumes between the first and the last cancel: a program that wants the total alone need not compute them
    total = before + jnp.sum(logs, axis=0) + by_qr(end.rows.T).logs
    steps = tail - skipped + size * jnp.minimum(jnp.arange(1, blocks + 1, dtype=jnp.int32), count)
    return Growth(total, before + start[1], logs + volumes, jnp.int32(size), steps, count, end.lost, interval)


def _number_of_blocks(steps: int, blocks: int | None, may_stop: bool) -> int:
    if blocks is None:
        return max(1, min(BLOCKS_TO_STOP_AT if may_stop else BLOCKS, steps // SHORTEST_BLOCK))
    if blocks > steps:
        raise ValueError(f"blocks: got {blocks}, expected at most {steps}, the steps after burn-in and pilot")
    return blocks


def _advance(
    step: Step, params: Params, pushed_by: Push, factor: Factor, interval: Array, frame: _Frame, x: Input
) -> tuple[_Frame, None]:
    """One step, and a factorisation if the interval has passed."""
    maps = linear_maps(step, params, frame.h, x)
    pushed = pushed_by(maps, frame.rows)
    rest, lost = frame.rest + pushed.logs, jnp.maximum(frame.lost, pushed.lost)
    moved = _Frame(maps.after, pushed.rows, frame.age + 1, frame.logs, rest, lost)
    return _brought_back(factor, moved, interval), None


def _brought_back(factor: Factor, frame: _Frame, interval: int | Array = 1) -> _Frame:
    """The frame with the triangular factor taken out of it, if it is as old as the interval."""

    def refactor(frame: _Frame) -> _Frame:
        new = factor(frame.rows.T)
        logs, rest = compensated(frame.logs, new.logs + frame.rest)
        return _Frame(frame.h, new.frame.T, jnp.zeros_like(frame.age), logs, rest, jnp.maximum(frame.lost, new.lost))

    return jax.lax.cond(frame.age >= interval, refactor, lambda frame: frame, frame)


def _walk(advance: Callable, interval: Array, frame: _Frame, xs: Input, start: int, stop: int) -> _Frame:
    """The frame after the inputs from `start` to `stop`."""
    part = jax.tree.map(lambda leaf: leaf[start:stop], xs)
    return jax.lax.scan(partial(advance, interval), frame, part, length=stop - start)[0]


def _piloted(
    advance: Callable,
    fresh: Callable,
    frame: _Frame,
    xs: Input,
    pilot: int,
    every: int | str,
    skipped: int,
    longest: int,
) -> tuple[_Frame, Array]:
    """The frame after pilot and burn-in, its logarithms those since the burn-in, and the interval from there on."""
    one = jnp.int32(1)
    frame = _walk(advance, one, frame, xs, 0, min(pilot, skipped))
    if pilot <= skipped:
        interval = _interval(every, frame.logs, pilot, longest)
        frame = fresh(_walk(advance, interval, frame, xs, pilot, skipped))
    turned, volumes = frame.logs, by_qr(frame.rows.T).logs
    frame = frame._replace(logs=-volumes, lost=jnp.zeros_like(volumes))
    if pilot > skipped:
        frame = _walk(advance, one, frame, xs, skipped, pilot)
        interval = _interval(every, turned + volumes + frame.logs, pilot, longest)
    return frame, interval


def _interval(every: int | str, logs: Float[Array, " k"], steps: int, longest: int) -> Int[Array, ""]:
    """What was asked for, or what a pilot with this growth over these steps allows the whole batch."""
    if isinstance(every, int):
        return jnp.int32(every)
    return jnp.minimum(smallest(_safe(jax.lax.stop_gradient(logs) / steps)), longest) if steps else jnp.int32(1)


def _safe(rates: Float[Array, " k"]) -> Int[Array, ""]:
    """Steps for which columns that grow at these rates keep three quarters of their digits and do not overflow."""
    kind = jnp.finfo(rates.dtype)
    digits = -math.log(kind.eps) / 4 / jnp.maximum(jnp.max(rates) - jnp.min(rates), 1e-3)
    room = math.log(kind.max) / 4 / jnp.maximum(jnp.max(jnp.abs(rates)), 1e-3)
    steps = jnp.floor(jnp.minimum(digits, room))
    return jnp.where(jnp.isfinite(steps), jnp.clip(steps, 1, LONGEST), 1).astype(jnp.int32)


def _until_precise(
    block: Callable, start: tuple[_Frame, Array], inputs: Input, blocks: int, tolerance: Float[Array, ""]
) -> tuple[Array, tuple[_Frame, Array], tuple[Array, Array]]:
    """As a scan of `block`, ended when the standard error of a block's growth is at most the tolerance for all."""

    def unfinished(carry: tuple) -> Array:
        count, _, (logs, volumes) = carry
        error = standard_error(logs + volumes, count)
        return (count < blocks) & ((count < FEWEST_TO_STOP_AT) | ~jnp.all(error <= tolerance))

    def run(carry: tuple) -> tuple:
        count, state, results = carry
        state, new = block(state, jax.tree.map(lambda leaf: leaf[count], inputs))
        return count + 1, state, jax.tree.map(lambda rows, row: rows.at[count].set(row), results, new)

    nothing = jnp.zeros((blocks, *start[1].shape), start[1].dtype)
    begin = door.varying_like((jnp.int32(0), start, (nothing, nothing)), start)
    return jax.lax.while_loop(unfinished, run, begin)
