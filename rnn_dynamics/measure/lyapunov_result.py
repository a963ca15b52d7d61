"""Results of `lyapunov_spectrum` and `largest_exponent`, from what their loop has seen."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..machinery.frame_loop import Growth, Run, measured_growth
from ..machinery.frame_schedule import Schedule
from ..machinery.numpy_or_jax import held
from ..machinery.standard_error import FEWEST_BLOCKS, standard_error
from .reliability import difference, doubts_of, reasons


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


def spectrum_of(xp: Any, run: Run, until: Float[Any, ""] | None, *, plan: Schedule, full: bool) -> LyapunovSpectrum:
    """Rates from growths, in descending order."""
    found, lost = _in_order(xp, measured_growth(xp, plan, run), run.lost)
    dtype, steps, local = found.total.dtype, xp.asarray(plan.steps), found.blocks / plan.size
    stderr = standard_error(local, run.blocks_run, xp)
    converged = stderr <= (np.inf if until is None else until.astype(dtype))
    if until is not None:  # the run may have ended before the last block
        blocks = xp.arange(len(plan.steps), dtype=np.int32)
        steps = steps[xp.minimum(blocks, run.blocks_run - 1)]
        local = xp.where((blocks < run.blocks_run)[:, None], local, np.nan)
    T = steps[-1].astype(dtype)
    exponents = found.total / T
    net, gross = xp.sum(xp.stack([exponents, xp.abs(exponents)]), axis=1)
    residual = difference(xp, net, run.log_det / T) if full else xp.full_like(T, np.nan)
    short = len(plan.steps) < FEWEST_BLOCKS
    doubts = doubts_of(xp, exponents, lost, residual, gross, short=short, converged=converged)
    return LyapunovSpectrum(
        exponents=exponents,
        stderr=stderr,
        history=found.upto / steps.astype(dtype)[:, None],
        local=local,
        steps=steps,
        reliable=doubts == 0,
        converged=converged,
        sum_rule_residual=residual,
        every=run.every,
        doubts=doubts,
    )


def largest_of(xp: Any, run: Run, until: Float[Any, ""] | None, *, plan: Schedule, full: bool) -> LargestExponent:
    """The fields of the spectrum of one column, as numbers."""
    found = spectrum_of(xp, run, until, plan=plan, full=full)
    return LargestExponent(
        exponent=found.exponents[0],
        stderr=found.stderr[0],
        history=found.history[:, 0],
        local=found.local[:, 0],
        steps=found.steps,
        reliable=found.reliable[0],
        converged=found.converged[0],
        doubts=xp.asarray(found.doubts)[0],
    )


def _in_order(xp: Any, found: Growth, lost: Float[Any, " k"]) -> tuple[Growth, Float[Any, " k"]]:
    """With the columns in descending order of their growth, and as lost what they or any before them in the frame lost.

    A column is what the factorisation left of it, so one that is noise spoils those after it.
    """
    k = len(found.total)
    if k == 1:
        return found, lost
    lost = xp.max(xp.where(np.tri(k, dtype=bool), lost[None], 0), axis=1)
    columns = xp.concatenate([found.total[None], lost[None], found.upto, found.blocks])
    columns = columns[:, xp.argsort(-held(xp, found.total), stable=True)]  # one gather for all of them
    upto, blocks = xp.split(columns[2:], 2)
    return Growth(total=columns[0], upto=upto, blocks=blocks), columns[1]
