"""The results of `lyapunov_spectrum` and `largest_exponent`, computed from what their loop returns."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..machinery.frame_loop import Growth, Run, measured_growth
from ..machinery.frame_schedule import Schedule
from ..machinery.numpy_or_jax import held
from ..machinery.printed import Table, fields_of, number, printable, share, span
from ..machinery.standard_error import FEWEST_SEGMENTS, standard_error
from .reliability import difference, doubts_of, reasons


@printable
class LyapunovSpectrum(NamedTuple):
    """Lyapunov exponents in descending order, from `lyapunov_spectrum`; all fields have their columns in that order.

    Attributes:
        exponents: The mean growth over all measured steps, (k,), in nats per step.
        stderr: Their standard errors, (k,), in nats per step, from the means of segments of time; inf for fewer than
            eight segments.
        history: The running estimate after every segment, (segments, k), in nats per step.
        local: The growth within each segment, (segments, k), in nats per step; NaN for segments that were not run. The
            pilot (at most 16 steps, unless within the frame burn-in or in windows) and a remainder that fills no
            segment come before the first segment. They count in `exponents`, `history` and `steps`, not in `local` and
            `stderr`.
        steps: The number of steps behind each row of `history`, (segments,); the last is the number measured.
        reliable: Whether there is no doubt about the exponent, (k,). Its precision is in `stderr`.
        converged: Whether the standard error is at most `until`, (k,); without `until`, whether it is not NaN.
        sum_rule_residual: Σ λ_i - mean ln |det J_t| for a full spectrum, a scalar in nats per step, 0 in exact
            arithmetic; NaN for k < n.
        interval: The number of steps from one factorisation to the next, a scalar; fewer at the end of a segment.
        doubts: What is doubtful about each exponent, (k,), as a sum of `rd.Doubt`; `reasons` says it in words.
        windows: The number of windows of time that were measured side by side, a scalar; 1 if one step was measured
            after the other.
    """

    exponents: Float[Array, " k"]
    stderr: Float[Array, " k"]
    history: Float[Array, "segments k"]
    local: Float[Array, "segments k"]
    steps: Int[Array, " segments"]
    reliable: Bool[Array, " k"]
    converged: Bool[Array, " k"]
    sum_rule_residual: Float[Array, ""]
    interval: Int[Array, ""]
    doubts: Int[Array, " k"] | int = 0
    windows: Int[Array, ""] | int = 1

    @property
    def reasons(self) -> np.ndarray:
        """The doubts about each exponent in words, an array of strings (k,); "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        exponents, stderr = np.asarray(self.exponents), np.asarray(self.stderr)
        k = exponents.shape[-1]
        ends = [f"λ_1 = {_with_error(exponents[..., 0], stderr[..., 0])}"]
        if k > 1:
            ends.append(f"λ_{k} = {_with_error(exponents[..., -1], stderr[..., -1])}")
        return (
            f"(k={k}, T={span(np.asarray(self.steps)[..., -1])}): {', '.join(ends)}; {share(self.reliable, 'reliable')}"
        )

    def _table(self) -> Table:
        if np.ndim(self.exponents) > 1:
            return fields_of(self)
        rows = [
            [str(i + 1), number(self.exponents[i]), number(self.stderr[i]), str(self.reasons[i]) or "none"]
            for i in range(len(self.exponents))
        ]
        return Table(["index", "exponent", "stderr", "doubts"], rows)


@printable
class LargestExponent(NamedTuple):
    """The largest Lyapunov exponent, from `largest_exponent`.

    Attributes:
        exponent: The mean growth over all measured steps, a scalar, in nats per step.
        stderr: Its standard error, a scalar, in nats per step; inf for fewer than eight segments of time.
        history: The running estimate after every segment, (segments,), in nats per step.
        local: The growth within each segment, (segments,), in nats per step; NaN for segments that were not run.
        steps: The number of steps behind each entry of `history`, (segments,); the last is the number measured.
        reliable: Whether there is no doubt about the exponent, a scalar.
        converged: Whether the standard error is at most `until`, a scalar; without `until`, whether it is not NaN.
        doubts: What is doubtful about the exponent, a scalar, as a sum of `rd.Doubt`; `reasons` says it in words.
    """

    exponent: Float[Array, ""]
    stderr: Float[Array, ""]
    history: Float[Array, " segments"]
    local: Float[Array, " segments"]
    steps: Int[Array, " segments"]
    reliable: Bool[Array, ""]
    converged: Bool[Array, ""]
    doubts: Int[Array, ""] | int = 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts about the exponent in words, as an array without axes; "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        found = _with_error(self.exponent, self.stderr)
        return f"(T={span(np.asarray(self.steps)[..., -1])}): λ_1 = {found}; {share(self.reliable, 'reliable')}"

    def _table(self) -> Table:
        return fields_of(self)


def _with_error(exponents: Any, stderr: Any) -> str:
    """The exponent and its standard error, or the range of those of a batch."""
    return span(exponents) if np.size(exponents) > 1 else f"{span(exponents)} ± {span(stderr)}"


def spectrum_of(
    xp: Any, run: Run, until: Float[Any, ""] | None, *, plan: Schedule, full: bool, windows: int = 1
) -> LyapunovSpectrum:
    """Turn the growths of the loop into exponents per step, in descending order."""
    found, lost = _in_order(xp, measured_growth(xp, plan, run), run.lost)
    dtype, steps, local = found.total.dtype, xp.asarray(plan.steps), found.segments / plan.size
    stderr = standard_error(local, run.segments_run, xp)
    converged = stderr <= (np.inf if until is None else until.astype(dtype))
    if until is not None:  # the run may have ended before the last segment
        segments = xp.arange(len(plan.steps), dtype=np.int32)
        steps = steps[xp.minimum(segments, run.segments_run - 1)]
        local = xp.where((segments < run.segments_run)[:, None], local, np.nan)
    T = steps[-1].astype(dtype)
    exponents = found.total / T
    net, gross = xp.sum(xp.stack([exponents, xp.abs(exponents)]), axis=1)
    residual = difference(xp, net, run.log_det / T) if full else xp.full_like(T, np.nan)
    short = len(plan.steps) < FEWEST_SEGMENTS
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
        interval=run.interval,
        doubts=doubts,
        windows=xp.asarray(windows, np.int32),
    )


def largest_of(xp: Any, run: Run, until: Float[Any, ""] | None, *, plan: Schedule, full: bool) -> LargestExponent:
    """Return the fields of the spectrum of one column, without the axis of columns."""
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
    """Sort the columns by descending growth, with the largest loss of each column and those before it in the frame.

    A factorisation removes the earlier columns from each column, so a column that is noise spoils those after it.
    """
    k = len(found.total)
    if k == 1:
        return found, lost
    lost = xp.max(xp.where(np.tri(k, dtype=bool), lost[None], 0), axis=1)
    order = xp.argsort(-held(xp, found.total), stable=True)
    # each on its own, so that the compiler can drop what the caller does not use
    return Growth(*(values[..., order] for values in found)), lost[order]
