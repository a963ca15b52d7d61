"""Clipping and truncation as remedies: they leave the net as it is and change how it is trained.

clipping    helps if some gradients are over `OUTLIER` times the median, or some are not finite
truncation  helps if a window of half the steps or fewer keeps the gradient and still covers the horizon
"""

from typing import Any

import jax
import numpy as np

from ..measure.gradients import Loss
from .batch import floating_ones
from .changes import Problem
from .clipping import Clipping, clipping
from .result import Remedy
from .truncation import Truncation, truncation
from .words import sized

OUTLIER = 5.0


def clipped(problem: Problem, loss: Loss | None, targets: Any, found: Clipping | None) -> Remedy | None:
    """Return what clipping would do, or None if there is no loss, or no finite gradient, to measure."""
    step, params, h0, xs, _, _, before, _ = problem
    if found is None and loss is not None and jax.tree.leaves(floating_ones(params)):
        found = clipping(step, params, h0, xs, loss, targets=targets)
    if found is None or found.not_finite == len(found.norms):
        return None
    largest = float(np.nanmax(found.norms))
    middle = found.percentiles[50]
    outliers = largest > OUTLIER * middle or 0 < found.not_finite < len(found.norms)
    after = before | {"largest_norm": found.limit, "cosine": found.cosine}
    change = f"clip gradients by norm at {sized(found.limit)}"
    words = f"{change}: {found.sentence()} It does not lengthen a gradient that has vanished."
    return Remedy(
        "clipping", change, words, before | {"largest_norm": largest, "cosine": 1.0}, after, outliers, step, params
    )


def truncated(problem: Problem, loss: Loss | None, targets: Any, found: Truncation | None) -> Remedy | None:
    """Return how far backpropagation may be truncated, or None if no shorter window keeps the gradient."""
    step, params, h0, xs, _, needed, before, _ = problem
    if found is None and loss is not None and jax.tree.leaves(floating_ones(params)):
        found = truncation(step, params, h0, xs, loss, targets=targets)
    if found is None or found.shortest is None or found.shortest >= found.steps:
        return None
    K = found.shortest
    bias = float(found.bias[list(found.lengths).index(K)])
    covers = needed <= K
    words = f"truncate backpropagation to {K} steps: {found.sentence()}"
    if not covers:
        words += f" But the task needs {needed} steps, and a net trained so would not learn to use the rest of them."
    before, after = before | {"window": float(found.steps), "bias": 0.0}, before | {"window": float(K), "bias": bias}
    helps = covers and found.steps >= 2 * K
    return Remedy(
        "truncation", f"backpropagation through {found.steps} → {K} steps", words, before, after, helps, step, params
    )
