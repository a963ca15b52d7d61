"""What the rules compare: each check returns the numbers and the sentence of a finding, or None."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .evidence import (
    SHUT,
    Evidence,
    GateStatistics,
    at_horizon,
    directions_at,
    effective_number,
    judged_lag,
    last_steps,
    median_log_norm,
    reach,
    slope,
)
from .words import count, factor, power_of_e, share, span_of_lags, with_error

FEWEST_SEQUENCES = 4  # for a statement about how they differ
FEWEST_DIRECTIONS, SMALLEST_STATE = 1.2, 3
SHUT_ROLES = {
    "keep": "so the memory is erased at each step",
    "keep, not write": "so the memory is overwritten at each step",
    "read": "so hardly anything of the memory is read",
    "show": "so the candidate does not see the state",
}


class Fired(NamedTuple):
    """The numbers and the sentence of a finding."""

    numbers: dict[str, float]
    sentence: str


def not_finite(evidence: Evidence, threshold: float) -> Fired | None:
    """Say where the first number that is not finite is."""
    where = evidence.first_non_finite
    return Fired({"non_finite": 1.0}, f"Not finite: {where}.") if where else None


def vanishes(evidence: Evidence, threshold: float) -> Fired | None:
    """Compare the gradient at the horizon with its size at lag 0."""
    index = at_horizon(evidence)
    if index is None or index < 1:
        return None
    remains = float(median_log_norm(evidence)[index])
    if not remains <= math.log(threshold):
        return None
    lags = reach(np.asarray(evidence.log_norm)[:, : index + 1], math.log(threshold))
    fitted = slope(np.asarray(evidence.log_norm)[:, : index + 1])
    rate = f", {with_error(*fitted)} nats per step" if fitted else ""
    # that of the median curve, which ends below the level; the median of the lags may be inf
    typical = float(reach(median_log_norm(evidence)[: index + 1], math.log(threshold)))
    numbers = {"reach": typical, "horizon": float(evidence.horizon or 0), "log_gradient": remains}
    sentence = (
        f"The gradient falls to {share(threshold)} within {span_of_lags(lags, typical)}; "
        f"the task needs {evidence.horizon}. "
        f"At lag {index} it is {power_of_e(remains)}{rate}.{_by_the_gates(evidence, index)}"
    )
    return Fired(numbers, sentence)


def _by_the_gates(evidence: Evidence, index: int) -> str:
    """Say what the gates of the memory leave by themselves, the worst layer's."""
    left = {
        name: float(np.median(np.asarray(curve)[:, index]))
        for name, curve in (evidence.paths or {}).items()
        if name.endswith(" gates")
    }
    if not left or evidence.gates is None:
        return ""
    name = min(left, key=lambda name: left[name])
    gate = evidence.gates[name.removesuffix(" gates")]
    return f" The {name}, {gate.mean:.2f} on average, leave {power_of_e(left[name])} by themselves."


def explodes(evidence: Evidence, threshold: float) -> Fired | None:
    """Look for the largest gradient up to the horizon, or at any lag."""
    index = judged_lag(evidence)
    if not index:
        return None
    curve = median_log_norm(evidence)[: index + 1]
    if not np.isfinite(curve).any():
        return None
    lag = int(np.nanargmax(curve))
    if not curve[lag] >= math.log(threshold):
        return None
    fitted = slope(np.asarray(evidence.log_norm)[:, : index + 1])
    rate = f", {with_error(*fitted)} nats per step over all lags" if fitted else ""
    sentence = f"The gradient grows by a factor of {factor(float(curve[lag]))} within {count(lag, 'step')}{rate}."
    return Fired({"log_gradient": float(curve[lag]), "lag": float(lag)}, sentence)


def chaotic(evidence: Evidence, threshold: float) -> Fired | None:
    """Ask whether the largest exponent is positive, by more than its error and by more than 1/T."""
    exponent, stderr = evidence.exponent, evidence.exponent_stderr
    known = stderr is not None and math.isfinite(stderr)
    margin = max(threshold * stderr if known and stderr is not None else 0.0, 1 / evidence.steps)
    if exponent is None or not math.isfinite(exponent) or exponent <= margin:
        return None
    error = stderr if known and stderr is not None else math.inf
    more = f", {evidence.exploding} directions grow" if (evidence.exploding or 0) > 1 else ""
    sentence = (
        f"Nearby states separate: the largest Lyapunov exponent is {with_error(exponent, error)} nats per step{more}. "
        "Gradients grow with the length of the sequence."
    )
    return Fired({"exponent": exponent, "stderr": error, "exploding": float(evidence.exploding or 0)}, sentence)


