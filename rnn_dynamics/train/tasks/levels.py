"""Levels and answers that tasks share: the loss at which few answers are wrong, and correctness within a tolerance.

If every wrong answer costs at least c > 0, a mean loss of at most FEW c leaves at most the fraction FEW of the answers
wrong. With classes, a wrong answer gives the target a probability of at most 1/2, so that c = ln 2.
"""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

FEW = 0.05
FEW_WRONG_CLASSES = FEW * math.log(2)  # 0.035 nats


@functools.cache
def within(tolerance: float) -> Callable[[Array, Array], Array]:
    """Make `correct(answer, target)`, which returns whether every output is within the tolerance of its target."""

    def correct(answer: Float[Array, " outputs"], target: Float[Array, " outputs"]) -> Bool[Array, ""]:
        return jnp.all(jnp.abs(answer - target) < tolerance)

    return correct


def entropy(probabilities: list[float]) -> float:
    """Compute -Σ p ln p in nats: the cross-entropy of the best constant answer to labels of these frequencies."""
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)
