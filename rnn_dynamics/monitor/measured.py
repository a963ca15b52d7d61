"""From a net and held-out sequences to the evidence that the rules of `rd.diagnose` judge."""

from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Cell, Params
from ..diagnosis.evidence import Evidence
from .estimate import Estimate, estimate
from .gates import gate_statistics
from .models import first_non_finite


def measured(
    cell: Cell, params: Params, xs: NDArray, *, lags: int, directions: int, horizon: int | None
) -> tuple[Evidence, NDArray | None]:
    """Measure the net, and return the evidence with the standard error of its `log_rms`.

    A net with a weight that is not finite is not measured: the evidence then names that weight.
    """
    h0 = cell.initial_state(params)
    n = sum(leaf.size for leaf in jax.tree.leaves(h0))
    empty = Evidence(state_size=n, steps=xs.shape[1], sequences=len(xs), horizon=horizon)
    bad = first_non_finite(params)
    if bad:
        return empty._replace(first_non_finite=f"parameter {bad}"), None
    xs = xs.astype(jax.tree.leaves(h0)[0].dtype)
    found = estimate(cell.step, params, h0, xs, lags=lags, directions=directions)
    exponent, stderr = mean_exponent(found)
    evidence = empty._replace(
        lag=np.arange(lags + 1),
        log_norm=found.log_norm,
        log_rms=found.log_frobenius - np.log(n) / 2,
        exponent=exponent,
        exponent_stderr=stderr,
        exponent_doubts=int(np.bitwise_or.reduce(found.exponent_doubts)),
        gates=gate_statistics(params, h0, found.states, xs),
        first_non_finite=first_step_not_finite(found.states),
    )
    return evidence, found.stderr


def first_step_not_finite(states: Any) -> str:
    """Say at which step a state, (B, T, ..), is not finite for the first time; "" if at none."""
    leaves = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(states)]
    bad = ~np.isfinite(np.concatenate(leaves, axis=2)).all(axis=(0, 2))
    return f"the state at step {1 + int(np.argmax(bad))}" if bad.any() else ""


def mean_exponent(found: Estimate) -> tuple[float, float]:
    """Return the mean of λ_1 over the sequences, and the larger of its errors over time and over sequences."""
    B = len(found.exponent)
    errors = [float(np.sqrt(np.sum(found.exponent_stderr.astype(float) ** 2)) / B)]
    if B > 1:
        errors.append(float(np.std(found.exponent, ddof=1) / np.sqrt(B)))
    finite = [error for error in errors if np.isfinite(error)]
    return float(np.mean(found.exponent)), max(finite, default=float("inf"))