def eigenvalue_rule_misleads(evidence: Evidence, threshold: float) -> Fired | None:
    """Compare ρ^lag with the measured gradient. A gated net that carries its gradient is not reported."""
    index, rate = judged_lag(evidence), evidence.eigenvalue_rate
    if not index or rate is None:
        return None
    measured, rule = float(median_log_norm(evidence)[index]), index * rate
    verdicts = [_verdict(measured), _verdict(rule)]
    if math.isnan(measured) or verdicts[0] == verdicts[1] or not abs(measured - rule) > math.log(threshold):
        return None
    if evidence.gates and verdicts[0] == "arrives":
        return None
    sentence = (
        f"The eigenvalue rule says ρ^{index} = {power_of_e(rule)} with ρ = {math.exp(rate):.3g}, "
        f"but the gradient at lag {index} is {power_of_e(measured)}. Do not judge this net by ρ."
    )
    return Fired({"log_rule": rule, "log_gradient": measured, "lag": float(index)}, sentence)


def _verdict(log_gradient: float) -> str:
    if log_gradient <= math.log(0.01):
        return "vanishes"
    return "explodes" if log_gradient >= math.log(100) else "arrives"


def gate_shut(evidence: Evidence, threshold: float) -> Fired | None:
    """Look for gates that erase, hide or never write the memory."""
    steps = max(evidence.steps, evidence.horizon or 0)
    found: dict[str, tuple[float, str]] = {}
    for name, gate in (evidence.gates or {}).items():
        if gate.role in SHUT_ROLES and gate.shut >= threshold:
            text = f"the {name} gate is shut for {share(gate.shut)} of its values, {SHUT_ROLES[gate.role]}"
            found[name] = (gate.shut, text)
        elif gate.role in ("write", "replace") and _never(gate.mean, steps):
            found[name] = (gate.shut, _never_writes(name, gate.mean * steps, steps))
    return _of_gates(found)


def gate_open(evidence: Evidence, threshold: float) -> Fired | None:
    """Look for update gates that replace the memory at each step, or never write to it."""
    steps = max(evidence.steps, evidence.horizon or 0)
    found: dict[str, tuple[float, str]] = {}
    for name, gate in (evidence.gates or {}).items():
        if gate.role == "replace" and gate.open >= threshold:
            text = f"the {name} gate is open for {share(gate.open)} of its values, so the memory is replaced each step"
            found[name] = (gate.open, text)
        elif gate.role == "keep, not write" and _never(1 - gate.mean, steps):
            found[name] = (gate.open, _never_writes(name, _written(gate, steps), steps))
    return _of_gates(found)


def _never(written: float, steps: int) -> bool:
    """Return whether all steps write less than once, and not because there are few of them."""
    return written < SHUT and written * steps < 1


def _written(gate: GateStatistics, steps: int) -> float:
    return (1 - gate.mean) * steps


def _never_writes(name: str, written: float, steps: int) -> str:
    return f"the {name} gate lets {written:.2g} of one full write through in {steps} steps, so inputs hardly count"


def _of_gates(found: dict[str, tuple[float, str]]) -> Fired | None:
    if not found:
        return None
    text = "; ".join(text for _, text in found.values())
    return Fired({name: value for name, (value, _) in found.items()}, f"{text[0].upper()}{text[1:]}.")


def units_saturated(evidence: Evidence, threshold: float) -> Fired | None:
    """Look for parts of the state that are at the ends of their range most of the time."""
    found = {name: value for name, value in (evidence.saturated or {}).items() if value >= threshold}
    if not found:
        return None
    parts = ", ".join(f"{share(value)} of the values of {name}" for name, value in found.items())
    return Fired(found, f"Saturated: {parts} are beyond 0.95 of their range, where the derivative is small.")


def units_dead(evidence: Evidence, threshold: float) -> Fired | None:
    """Look for parts of the state in which many units never change."""
    found = {name: value for name, value in (evidence.dead or {}).items() if value > threshold}
    if not found:
        return None
    parts = ", ".join(f"{share(value)} of the units of {name}" for name, value in found.items())
    return Fired(found, f"Dead: {parts} never change{_everywhere(evidence)}.")


