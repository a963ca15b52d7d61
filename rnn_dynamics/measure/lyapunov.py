"""Lyapunov exponents: the mean logarithmic growth, a step, of k directions that a trajectory's Jacobians carry along.

    Y = J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,    λ_i = 1/T (Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|)

with F brought back every s steps (`triangular.py`) and R(F) the triangular factor of a frame by QR. The corrections at
the two ends make the sum that of a QR decomposition of the whole product, whichever factor is used on the way.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from . import door
from .flat import flatten
from .linear_maps import LinearMaps, linear_maps
from .together import smallest
from .triangular import METHODS, Factor, by_qr, column_scaled
from .unroll import state_after

# blocks of time that the standard errors are computed from
BLOCKS = 32
SHORTEST_BLOCK = 8
# steps of the pilot that chooses the interval, and the longest interval
PILOT = 16
LONGEST = 32


class LyapunovSpectrum(NamedTuple):
    """Exponents in nats a step, in the order of the frame: descending up to noise.

    exponents   the mean over the whole time measured
    stderr      their standard errors, from the means of blocks of time; inf where there are too few blocks
    history     running estimates after every block, (blocks, k)
    steps       the number of steps behind each row of `history`
    reliable    whether the exponent is finite and no digits of it were lost
    sum_rule_residual  Σ λ_i - mean ln |det J_t| for a full spectrum, which is 0 in exact arithmetic; NaN for k < n
    every       the number of steps from one factorisation to the next
    """

    exponents: Float[Array, " k"]
    stderr: Float[Array, " k"]
    history: Float[Array, "blocks k"]
    steps: Int[Array, " blocks"]
    reliable: Bool[Array, " k"]
    sum_rule_residual: Float[Array, ""]
    every: Int[Array, ""]


def lyapunov_spectrum(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    k: int | None = None,
    length: int | None = None,
    burn_in: int = 0,
    frame_burn_in: int = 0,
    every: int | str = "auto",
    method: str = "lu",
    key: Array | None = None,
) -> LyapunovSpectrum:
    """The k largest Lyapunov exponents along the trajectory from h0 (all n of them for k = None).

    The first `burn_in` steps only move the state, to the attractor; the next `frame_burn_in` turn the frame into its
    directions too, unmeasured. Over the rest, T steps, these are finite-time exponents; for a driven net they depend
    on its inputs, for a noise-driven one on the draw. The first frame is random with a `key`, else made of the first k
    coordinate directions, which is right for T -> infinity only if these are in no invariant subspace.

    `every="auto"` chooses the interval from a pilot of some steps: as long as no column falls so far behind the first
    that the float type loses more than a quarter of its digits. Time O(T) pushes of k columns (2n²k operations for a
    dense W) and T/every factorisations of O(nk²); memory O(nk). The sum rule costs a Jacobian and its determinant a
    step more; under your own jit it is left out where you do not use it.

    An exponent is `reliable` if it is finite and no factorisation lost its digits. Of a full spectrum that did lose
    some, all of it is measured once more with the sizes of the Jacobian's columns factored apart, which keeps them
    where units are saturated. Exact zeros of the Jacobian, as relu and threshold have them, give -inf.
    """
    door.enter(step, params=params, h0=h0, xs=xs)
    length = door.whole_number("length", length)
    T = door.time_steps(xs, length)
    burn_in, frame_burn_in = argument.size("burn_in", burn_in, 0), argument.size("frame_burn_in", frame_burn_in, 0)
    if burn_in + frame_burn_in >= T:
        raise ValueError(
            f"burn_in, frame_burn_in: got {burn_in} and {frame_burn_in}, which leaves nothing of T = {T} steps"
        )
    argument.choice("method", method, tuple(METHODS))
    if every != "auto":
        every = argument.size("every", every, 1)
    if key is not None:
        argument.key(key)
    k = None if k is None else argument.size("k", k, 1)
    return _lyapunov_spectrum(
        step,
        params,
        h0,
        xs,
        key,
        k=k,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        every=every,
        method=method,
    )


class LargestExponent(NamedTuple):
    """The largest exponent in nats a step, with the fields of a LyapunovSpectrum as numbers."""

    exponent: Float[Array, ""]
    stderr: Float[Array, ""]
    history: Float[Array, " blocks"]
    steps: Int[Array, " blocks"]
    reliable: Bool[Array, ""]


def largest_exponent(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    key: Array,
    length: int | None = None,
    burn_in: int = 0,
    frame_burn_in: int = 0,
) -> LargestExponent:
    """The largest Lyapunov exponent, from one tangent vector that starts in a random direction.

    Time O(T) directional derivatives, memory O(n): for n in the tens of thousands. The options are those of
    `lyapunov_spectrum`.
    """
    found = lyapunov_spectrum(
        step, params, h0, xs, k=1, length=length, burn_in=burn_in, frame_burn_in=frame_burn_in, key=key
    )
    return LargestExponent(found.exponents[0], found.stderr[0], found.history[:, 0], found.steps, found.reliable[0])


class _Frame(NamedTuple):
    """A state, the rows of Fᵀ with it, and what has been seen of them so far."""

    h: State
    rows: Array
    age: Array  # steps since the last factorisation
    logs: Array  # Σ ln |T_ii|
    rest: Array  # what the rounding of that sum has left out so far (Kahan)
    lost: Array  # nats of a factor that were lost to cancellation in one interval, at most


class _Growth(NamedTuple):
    """Σ ln |R_ii| of the product of Jacobians at the ends of blocks of time, and at the beginning of the first."""

    first: Array
    sums: Array
    left: Array  # steps from the end of each block to that of the last
    lost: Array
    every: Array


@door.compiled("k", "length", "burn_in", "frame_burn_in", "every", "method")
def _lyapunov_spectrum(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    *,
    k: int | None,
    length: int | None,
    burn_in: int,
    frame_burn_in: int,
    every: int | str,
    method: str,
) -> LyapunovSpectrum:
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    door.decomposable(h0)
    vector, _ = flatten(h0)
    n, dtype = vector.size, vector.dtype
    k = n if k is None else k
    if k > n:
        raise ValueError(f"k: got {k}, expected at most n = {n}, the numbers in the state")
    h0 = state_after(step, params, h0, xs, burn_in)
    T, xs = T - burn_in, jax.tree.map(lambda leaf: leaf[burn_in:], xs)
    columns = jnp.eye(n, k, dtype=dtype) if key is None else jnp.linalg.qr(jax.random.normal(key, (n, k), dtype))[0]
    grow = partial(_growth, step, params, h0, xs, T, skipped=frame_burn_in, factor=METHODS[method])
    growth = grow(_push, columns, every)
    residual = jnp.full((), jnp.nan, dtype)
    if k == n:
        plain = growth
        growth = jax.lax.cond(
            smallest(jnp.all(_seen(plain.lost))),
            lambda: plain,
            lambda: grow(_push_in_two, columns, "auto" if every == "auto" else 1, longest=1),
        )
        mean_log_det = _mean_log_det(step, params, h0, xs, T, frame_burn_in)
        residual = _difference(jnp.sum(growth.sums[-1]) / (T - frame_burn_in), mean_log_det)
    measured = T - frame_burn_in
    steps = measured - growth.left
    exponents = growth.sums[-1] / measured
    means = jnp.diff(growth.sums, axis=0, prepend=growth.first[None])
    if len(means) > 1:
        means = means / (steps[1] - steps[0]).astype(dtype)
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=_standard_error(means),
        history=growth.sums / steps[:, None].astype(dtype),
        steps=steps,
        reliable=_reliable(exponents, growth.lost, residual),
        sum_rule_residual=residual,
        every=growth.every,
    )


class _Pushed(NamedTuple):
    rows: Array
    logs: Array
    lost: Array


Push = Callable[[LinearMaps, Array], _Pushed]


def _push(maps: LinearMaps, rows: Float[Array, "k n"]) -> _Pushed:
    """(J F)ᵀ from Fᵀ; kept as rows, since XLA's products on CPUs are twice as fast that way round."""
    nothing = jnp.zeros(len(rows), rows.dtype)
    return _Pushed(maps.push(rows.T).T, nothing, nothing)


