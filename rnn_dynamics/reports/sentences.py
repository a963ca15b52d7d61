"""What each figure shows, as a sentence computed from the same numbers."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnosis import evidence as measured
from ..diagnosis.evidence import ONE_PERCENT, Evidence, GateStatistics, median_log_norm
from .network import Network
from .words import count, number, percent, size, with_error

# a gate is named where more than this share of its values is below 0.05 or above 0.95
MANY = 0.25
# what a gate does at its ends, by its role
ENDS = {
    ("keep", "shut"): "the memory is erased",
    ("keep", "wide open"): "the memory lasts",
    ("write", "shut"): "nothing is written",
    ("read", "shut"): "nothing is read",
    ("replace", "shut"): "the memory lasts",
    ("replace", "wide open"): "the memory is replaced",
    ("keep, not write", "shut"): "the memory is replaced",
    ("keep, not write", "wide open"): "the memory lasts",
}


def reach(evidence: Evidence) -> int | None:
    """Return the first lag at which the median gradient has fallen to 1 % for good, or None if it never does."""
    first = float(measured.reach(median_log_norm(evidence)))
    return int(np.asarray(evidence.lag)[int(first)]) if math.isfinite(first) else None


def at_lag(evidence: Evidence, lag: int) -> float:
    """Return the median of ln ‖∂h_T/∂h_{T-ℓ}‖₂ at the measured lag nearest to this one, in nats."""
    return float(median_log_norm(evidence)[np.argmin(np.abs(np.asarray(evidence.lag) - lag))])


def of_flow(network: Network) -> str:
    """Say how far a gradient reaches."""
    evidence = network.diagnosis.evidence
    logs, lags, horizon = median_log_norm(evidence), np.asarray(evidence.lag), evidence.horizon
    if not (logs < np.inf).all():  # NaN included
        return f"The gradient is not finite, first at lag {lags[~(logs < np.inf)][0]}"
    found = reach(evidence)
    if found is not None and (horizon is None or found <= horizon):
        needs = f", and the task needs {horizon}" if horizon else ""
        return f"The gradient falls to 1 % in {count(found, 'step')}{needs}"
    last = min(horizon or int(lags[-1]), int(lags[-1]))
    where = f"at the horizon of {count(last, 'step')}" if last == horizon else f"after {count(last, 'step')}"
    end = at_lag(evidence, last)
    if end > math.log(2):
        grows = "explodes" if end >= -ONE_PERCENT else "grows"
        return f"The gradient {grows}: {where} it is {_times(end)} its full size"
    return f"The gradient lasts: {where}, {size(end)} of it is left"


def _times(logarithm: float) -> str:
    shown = size(logarithm)
    return shown if shown.endswith("times") else f"{shown} times"


def of_paths(network: Network) -> str:
    """Say which path carries the gradient."""
    lag, heights = strongest_paths(network.diagnosis.evidence)
    if not heights:
        return f"No path carries a gradient over {count(lag, 'step')}"
    best, height = next(iter(heights.items()))
    left = f"{size(height)} is left after {count(lag, 'step')}"
    alike = [f'"{name}"' for name, other in heights.items() if other > height - math.log(2)]
    if len(alike) == 1:
        return f'The path "{best}" carries most of the gradient: {left}'
    more = f" and {len(alike) - 2} more" if len(alike) > 2 else ""
    names = ", ".join(alike[:2]) if more else " and ".join(alike)
    return f"The paths {names}{more} carry it alike: {left}"


def strongest_paths(evidence: Evidence) -> tuple[int, dict[str, float]]:
    """Return the lag by which paths are judged, and ln of what each leaves there, the strongest first.

    The lag is the horizon, or else the longest. Paths that leave nothing, or of which that is not known, are left out.
    """
    lags = np.asarray(evidence.lag)
    lag = min(evidence.horizon or int(lags[-1]), int(lags[-1]))
    place = int(np.argmin(np.abs(lags - lag)))
    heights = {name: float(np.median(np.asarray(logs)[..., place])) for name, logs in (evidence.paths or {}).items()}
    known = {name: height for name, height in heights.items() if math.isfinite(height)}
    return lag, dict(sorted(known.items(), key=lambda item: -item[1]))


def of_spectrum(network: Network) -> str:
    """Say whether neighbouring trajectories meet or part, and how many exponents can be believed."""
    first, error = largest_exponent(network)
    allowed = 2 * error if math.isfinite(error) else 0.0
    unknown = "" if math.isfinite(error) else ", of unknown error"
    value = f"λ₁ = {with_error(first, error, sign=True)} nats per step{unknown}"
    if first != first:
        return "The largest exponent is not a number"
    if first == -math.inf:
        return "A single step removes every disturbance of the state"
    if first + allowed < 0:
        return f"{value}: a disturbance shrinks e-fold in {number(-1 / first)} steps"
    if first - allowed > 0:
        spectrum: Any = network.spectrum
        grow = int(np.sum(np.asarray(spectrum.exponents) > 0))
        return f"{value}: neighbouring states part, in {count(max(grow, 1), 'direction')}"
    return f"{value}: at the edge between shrinking and growing, within its error"


def largest_exponent(network: Network) -> tuple[float, float]:
    """Return λ₁ and its standard error: that of the diagnosis, the mean over all its sequences, if it has one."""
    evidence, spectrum = network.diagnosis.evidence, network.spectrum
    if evidence.exponent is not None:
        error = evidence.exponent_stderr
        return evidence.exponent, math.inf if error is None else error
    assert spectrum is not None
    return float(spectrum.exponents[0]), float(spectrum.stderr[0])


def of_first_sequence(network: Network) -> str:
    """Say how λ₁ of the sequence that the figure shows differs from that of its title, the mean over all sequences."""
    evidence, spectrum = network.diagnosis.evidence, network.spectrum
    if spectrum is None or evidence.exponent is None or evidence.sequences == 1:
        return ""
    alone = with_error(float(spectrum.exponents[0]), float(spectrum.stderr[0]), sign=True)
    return f"Its λ₁ is {alone}; the title gives the mean of {evidence.sequences} sequences. "


def reliability(network: Network) -> str:
    """Say how many exponents are reliable, and what is doubtful about the others."""
    spectrum: Any = network.spectrum
    reliable = np.asarray(spectrum.reliable)
    k, good = len(reliable), int(reliable.sum())
    if good == k:
        return f"All {k} measured exponents are reliable."
    why = sorted({reason for reason in spectrum.reasons[~reliable] if reason})
    because = f" ({'; '.join(why)})" if why else ""
    return f"{good} of {k} measured exponents are reliable; the grey, hollow ones are not{because}."


def of_eigenvalues(network: Network) -> str:
    """Say which recurrent block has the largest eigenvalue, and how many lie outside of the unit circle."""
    radii = {name: _largest(np.abs(values)) for name, values in network.eigenvalues.items()}
    broken = [name for name, radius in radii.items() if radius != radius]
    if broken:
        return f"The eigenvalues of {broken[0]} are not finite"
    name = max(radii, key=lambda name: radii[name])
    outside = int(np.sum(np.abs(network.eigenvalues[name]) > 1))
    if outside:
        return f"{count(outside, 'eigenvalue')} of {name} outside the unit circle; the largest is {number(radii[name])}"
    return f"Every eigenvalue lies within the unit circle; the largest is {number(radii[name])}, of {name}"


def _largest(values: NDArray) -> float:
    """Return the largest value; NaN if one is NaN, 0 if there is none."""
    return float(np.max(values)) if values.size else 0.0


def of_gates(network: Network) -> str:
    """Say which gate is mostly shut or wide open, or how far the gates are open."""
    gates = network.diagnosis.evidence.gates or {}
    name = max(gates, key=lambda name: _at_an_end(gates[name]))
    gate = gates[name]
    if _at_an_end(gate) > MANY:
        share, how = (gate.shut, "shut") if gate.shut >= gate.open else (gate.open, "wide open")
        effect = ENDS.get((gate.role, how))
        return f"{percent(share)} of the {name} gate's values are {how}" + (f", where {effect}" if effect else "")
    means = sorted((each.mean, name) for name, each in gates.items())
    if len(means) == 1:
        return f"The {means[0][1]} gate is open to {percent(means[0][0])} on average"
    (low, shut), (high, open_) = means[0], means[-1]
    if high - low < 0.02:
        return f"No gate is shut or wide open: all are open to {percent(low)} on average"
    return (
        f"No gate is shut or wide open: their means lie from {percent(low)} open ({shut}) to {percent(high)} ({open_})"
    )


def _at_an_end(gate: GateStatistics) -> float:
    return max(gate.shut, gate.open)


def of_state_gradients(network: Network) -> str:
    """Say how far the loss's own gradient reaches back."""
    logs = np.asarray(network.diagnosis.evidence.log_state_gradients)
    median = np.median(logs, axis=0) if logs.ndim > 1 else logs
    if not (median < math.inf).all():  # NaN included
        return "The loss's gradient is not finite at some steps"
    best = float(median.max())
    if best == -math.inf:
        return "The loss has no gradient at any step"
    felt = np.flatnonzero(median > best + ONE_PERCENT)
    if len(felt) == len(median):
        return f"The loss's gradient stays above 1 % of its largest value at all {len(median)} steps"
    first, last = int(felt[0]) + 1, int(felt[-1]) + 1
    if last == len(median):
        return f"The loss's gradient falls to 1 % within the last {count(last - first + 1, 'step')} of {last}"
    return f"The loss's gradient is above 1 % of its largest value from step {first} to {last} only, of {len(median)}"
