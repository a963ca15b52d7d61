"""Lyapunov exponents: the mean logarithmic growth, a step, of k directions that a trajectory's Jacobians carry along.

    Y = J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,    λ_i = 1/T (Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|)

with F brought back every s steps (`triangular.py`) and R(F) the triangular factor of a frame by QR. The corrections at
the two ends make the sum that of a QR decomposition of the whole product, whichever factor is used on the way.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from . import door
from .flat import flatten
from .growth import Growth, compensated, growth, push, push_in_two
from .linear_maps import linear_maps
from .standard_error import standard_error
from .together import smallest
from .triangular import METHODS, starting_frame
from .unroll import state_after


class LyapunovSpectrum(NamedTuple):
    """Exponents in nats a step, in the order of the frame: descending up to noise.

    exponents   the mean over the whole time measured
    stderr      their standard errors, from the means of blocks of time; inf where there are too few blocks
    history     running estimates after every block
    local       the growth a step within each block; NaN for blocks that were not run. The pilot's 16 steps and what
                does not fill a block come before the first and are in `history` alone
    steps       the number of steps behind each row of `history`; the last is the number measured
    reliable    whether the exponent is finite, the rounding in each factor of it small, the sum rule obeyed as
                far as it is known, and it has converged; how far that is without `until`, `stderr` says
    converged   whether the standard error is at most `until`, where that was asked for
    sum_rule_residual  Σ λ_i - mean ln |det J_t| for a full spectrum, which is 0 in exact arithmetic; NaN for k < n
    every       the number of steps from one factorisation to the next, fewer at the end of a block
    """

    exponents: Float[Array, " k"]
    stderr: Float[Array, " k"]
    history: Float[Array, "blocks k"]
    local: Float[Array, "blocks k"]
    steps: Int[Array, " blocks"]
    reliable: Bool[Array, " k"]
    converged: Bool[Array, " k"]
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
    until: float | None = None,
    blocks: int | None = None,
    key: Array | None = None,
) -> LyapunovSpectrum:
    """The k largest Lyapunov exponents along the trajectory from h0 (all n of them for k = None).

    The first `burn_in` steps only move the state, to the attractor; the next `frame_burn_in` turn the frame into its
    directions too, unmeasured. Over the rest, T steps, these are finite-time exponents; for a driven net they depend
    on its inputs, for a noise-driven one on the draw. The first frame is random with a `key`; else the coordinate
    directions for k = n, whose exponents are in no order where these directions are invariant, and fixed others for
    k < n.

    `every="auto"` chooses the interval from a pilot of some steps: as long as no column falls so far behind the first
    that the float type loses more than a quarter of its digits. Time O(T) pushes of k columns (2n²k operations for a
    dense W) and T/every factorisations of O(nk²); memory O(nk). The sum rule costs a Jacobian and its determinant a
    step more; under your own jit it is left out where you do not use it.

    With `until`, T is a budget: the run ends after the first block, from the 32nd on, at which every standard error is
    at most that, and `converged` says which are. A standard error knows only what has been seen, so give a burn-in.
    Such a run has no reverse-mode derivative. There are 32 blocks of time, 256 with `until`, fewer where they would be
    shorter than 8 steps, or as many as you like by `blocks`; each costs a QR decomposition of the frame.

    Where a factorisation lost digits all is measured once more: a full spectrum with the sizes of the Jacobian's
    columns factored apart, which keeps them where units are saturated; fewer columns with a factorisation each step, if
    the interval was chosen here. What is lost even so is not `reliable`. Exact zeros of the Jacobian, as relu and
    threshold have them, give -inf; a trajectory that is not finite gives NaN.
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
    blocks = None if blocks is None else argument.size("blocks", blocks, 1)
    return _lyapunov_spectrum(
        step,
        params,
        h0,
        xs,
        key,
        None if until is None else jnp.asarray(argument.number("until", until, above=0)),
        k=k,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        every=every,
        method=method,
        blocks=blocks,
    )


