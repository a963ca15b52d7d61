"""What the gradient of a loss does: its size at each state, its norm for each sequence, and where it is not finite."""

from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from ..measure import log_state_gradients, parameter_gradient
from .parts import first_not_finite, layered
from .problem import Problem


class LossGradients(NamedTuple):
    """Gradients of the loss of each sequence.

    Attributes:
        log_state_gradients: ln ‖∂L/∂h_t‖, (B, T), in nats.
        norms: ‖∂L/∂params‖, (B,).
        non_finite: Where a gradient is not finite first, on its way back, in words; "" if nowhere.
    """

    log_state_gradients: NDArray
    norms: NDArray
    non_finite: str


def of_the_loss(problem: Problem) -> LossGradients:
    """Measure the gradients of the loss of each sequence."""
    logs, norms, wrong = [], [], ""
    for which in range(problem.sequences):
        given = problem.step, problem.params, problem.h0, problem.sequence(which), problem.loss_of(which)
        logs.append(np.asarray(log_state_gradients(*given), np.float64))
        gradient = parameter_gradient(*given, direction="reverse")
        norms.append(_norm(gradient))
        if not wrong and not (np.isfinite(norms[-1]) and not np.isnan(logs[-1]).any()):
            wrong = _where(logs[-1], gradient, which)
    return LossGradients(np.stack(logs), np.array(norms), wrong)


def _norm(gradient: object) -> float:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(gradient)]
    largest = max((float(np.abs(leaf).max(initial=0)) for leaf in leaves), default=0.0)
    if not np.isfinite(largest) or largest == 0:
        return largest
    # the entries may be so small or large that their squares are not numbers
    return largest * float(np.sqrt(sum(np.sum(np.abs(leaf.astype(np.complex128) / largest) ** 2) for leaf in leaves)))


def _where(logs: NDArray, gradient: object, which: int) -> str:
    """Say at which step, going back, and for which parameter the gradient of a sequence is not finite first."""
    bad = np.flatnonzero(np.isnan(logs) | (logs == np.inf))
    at = f" ∂L/∂h at step {bad[-1] + 1} of {logs.size}" if bad.size else ""
    found = first_not_finite(gradient)
    leaf = f" ∂L/∂({layered(found[0])})" if found and found[0] else ""
    both = " and".join(text for text in (at, leaf) if text)
    return f"the gradient of the loss{both}, in sequence {which}"
