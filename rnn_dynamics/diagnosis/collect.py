"""Measure the evidence: from the arguments to the last field, leaving out what the net does not allow."""

import jax
import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence
from .flows import flows, from_jacobians, number_of_lags, state_size
from .gate_values import gate_statistics, layers
from .losses import of_the_loss
from .memory import backward_memory
from .paths import paths
from .problem import Problem
from .rates import doubt_of, eigenvalue_rate, exponents, spectral_radii
from .trajectory import Trajectory, dead, non_finite_argument, non_finite_state, saturated, trajectory

# a state that is not finite cuts the sequences; a shorter rest is not measured
FEWEST_STEPS = 2


def collect(problem: Problem) -> Evidence:
    """Measure a net on its sequences.

    A parameter or input that is not finite ends it at once. A state that is not finite ends the sequences before it,
    and the loss, which needs all states, is not measured.
    """
    n, sequences, horizon = state_size(problem), problem.sequences, problem.horizon
    wrong = non_finite_argument(problem)
    if wrong:
        return Evidence(n, problem.steps, sequences, horizon, first_non_finite=wrong)
    path = trajectory(problem)
    end = non_finite_state(path.after, problem)
    if end is None:
        return _measured(problem, path, "")
    finite = end[0] - 1
    if finite < FEWEST_STEPS:
        return Evidence(n, problem.steps, sequences, horizon, first_non_finite=end[1])
    return _measured(problem.up_to(finite), _cut(path, finite), end[1])


def _cut(path: Trajectory, steps: int) -> Trajectory:
    return Trajectory(*jax.tree.map(lambda leaf: leaf[:, :steps], tuple(path)))


def _measured(problem: Problem, path: Trajectory, wrong: str) -> Evidence:
    """Measure everything on finite states."""
    lags = number_of_lags(problem)
    evidence = Evidence(
        state_size=state_size(problem),
        steps=problem.steps,
        sequences=problem.sequences,
        horizon=problem.horizon,
        lag=np.arange(lags + 1),
        saturated=saturated(path.after),
        dead=dead(path.after),
        first_non_finite=wrong,
    )
    evidence = _with_the_loss(_with_rates(_with_curves(evidence, problem, path, lags), problem), problem)
    memory = backward_memory(*problem[:4], problem.loss, targets=problem.targets)
    return evidence._replace(memory=memory)


def _with_curves(evidence: Evidence, problem: Problem, path: Trajectory, lags: int) -> Evidence:
    """Add the curves over the lag, what carries them, and the gates."""
    at = lags if problem.horizon is None else min(problem.horizon, lags)
    flow = flows(problem, lags)
    statistics, gate_paths = gate_statistics(layers(problem, path))
    ways = paths(problem, path, lags, at)
    sampled = from_jacobians(problem, path, lags, at)
    curves: dict[str, NDArray] = {name: curve[:, : lags + 1] for name, curve in gate_paths.items()}
    if sampled.log_diagonal is not None:
        curves["diagonal"] = sampled.log_diagonal
    return evidence._replace(
        log_norm=flow.log_norm,
        log_rms=flow.log_rms,
        log_bound=sampled.log_bound,
        paths=curves | ways.curves,
        gates=statistics or None,
        unit_shares=ways.shares,
        doubts={"log_norm": flow.doubt},
    )


def _with_rates(evidence: Evidence, problem: Problem) -> Evidence:
    """Add the exponents and the spectral radii."""
    rates = exponents(problem)
    radii = spectral_radii(problem.params, problem.h0)
    return evidence._replace(
        exponent=float(rates.exponents[0]),
        exponent_stderr=float(rates.stderr[0]),
        exponent_doubts=rates.doubts,
        exponents=rates.exponents,
        exploding=rates.exploding,
        spectral_radii=radii,
        eigenvalue_rate=eigenvalue_rate(radii),
        doubts={**(evidence.doubts or {}), "exponent": doubt_of(rates)},
    )


def _with_the_loss(evidence: Evidence, problem: Problem) -> Evidence:
    """Add the gradients of the loss, if there is one."""
    if problem.loss is None:
        return evidence
    loss = of_the_loss(problem, problem.loss)
    return evidence._replace(
        log_state_gradients=loss.log_state_gradients,
        gradient_norms=loss.clipping.norms,
        clipping=loss.clipping,
        truncation=loss.truncation,
        first_non_finite=evidence.first_non_finite or loss.non_finite,
    )
