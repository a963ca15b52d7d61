"""What was measured of a network: the numbers that the rules judge."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class GateStatistics(NamedTuple):
    """How far a gate is open, over units, steps and sequences.

    Attributes:
        mean: The mean of its values.
        shut: The share of values below 0.05.
        open: The share of values above 0.95.
        over_time: Its mean at each step, (T,).
    """

    mean: float
    shut: float
    open: float
    over_time: NDArray


class Evidence(NamedTuple):
    """The measurements of one network on a batch of input sequences. A field is None where it was not measured.

    Rules read it, so that `rd.diagnose` and `rd.watch` share them; a rule whose field is None stays silent.

    Attributes:
        state_size: The number n of numbers in the state.
        steps: The number T of steps of each sequence.
        sequences: The number B of sequences measured.
        horizon: How many steps back the task needs a gradient to reach, or None.
        lag: The lags ℓ, (lags,), in steps.
        log_norm: ln ‖∂h_T/∂h_{T-ℓ}‖₂, (B, lags), in nats.
        log_bound: Σ ln ‖J_t‖₂ over these lags, (B, lags), in nats.
        paths: The same norms through one path of the state alone, such as "c → c" or "layer 1 → layer 2", each
            (B, lags).
        exponent: The largest Lyapunov exponent, in nats per step, with its standard error and `rd.Doubt`.
        exponent_stderr: See `exponent`.
        exponent_doubts: See `exponent`.
        exploding: The number of directions that grow: exponents above 0.
        spectral_radii: ρ of each recurrent matrix, by name.
        gates: Statistics of each gate, by name ("forget", "layer 1 forget").
        saturated: The share of values of each part of the state beyond 0.95 of its range, by name.
        dead: The share of units of each part of the state that never change, by name.
        log_state_gradients: ln ‖∂L/∂h_t‖, (B, T), in nats; None without a loss.
        gradient_norms: Norms of ∂L/∂params of each sequence, (B,); None without a loss.
        first_non_finite: Where a value that is not finite appears first, in words; "" if nowhere.
    """

    state_size: int
    steps: int
    sequences: int
    horizon: int | None = None
    lag: NDArray | Any = None
    log_norm: NDArray | Any = None
    log_bound: NDArray | Any = None
    paths: dict[str, NDArray] | None = None
    exponent: float | None = None
    exponent_stderr: float | None = None
    exponent_doubts: int | None = None
    exploding: int | None = None
    spectral_radii: dict[str, float] | None = None
    gates: dict[str, GateStatistics] | None = None
    saturated: dict[str, float] | None = None
    dead: dict[str, float] | None = None
    log_state_gradients: NDArray | Any = None
    gradient_norms: NDArray | Any = None
    first_non_finite: str | None = None


def median_log_norm(evidence: Evidence) -> NDArray:
    """Return the median over the sequences of ln ‖∂h_T/∂h_{T-ℓ}‖₂, (lags,)."""
    return np.median(np.asarray(evidence.log_norm), axis=0)