def _push_in_two(maps: LinearMaps, rows: Float[Array, "k n"]) -> _Pushed:
    """(J F)ᵀ by way of a frame of C F, as in `column_scaled`."""
    J, half = column_scaled(maps.push(jnp.eye(rows.shape[1], dtype=rows.dtype)), rows.T)
    return _Pushed(half.frame.T @ J.T, half.logs, half.lost)


def _growth(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    T: int,
    push: Push,
    columns: Float[Array, "n k"],
    every: int | str,
    *,
    skipped: int,
    factor: Factor,
    longest: int = LONGEST,
) -> _Growth:
    """The growth of a frame over the T steps from h0, of which the first `skipped` only turn it.

    The first steps, with a factorisation each, are the pilot that chooses the interval of the others.
    """
    zeros = jnp.zeros(columns.shape[1], columns.dtype)

    def refactor(frame: _Frame) -> _Frame:
        new = factor(frame.rows.T)
        added = new.logs + frame.rest
        logs = frame.logs + added
        rest = jnp.where(jnp.isfinite(logs), added - (logs - frame.logs), 0)
        age, lost = jnp.zeros_like(frame.age), jnp.maximum(frame.lost, new.lost)
        return _Frame(frame.h, new.frame.T, age, logs, rest, lost)

    def advance(interval: Array, frame: _Frame, x: Input) -> tuple[_Frame, None]:
        maps = linear_maps(step, params, frame.h, x)
        pushed = push(maps, frame.rows)
        rest, lost = frame.rest + pushed.logs, jnp.maximum(frame.lost, pushed.lost)
        moved = _Frame(maps.after, pushed.rows, frame.age + 1, frame.logs, rest, lost)
        return jax.lax.cond(moved.age >= interval, refactor, lambda frame: frame, moved), None

    def run(frame: _Frame, start: int, stop: int, interval: Array) -> _Frame:
        part = jax.tree.map(lambda leaf: leaf[start:stop], xs)
        return jax.lax.scan(partial(advance, interval), frame, part, length=stop - start)[0]

    one = jnp.int32(1)
    pilot = min(PILOT, T // 4) if every == "auto" else 0
    frame = door.varying_like(_Frame(h0, columns.T, jnp.int32(0), zeros, zeros, zeros), h0)
    frame = run(frame, 0, min(pilot, skipped), one)
    if pilot <= skipped:
        interval = _interval(every, frame.logs, pilot, longest)
        frame = run(frame, pilot, skipped, interval)
    turned = frame.logs
    frame = frame._replace(logs=-by_qr(frame.rows.T).logs, lost=door.varying_like(zeros, frame.logs))
    if pilot > skipped:
        untouched = frame.logs
        frame = run(frame, skipped, pilot, one)
        interval = _interval(every, turned + frame.logs - untouched, pilot, longest)

    # blocks of equal length at the end; what does not fill one goes before them
    begin = max(pilot, skipped)
    blocks = max(1, min(BLOCKS, (T - begin) // SHORTEST_BLOCK))
    size = (T - begin) // blocks
    frame = run(frame, begin, T - blocks * size, interval)
    volumes = by_qr(frame.rows.T)
    first = frame.logs + volumes.logs
    tail = jax.tree.map(lambda leaf: leaf[T - blocks * size :].reshape(blocks, size, *leaf.shape[1:]), xs)

    def block(carry: tuple[_Frame, Array], inputs: Input) -> tuple[tuple[_Frame, Array], Array]:
        """Sums start anew in each block: one sum over all steps would lose digits to its own size."""
        frame, before = carry
        frame = frame._replace(logs=jnp.zeros_like(before))
        frame = jax.lax.scan(partial(advance, interval), frame, inputs, length=size)[0]
        # a frame that is not fresh may have lost digits of its own
        volumes = by_qr(frame.rows.T)
        frame = frame._replace(lost=jnp.maximum(frame.lost, volumes.lost))
        return (frame, volumes.logs), frame.logs + volumes.logs - before

    (frame, _), growths = jax.lax.scan(block, (frame, volumes.logs), tail, length=blocks)
    left = size * jnp.arange(blocks - 1, -1, -1)
    return _Growth(first, first[None] + jnp.cumsum(growths, axis=0), left, frame.lost, interval)


def _mean_log_det(step: Step, params: Params, h0: State, xs: Input, T: int, skipped: int) -> Float[Array, ""]:
    """The mean of ln |det J_t| over the measured steps."""

    def advance(h: State, x: Input) -> tuple[State, Array]:
        maps = linear_maps(step, params, h, x)
        vector, _ = flatten(maps.after)
        return maps.after, jnp.linalg.slogdet(maps.push(jnp.eye(vector.size, dtype=vector.dtype)))[1]

    return jnp.mean(jax.lax.scan(advance, h0, xs, length=T)[1][skipped:])


def _seen(lost: Float[Array, " k"]) -> Bool[Array, " k"]:
    """Whether the rounding of every factor, eps e^lost of it, was one in a hundred or less."""
    return lost < math.log(0.01 / jnp.finfo(lost.dtype).eps)


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


def _standard_error(means: Float[Array, "blocks k"]) -> Float[Array, " k"]:
    """Of the mean of block means; where neighbours are correlated, that of blocks twice and four times as long."""
    if len(means) < 8:
        return jnp.full_like(means[0], jnp.inf)
    errors = []
    while len(means) >= 8:
        errors.append(jnp.std(means, axis=0, ddof=1) / math.sqrt(len(means)))
        means = means[len(means) % 2 :].reshape(-1, 2, means.shape[1]).mean(axis=1)
    return jnp.max(jnp.stack(errors), axis=0)


def _difference(left: Float[Array, ""], right: Float[Array, ""]) -> Float[Array, ""]:
    """left - right, 0 where both are -inf: a singular Jacobian obeys the sum rule too."""
    both = (left == right) & jnp.isinf(left)
    return jnp.where(both, 0, left - jnp.where(both, 0, right))


def _reliable(exponents: Float[Array, " k"], lost: Float[Array, " k"], residual: Float[Array, ""]) -> Bool[Array, " k"]:
    """Finite, above the floor in every interval, and in accord with the sum rule as far as that explains it."""
    seen = _seen(lost)
    allowed = math.sqrt(jnp.finfo(exponents.dtype).eps) * jnp.maximum(1, jnp.sum(jnp.abs(exponents)))
    agrees = ~(jnp.abs(residual) > allowed)  # there is no residual for k < n
    return jnp.isfinite(exponents) & seen & (agrees | ~jnp.all(seen))
