"""Lyapunov exponents: the mean logarithmic growth, a step, of k directions that a trajectory's Jacobians carry along.

    Y = J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,    λ_i = 1/T (Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|)

with F brought back every s steps (`triangular.py`) and R(F) the triangular factor of a frame by QR. The corrections at
the two ends make the sum that of a QR decomposition of the whole product, whichever factor is used on the way.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from . import door
from .doubt import difference, doubts_of, reasons, seen
from .flat import blocks as parts_of
from .growth import LONGEST, Growth, growth
from .push import in_two, whole
from .schedule import Schedule, schedule
from .standard_error import FEWEST_BLOCKS, standard_error
from .together import smallest
from .triangular import METHODS, by_norm, starting_frame
from .unroll import state_after


class LyapunovSpectrum(NamedTuple):
    """Exponents in nats a step, in descending order; the columns of all fields are in that order.

    exponents   the mean over the whole time measured
    stderr      their standard errors, from the means of blocks of time; inf where there are too few blocks
    history     running estimates after every block
    local       the growth a step within each block; NaN for blocks that were not run. The pilot's 16 steps and what
                does not fill a block come before the first and are in `history` alone
    steps       the number of steps behind each row of `history`; the last is the number measured
    reliable    whether there is no doubt about the exponent; how precise it is, `stderr` says
    converged   whether the standard error is at most `until`, where that was asked for
    sum_rule_residual  Σ λ_i - mean ln |det J_t| for a full spectrum, which is 0 in exact arithmetic; NaN for k < n
    every       the number of steps from one factorisation to the next, fewer at the end of a block
    doubts      what speaks against each exponent, as a sum of `rd.Doubt`; `reasons` has it in words
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
    doubts: Int[Array, " k"] | int = 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts about each exponent in words; "" where there is none."""
        return reasons(self.doubts)


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
    on its inputs, for a noise-driven one on the draw. The first frame is random with a `key`, else a fixed one that
    lies along no coordinate.

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
    the interval was chosen here. The second run is a program of its own, compiled only when it is needed; inside your
    own transformations both are compiled. `doubts` says of each exponent what is lost even so, and `reasons` says it in
    words. Exact zeros of the Jacobian, as relu, threshold and saturated tanh have them, give -inf to as many exponents
    and leave the others as they are; a trajectory that is not finite gives NaN.
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
    return _measured(
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
    doubts: Int[Array, ""] | int = 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts about the exponent in words; "" where there is none."""
        return reasons(self.doubts)


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
        doubts=jnp.asarray(found.doubts)[0],
    )


def _measured(
    step: Step, params: Params, h0: State, xs: Input, key: Array | None, until: Any, **options: Any
) -> LyapunovSpectrum:
    """The plain run, or a more careful one where that has lost digits.

    The careful run is another program. Where the host can see that it is not needed, it is not compiled either.
    """
    given = (step, params, h0, xs, key, until)
    found, done = _lyapunov_spectrum(*given, **options)
    n = max(part.stop for part in parts_of(h0).values())
    k = options["k"] or n
    if k < n and (k == 1 or options["every"] != "auto"):
        return found
    if isinstance(done, jax.core.Tracer):
        done = smallest(done)
    if isinstance(done, jax.core.Tracer):
        return jax.lax.cond(done, lambda: found, lambda: _lyapunov_spectrum(*given, **options, careful=True)[0])
    return found if done else _lyapunov_spectrum(*given, **options, careful=True)[0]


@door.compiled("k", "length", "burn_in", "frame_burn_in", "every", "method", "blocks", "careful")
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
    careful: bool = False,
) -> tuple[LyapunovSpectrum, Bool[Array, ""]]:
    """The spectrum, and whether all of it was seen or a more careful run sees no more."""
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    door.decomposable(h0)
    columns = starting_frame(h0, k, key)
    (n, k), dtype = columns.shape, columns.dtype
    h0 = state_after(step, params, h0, xs, burn_in)
    xs = jax.tree.map(lambda leaf: leaf[burn_in:], xs)
    if k == 1 < n:  # a length is found faster than it is worth to choose when
        every = 1
    plan = schedule(T - burn_in, frame_burn_in, pilot=every == "auto", blocks=blocks, may_stop=until is not None)
    found = growth(
        step,
        params,
        h0,
        xs,
        columns,
        plan,
        every,
        push=in_two if careful and k == n else whole,
        factor=by_norm if k == 1 else METHODS[method],
        longest=1 if careful else LONGEST,
        until=None if until is None else until.astype(dtype),
    )
    return _spectrum(plan, found, k == n, until), jnp.all(seen(found.lost))


def _spectrum(plan: Schedule, found: Growth, full: bool, until: Float[Array, ""] | None) -> LyapunovSpectrum:
    """Rates from growths, in descending order."""
    found = _in_order(found)
    dtype, steps, local = found.total.dtype, jnp.asarray(plan.steps), found.blocks / plan.size
    stderr = standard_error(local, found.blocks_run)
    converged = stderr <= (jnp.inf if until is None else until.astype(dtype))
    if until is not None:  # the run may have ended before the last block
        blocks = jnp.arange(len(plan.steps), dtype=jnp.int32)
        steps = steps[jnp.minimum(blocks, found.blocks_run - 1)]
        local = jnp.where((blocks < found.blocks_run)[:, None], local, jnp.nan)
    T = steps[-1].astype(dtype)
    exponents = found.total / T
    net, gross = jnp.sum(jnp.stack([exponents, jnp.abs(exponents)]), axis=1)
    residual = difference(net, found.log_det / T) if full else jnp.full_like(T, jnp.nan)
    short = len(plan.steps) < FEWEST_BLOCKS
    doubts = doubts_of(exponents, found.lost, residual, gross, short=short, converged=converged)
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=stderr,
        history=found.upto / steps.astype(dtype)[:, None],
        local=local,
        steps=steps,
        reliable=doubts == 0,
        converged=converged,
        sum_rule_residual=residual,
        every=found.every,
        doubts=doubts,
    )


def _in_order(found: Growth) -> Growth:
    """With the columns in descending order of their growth, and as lost what they or any before them in the frame lost.

    A column is what the factorisation left of it, so one that is noise spoils those after it.
    """
    k = len(found.total)
    if k == 1:
        return found
    lost = jnp.max(jnp.where(np.tri(k, dtype=bool), found.lost[None], 0), axis=1)
    columns = jnp.concatenate([found.total[None], lost[None], found.upto, found.blocks])
    columns = columns[:, jnp.argsort(-jax.lax.stop_gradient(found.total))]  # one gather for all of them
    upto, blocks = jnp.split(columns[2:], 2)
    return found._replace(total=columns[0], lost=columns[1], upto=upto, blocks=blocks)
