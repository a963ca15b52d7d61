"""What `rd.watch` returns each time that it has measured."""

import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..diagnosis.evidence import Evidence
from ..diagnosis.result import Finding

MOST = 10_000


class GradientWarning(UserWarning):
    """A rule of `rd.diagnose` has begun to fire in a training, or the watch itself could not measure.

    `rd.watch` warns once for each rule, and again if the rule has cleared in between. Warnings that your program turns
    into errors end your training like any other error.
    """


class Norms(NamedTuple):
    """Norms of the gradient of the loss since the last record, as the loop passed them to the watch.

    Attributes:
        norm: That of this update, before clipping; NaN if it was not passed.
        clipped: The same after clipping; NaN if it was not passed.
        median: The median before clipping, over the updates since the last record.
        largest: The largest of them.
        clipped_share: The share of these updates that were clipped.
        updates: How many updates that were.
        first_non_finite: The first of these updates whose norm is not finite; None if all are.
    """

    norm: float
    clipped: float
    median: float
    largest: float
    clipped_share: float
    updates: int
    first_non_finite: int | None


class Record(NamedTuple):
    """One measurement of a net while it trains.

    Attributes:
        step: The number of the update, as the loop passed it.
        evidence: What was measured, as in `rd.diagnose`. `log_norm` is a lower bound of the 2-norm, from a few rows:
            too low by some tenths of a nat at short lags and less at long ones, in all nets that were compared.
            `log_rms` is an estimate. A field is None where nothing was measured.
        log_rms_stderr: The standard error of `log_rms`, (B, lags + 1), in nats.
        norms: Norms of the gradient before and after clipping, since the last record.
        findings: The rules of `rd.diagnose` that fire.
        new: The names of those that did not fire at the last record. Each has brought a `GradientWarning`.
        failure: Why nothing could be measured, in words; "" if all went well.
        seconds: How long this record took, in seconds.
    """

    step: int
    evidence: Evidence
    log_rms_stderr: Any
    norms: Norms
    findings: tuple[Finding, ...]
    new: tuple[str, ...]
    failure: str
    seconds: float

    @property
    def lag(self) -> Any:
        """The lags 0 .. horizon, in steps."""
        return self.evidence.lag

    @property
    def log_norm(self) -> Any:
        """The median over the sequences of ln ‖∂h_T/∂h_{T-ℓ}‖₂, (lags + 1,), in nats; None if nothing was measured."""
        return None if self.evidence.log_norm is None else np.median(self.evidence.log_norm, axis=0)

    def __repr__(self) -> str:
        """Say in one line what was found."""
        if self.failure:
            return f"Record(step {self.step}: nothing was measured: {self.failure})"
        rules = ", ".join(finding.rule for finding in self.findings) or "no rule fires"
        curve = self.log_norm
        if curve is None:
            return f"Record(step {self.step}: {rules})"
        gradient = f"ln‖∂h_T/∂h_(T-{len(curve) - 1})‖ >= {curve[-1]:.3g}"
        exponent = f"λ_1 = {self.evidence.exponent:.3g} ± {self.evidence.exponent_stderr:.2g} nats per step"
        return f"Record(step {self.step}: {gradient}; {exponent}; {rules})"


NAN = math.nan
NO_NORMS = Norms(NAN, NAN, NAN, NAN, NAN, updates=0, first_non_finite=None)


class NormLog:
    """The norms that were passed since the last record, at most the last 10 000. They are read when a record is made.

    A norm may still be on its way out of an accelerator: reading each at once would make the training wait for it.
    """

    def __init__(self) -> None:
        self._passed: deque[tuple[int, Any, Any]] = deque(maxlen=MOST)

    def add(self, step: int, norm: Any, clipped: Any) -> None:
        """Keep the norms of one update."""
        if norm is not None or clipped is not None:
            self._passed.append((step, detached(norm), detached(clipped)))

    def taken(self, step: int) -> Norms:
        """Return what was passed since the last time, and forget it."""
        passed = list(self._passed)
        self._passed.clear()
        steps = np.array([each[0] for each in passed], int)
        norm, clipped = (np.array([as_float(each[i]) for each in passed]) for i in (1, 2))
        norm = np.where([each[1] is None for each in passed], clipped, norm) if passed else norm
        both = [each[1] is not None and each[2] is not None for each in passed]
        shorter = clipped[both] < norm[both] * (1 - 1e-5) if passed else norm
        bad = np.flatnonzero(~np.isfinite(norm))
        now = bool(passed) and steps[-1] == step
        return Norms(
            norm=float(norm[-1]) if now else math.nan,
            clipped=float(clipped[-1]) if now else math.nan,
            median=float(np.median(norm)) if passed else math.nan,
            largest=float(np.max(norm)) if passed else math.nan,
            clipped_share=float(np.mean(shorter)) if passed and any(both) else math.nan,
            updates=len(passed),
            first_non_finite=int(steps[bad[0]]) if bad.size else None,
        )


def detached(value: Any) -> Any:
    """Return a norm without the graph that a PyTorch tensor would keep alive."""
    return value.detach() if hasattr(value, "detach") else value


def as_float(value: Any) -> float:
    """Return a norm as a Python float, NaN for None."""
    return math.nan if value is None else float(value)