def _everywhere(evidence: Evidence) -> str:
    return f", on any of {evidence.sequences} sequences" if evidence.sequences > 1 else ""


def loss_reaches_only_the_last_steps(evidence: Evidence, threshold: float) -> Fired | None:
    """Ask how many of the last steps hold 99 % of Σ ‖∂L/∂h_t‖."""
    logs = np.asarray(evidence.log_state_gradients, np.float64)
    if np.isnan(logs).any():
        return None
    if (logs == -np.inf).all():
        return Fired({"steps": 0.0}, "The loss does not depend on any state: its gradient is exactly zero.")
    needed = evidence.steps / 5 if evidence.horizon is None else min(evidence.horizon, evidence.steps)
    held = last_steps(logs)
    if needed <= 1 or not np.median(held) < threshold * needed:
        return None
    task = "" if evidence.horizon is None else f"; the task needs {evidence.horizon}"
    sentence = f"99 % of the gradient of the loss lies on the last {span_of_lags(held)} of {evidence.steps}{task}."
    return Fired({"steps": float(np.median(held)), "needed": float(needed)}, sentence)


def few_directions(evidence: Evidence, threshold: float) -> Fired | None:
    """Ask along how many directions a gradient that arrives at the horizon survives."""
    index = at_horizon(evidence)
    if not index or _verdict(float(median_log_norm(evidence)[index])) != "arrives":
        return None
    number = directions_at(evidence, index)
    n = evidence.state_size
    if number is None or number >= max(threshold * n, FEWEST_DIRECTIONS) or n < SMALLEST_STATE:
        return None
    numbers = {"directions": number, "state_size": float(n)}
    spread = ""
    if evidence.unit_shares is not None:
        numbers["units"] = effective_number(evidence.unit_shares)
        spread = f", spread over {numbers['units']:.1f} of {n} numbers of the state"
    enough = "That is enough for a task that remembers as few numbers, and for no other."
    directions = "one direction" if number < FEWEST_DIRECTIONS else f"{number:.1f} directions"
    return Fired(numbers, f"At lag {index} the gradient survives along {directions} only{spread}. {enough}")


def one_sequence_differs(evidence: Evidence, threshold: float) -> Fired | None:
    """Compare the gradient of each sequence with the median of all."""
    index = judged_lag(evidence)
    logs = np.asarray(evidence.log_rms, np.float64)
    if not index or len(logs) < FEWEST_SEQUENCES:
        return None
    values = logs[:, index]
    middle = float(np.median(values))
    if not math.isfinite(middle):
        return None
    away = np.abs(values - middle)
    usual = 1.4826 * float(np.median(away))
    worst = int(np.nanargmax(away))
    others = int(np.sum(away > max(math.log(threshold), 5 * usual)))
    if not others:
        return None
    more = f" (and {others - 1} more differ)" if others > 1 else ""
    sentence = (
        f"Sequence {worst} differs{more}: at lag {index} its gradient is {power_of_e(float(values[worst]))}, "
        f"that of the median {power_of_e(middle)}."
    )
    return Fired({"sequence": float(worst), "log_gradient": float(values[worst]), "median": middle}, sentence)


def heavy_tailed(evidence: Evidence, threshold: float) -> Fired | None:
    """Compare the largest gradient norm of a sequence with the median."""
    norms: NDArray = np.asarray(evidence.gradient_norms, np.float64)
    middle = float(np.median(norms)) if norms.size else 0.0
    if norms.size < FEWEST_SEQUENCES or not middle > 0 or not np.isfinite(norms).all():
        return None
    worst = int(np.argmax(norms))
    if not norms[worst] > threshold * middle:
        return None
    sentence = (
        f"The gradient norm of sequence {worst} is {norms[worst] / middle:.3g} times the median "
        f"({norms[worst]:.3g} against {middle:.3g}): a few sequences decide each update."
    )
    return Fired({"largest": float(norms[worst]), "median": middle, "sequence": float(worst)}, sentence)


def too_short(evidence: Evidence, threshold: float) -> Fired | None:
    """Compare the number of steps with the horizon. A net whose state stops being finite has cut them itself."""
    if evidence.horizon is None or evidence.first_non_finite or evidence.steps >= threshold * evidence.horizon:
        return None
    sentence = f"The sequences have {evidence.steps} steps, the task needs {evidence.horizon}: measure longer ones."
    return Fired({"steps": float(evidence.steps), "horizon": float(evidence.horizon)}, sentence)
