"""From a net and held-out sequences to the evidence that the rules of `rd.diagnose` judge."""

from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Params, State, Step
from ..diagnosis.evidence import Evidence
from ..diagnosis.problem import Problem
from ..diagnosis.trajectory import Trajectory, dead, non_finite_argument, non_finite_state, saturated
from .estimate import Estimate, estimate
from .gates import Gates


def measured(
    step: Step,
    params: Params,
    h0: State,
    xs: NDArray,
    *,
    lags: int,
    directions: int,
    horizon: int | None,
    gates: Gates,
) -> tuple[Evidence, NDArray | None]:
    """Measure the net, and return the evidence with the standard error of its `log_rms`.

    A net with a weight that is not finite is not measured: the evidence then names that weight.
    """
    xs = xs.astype(jax.tree.leaves(h0)[0].dtype)
    problem = Problem(step, params, h0, xs, xs.shape[1], len(xs), horizon=horizon)
    n = sum(leaf.size for leaf in jax.tree.leaves(h0))
    nothing = Evidence(state_size=n, steps=problem.steps, sequences=problem.sequences, horizon=horizon)
    bad = non_finite_argument(problem)
    if bad:
        return nothing._replace(first_non_finite=bad), None
    found = estimate(step, params, h0, xs, lags=lags, directions=directions)
    bad_state = non_finite_state(found.states, problem)
    exponent, stderr = mean_exponent(found)
    evidence = nothing._replace(
        lag=np.arange(lags + 1),
        log_norm=found.log_norm,
        log_rms=found.log_frobenius - np.log(n) / 2,
        exponent=exponent,
        exponent_stderr=stderr,
        first_non_finite="" if bad_state is None else bad_state[1],
    )
    if bad_state is None:
        evidence = evidence._replace(**of_states(problem, found.states, gates))
    return evidence, found.stderr


def of_states(problem: Problem, after: State, gates: Gates) -> dict[str, Any]:
    """Return the fields of the evidence that come from the states h_1 .. h_T: gates, saturated and dead units."""

    def shifted(first: Any, rest: NDArray) -> NDArray:
        start = np.broadcast_to(np.asarray(first), (len(rest), 1, *np.shape(first)))
        return np.concatenate([start, rest[:, :-1]], axis=1)

    path = Trajectory(jax.tree.map(shifted, problem.h0, after), after)
    return {"gates": gates.statistics(problem, path), "saturated": saturated(after), "dead": dead(after)}


def mean_exponent(found: Estimate) -> tuple[float, float]:
    """Return the mean of λ_1 over the sequences, and the larger of its errors over time and over sequences."""
    B = len(found.exponent)
    errors = [float(np.sqrt(np.sum(found.exponent_stderr.astype(float) ** 2)) / B)]
    if B > 1:
        with np.errstate(invalid="ignore"):
            errors.append(float(np.std(found.exponent, ddof=1) / np.sqrt(B)))
    finite = [error for error in errors if np.isfinite(error)]
    return float(np.mean(found.exponent)), max(finite, default=float("inf"))
