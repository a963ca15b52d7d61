"""What was measured of a network: the numbers that the rules judge.

A gradient curve is ln ‖P_ℓ‖ with P_ℓ = ∂h_T/∂h_{T-ℓ} over the lag ℓ; at lag 0 it is 0. It has fallen
to 1 % at the first lag from which on it stays at or below ln 0.01.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ONE_PERCENT = math.log(0.01)
# a gate is shut below, open above
SHUT, OPEN = 0.05, 0.95
PIECES = 4  # of a curve, whose slopes give the error of its slope


class GateStatistics(NamedTuple):
    """How far a gate is open, over units, steps and sequences.

    Attributes:
        mean: The mean of its values.
        shut: The share of values below 0.05.
        open: The share of values above 0.95.
        over_time: Its mean at each step, (T,).
        role: What it does when it is open: "keep" the memory, "write" to it or "read" it, as the gates of an LSTM;
            "keep, not write" or "replace" it, as the update gate of a GRU in its two conventions; "show" it to the
            candidate, as a reset gate; "" if that is not known.
    """

    mean: float
    shut: float
    open: float
    over_time: NDArray
    role: str = ""


class Evidence(NamedTuple):
    """The measurements of one network on a batch of input sequences. A field is None where it was not measured.

    Rules read it, so that `rd.diagnose` and `rd.watch` share them; a rule whose field is None stays silent.

    Attributes:
        state_size: The number n of numbers in the state.
        steps: The number T of steps of each sequence.
        sequences: The number B of sequences measured.
        horizon: How many steps back the task needs a gradient to reach, or None.
        lag: The lags ℓ, (lags,), in steps.
        log_norm: ln ‖∂h_T/∂h_{T-ℓ}‖₂, (B, lags), in nats: the direction in which most of a gradient remains.
        log_bound: Σ ln ‖J_t‖₂ over these lags, (1, lags), in nats: of the first sequence, interpolated between 24 steps
            where there are more.
        paths: The same norms through one path of the state alone, by name, each (1 or more sequences, lags), in nats:
            "forget gates" and "c alone" never leave the part they name, "diagonal" is the product of the diagonals of
            J_t, and "h → c" is ∂c_T/∂h_{T-ℓ} over all paths, for a random gradient.
        exponent: The largest Lyapunov exponent, in nats per step, with its standard error and `rd.Doubt`.
        exponent_stderr: See `exponent`.
        exponent_doubts: See `exponent`.
        exploding: The number of directions that grow: exponents above 0 by more than two standard errors.
        spectral_radii: ρ of each recurrent matrix, by name.
        gates: Statistics of each gate, by name ("forget", "layer 1 forget").
        saturated: The share of values of each part of the state beyond 0.95 of its range, by name.
        dead: The share of units of each part of the state that never change, by name.
        log_state_gradients: ln ‖∂L/∂h_t‖, (B, T), in nats; None without a loss.
        gradient_norms: Norms of ∂L/∂params of each sequence, (B,); None without a loss.
        first_non_finite: Where a value that is not finite appears first, in words; "" if nowhere.
        log_rms: ln (‖∂h_T/∂h_{T-ℓ}‖_F / √n), (B, lags), in nats: what remains of a gradient of random direction.
        unit_shares: The share of a random gradient at h_T that each number of the state has at the horizon, or at the
            largest lag without one, (n,); they add up to 1.
        exponents: The largest exponents, in nats per step, as many as were measured.
        eigenvalue_rate: ln ρ of the recurrent matrix that the rule ρ^ℓ would use, in nats per step: of the candidate,
            in a gated cell; of the layer where it is largest, in a stack.
        doubts: Why a measurement should not be trusted, in words, by the name of its field.
        memory: The memory of a backward pass, a `BackwardMemory`.
        clipping: What clipping would do to the gradients of these sequences, a `Clipping`; None without a loss.
        truncation: The error of truncated backpropagation for some windows, a `Truncation`; None without a loss.
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
    log_rms: NDArray | Any = None
    unit_shares: NDArray | Any = None
    exponents: NDArray | Any = None
    eigenvalue_rate: float | None = None
    doubts: dict[str, str] | None = None
    memory: Any = None
    clipping: Any = None
    truncation: Any = None


