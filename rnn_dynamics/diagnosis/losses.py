"""What the gradient of a loss does: its size at each state, its norm for each sequence, and where it is not finite."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measure import log_state_gradients, parameter_gradient
from .clipping import Clipping, clipping
from .parts import first_not_finite, layered
from .problem import Problem
from .truncation import Truncation, truncation


class LossGradients(NamedTuple):
    """Gradients of the loss of each sequence.

    Attributes:
        log_state_gradients: ln ‖∂L/∂h_t‖, (B, T), in nats.
        clipping: What clipping would do to ∂L/∂params of each sequence; its `norms` are their norms.
        truncation: Which window of truncated backpropagation would do.
        non_finite: Where a gradient is not finite first, on its way back, in words; "" if nowhere.
    """

    log_state_gradients: NDArray
    clipping: Clipping
    truncation: Truncation
    non_finite: str


def of_the_loss(problem: Problem, loss: Callable[..., Any]) -> LossGradients:
    """Measure the gradients of the loss of each sequence."""
    net = problem.step, problem.params, problem.h0
    logs = np.stack(
        [
            np.asarray(log_state_gradients(*net, problem.sequence(which), problem.loss_of(loss, which)), np.float64)
            for which in range(problem.sequences)
        ]
    )
    given = *net, problem.xs, loss
    norms = clipping(*given, targets=problem.targets)
    windows = truncation(*given, targets=problem.targets)
    bad = np.isnan(logs).any(axis=1) | (logs == np.inf).any(axis=1) | ~np.isfinite(norms.norms)
    return LossGradients(logs, norms, windows, _where(problem, loss, logs, int(np.argmax(bad))) if bad.any() else "")


def _where(problem: Problem, loss: Callable[..., Any], logs: NDArray, which: int) -> str:
    """Say at which step, going back, and for which parameter the gradient of a sequence is not finite first."""
    net = problem.step, problem.params, problem.h0
    gradient = parameter_gradient(*net, problem.sequence(which), problem.loss_of(loss, which), direction="reverse")
    bad = np.flatnonzero(np.isnan(logs[which]) | (logs[which] == np.inf))
    at = f" ∂L/∂h at step {bad[-1] + 1} of {problem.steps}" if bad.size else ""
    found = first_not_finite(gradient)
    leaf = f" ∂L/∂({layered(found[0])})" if found and found[0] else ""
    both = " and".join(text for text in (at, leaf) if text)
    return f"the gradient of the loss{both}, in sequence {which}"