class LargestExponent(NamedTuple):
    """The largest exponent in nats a step, with the fields of a LyapunovSpectrum as numbers."""

    exponent: Float[Array, ""]
    stderr: Float[Array, ""]
    history: Float[Array, " blocks"]
    local: Float[Array, " blocks"]
    steps: Int[Array, " blocks"]
    reliable: Bool[Array, ""]
    converged: Bool[Array, ""]


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
    until: float | None = None,
    blocks: int | None = None,
) -> LargestExponent:
    """The largest Lyapunov exponent, from one tangent vector that starts in a random direction.

    Time O(T) directional derivatives, memory O(n): for n in the tens of thousands. The options are those of
    `lyapunov_spectrum`.
    """
    found = lyapunov_spectrum(
        step,
        params,
        h0,
        xs,
        k=1,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        until=until,
        blocks=blocks,
        key=key,
    )
    return LargestExponent(
        exponent=found.exponents[0],
        stderr=found.stderr[0],
        history=found.history[:, 0],
        local=found.local[:, 0],
        steps=found.steps,
        reliable=found.reliable[0],
        converged=found.converged[0],
    )


@door.compiled("k", "length", "burn_in", "frame_burn_in", "every", "method", "blocks")
def _lyapunov_spectrum(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    until: Float[Array, ""] | None,
    *,
    k: int | None,
    length: int | None,
    burn_in: int,
    frame_burn_in: int,
    every: int | str,
    method: str,
    blocks: int | None,
) -> LyapunovSpectrum:
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    door.decomposable(h0)
    columns = starting_frame(h0, k, key)
    (n, k), dtype = columns.shape, columns.dtype
    h0 = state_after(step, params, h0, xs, burn_in)
    T, xs = T - burn_in, jax.tree.map(lambda leaf: leaf[burn_in:], xs)
    until = None if until is None else until.astype(dtype)
    common = (step, params, h0, xs, T, frame_burn_in)
    grow = partial(growth, *common, factor=METHODS[method], blocks=blocks, until=until)
    found = plain = grow(push, columns, every)
    all_seen = smallest(jnp.all(_seen(plain.lost)))
    residual = jnp.full((), jnp.nan, dtype)
    if 1 < k < n and every == "auto":
        found = jax.lax.cond(all_seen, lambda: plain, lambda: grow(push, columns, every, longest=1))
    if k == n:
        again = partial(grow, push_in_two, columns, "auto" if every == "auto" else 1, longest=1)
        found = jax.lax.cond(all_seen, lambda: plain, again)
        stop = T if until is None else frame_burn_in + found.steps[-1]
        log_det = _log_det(*common[:4], frame_burn_in, stop)
        residual = _difference(jnp.sum(found.total), log_det) / found.steps[-1].astype(dtype)
    return _spectrum(found, residual, jnp.inf if until is None else until)


def _spectrum(found: Growth, residual: Float[Array, ""], until: float | Float[Array, ""]) -> LyapunovSpectrum:
    """Rates from growths."""
    run = jnp.arange(len(found.blocks), dtype=jnp.int32) < found.blocks_run
    local = found.blocks / found.size.astype(found.blocks.dtype)
    steps = found.steps.astype(found.blocks.dtype)
    exponents = found.total / steps[-1]
    stderr = standard_error(local, found.blocks_run)
    converged = stderr <= until
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=stderr,
        history=(found.before[None] + jnp.cumsum(found.blocks, axis=0)) / steps[:, None],
        local=jnp.where(run[:, None], local, jnp.nan),
        steps=found.steps,
        reliable=_reliable(exponents, found.lost, residual) & converged,
        converged=converged,
        sum_rule_residual=residual,
        every=found.every,
    )


def _log_det(
    step: Step, params: Params, h0: State, xs: Input, start: int, stop: int | Int[Array, ""]
) -> Float[Array, ""]:
    """ln |det| of the Jacobians from `start` to `stop`, summed."""

    def advance(t: Array, carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        h, total, rest = carry
        maps = linear_maps(step, params, h, jax.tree.map(lambda leaf: leaf[t], xs))
        vector, _ = flatten(maps.after)
        log_det = jnp.linalg.slogdet(maps.push(jnp.eye(vector.size, dtype=vector.dtype)))[1]
        return maps.after, *compensated(total, log_det + rest)

    h = state_after(step, params, h0, xs, start)
    zero = jnp.zeros((), flatten(h0)[0].dtype)
    return jax.lax.fori_loop(start, stop, advance, door.varying_like((h, zero, zero), h0))[1]


def _seen(lost: Float[Array, " k"]) -> Bool[Array, " k"]:
    """Whether the rounding of every factor, some eps e^lost of it for each step, was small: one in a thousand."""
    return lost < math.log(0.001 / jnp.finfo(lost.dtype).eps)


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