class Slope(NamedTuple):
    """The rate at which a gradient changes on its way back.

    Attributes:
        rate: The slope of the median curve by least squares, in nats per step; negative where it vanishes.
        stderr: Its standard error, from the slopes of four pieces of the curve of each sequence.
    """

    rate: float
    stderr: float


def median_log_norm(evidence: Evidence) -> NDArray:
    """Return the median over the sequences of ln ‖∂h_T/∂h_{T-ℓ}‖₂, (lags,)."""
    return np.median(np.asarray(evidence.log_norm), axis=0)


def reach(curves: NDArray, level: float = ONE_PERCENT) -> NDArray:
    """Return the first lag from which on each curve, (..., lags), stays at or below `level`; inf if it never does."""
    curves = np.asarray(curves)
    above = ~(curves <= level)
    last = curves.shape[-1] - 1 - np.argmax(above[..., ::-1], axis=-1)
    first = np.where(above.any(axis=-1), last + 1, 0).astype(float)
    return np.where(first == curves.shape[-1], np.inf, first)


def slope(curves: NDArray) -> Slope | None:
    """Fit the median of the curves, (sequences, lags), by a straight line.

    None with fewer than two finite lags, or if the median ends at -inf: a gradient of exactly 0 has no slope.
    """
    curves = np.asarray(curves, np.float64)
    with np.errstate(invalid="ignore"):
        median = np.median(curves, axis=0)
    lags = np.arange(median.size)
    finite = np.isfinite(curves).all(axis=0) & np.isfinite(median)
    if finite.sum() < 2 or median[-1] == -np.inf:
        return None
    lags, curves, median = lags[finite], curves[:, finite], median[finite]
    pieces = [piece for piece in np.array_split(np.arange(lags.size), PIECES) if piece.size > 1]
    rates = np.array([[_rate(lags[piece], curve[piece]) for piece in pieces] for curve in curves]).ravel()
    stderr = float(rates.std(ddof=1) / math.sqrt(rates.size)) if rates.size > 1 else math.inf
    return Slope(_rate(lags, median), stderr)


def _rate(lags: NDArray, curve: NDArray) -> float:
    centred = lags - lags.mean()
    return float(centred @ (curve - curve.mean()) / (centred @ centred))


def at_horizon(evidence: Evidence) -> int | None:
    """Return the index of the lag to judge: the horizon, or the largest lag if the sequences are shorter.

    None if there is no horizon or no lag was measured.
    """
    if evidence.horizon is None or evidence.lag is None:
        return None
    return int(min(evidence.horizon, len(evidence.lag) - 1))


def judged_lag(evidence: Evidence) -> int | None:
    """Return the index of the horizon, or of the largest lag where there is no horizon; None without lags."""
    if evidence.lag is None:
        return None
    return len(evidence.lag) - 1 if evidence.horizon is None else at_horizon(evidence)


def effective_number(shares: NDArray) -> float:
    """Return 1 / Σ share², over how many units a gradient is spread: n if evenly, 1 if one unit has it all."""
    shares = np.asarray(shares, np.float64)
    squares = float(np.sum(shares**2))
    return 1 / squares if squares > 0 else 0.0


def directions_at(evidence: Evidence, index: int) -> float | None:
    """Return ‖P‖_F² / ‖P‖₂² at a lag, the number of directions along which a gradient survives; the median."""
    if evidence.log_norm is None or evidence.log_rms is None:
        return None
    frobenius = np.asarray(evidence.log_rms)[:, index] + math.log(evidence.state_size) / 2
    norm = np.asarray(evidence.log_norm)[:, index]
    both = np.isfinite(frobenius) & np.isfinite(norm)
    return float(np.exp(2 * np.median(frobenius[both] - norm[both]))) if both.any() else None


def last_steps(log_gradients: NDArray, share: float = 0.99) -> NDArray:
    """Return, for each sequence, how many last steps hold this share of Σ_t ‖∂L/∂h_t‖, from its logarithms (B, T)."""
    logs = np.asarray(log_gradients, np.float64)
    peak = np.max(logs, axis=1, keepdims=True)
    norms = np.exp(logs - np.where(np.isfinite(peak), peak, 0))[:, ::-1]
    held = np.cumsum(norms, axis=1)
    return 1 + np.argmax(held >= share * held[:, -1:], axis=1)
