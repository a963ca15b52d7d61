"""What tasks share: how low a loss must be for few wrong answers, and answers that are correct within a tolerance.

Where the least loss of a wrong answer is c > 0, a mean loss of at most FEW c leaves at most the fraction FEW of the
answers wrong. With classes a wrong answer gives the target a probability of at most 1/2, so that c = ln 2.
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
    """`correct(answer, target)`: whether every output is within the tolerance of its target."""

    def correct(answer: Float[Array, " outputs"], target: Float[Array, " outputs"]) -> Bool[Array, ""]:
        return jnp.all(jnp.abs(answer - target) < tolerance)

    return correct


def entropy(probabilities: list[float]) -> float:
    """-Σ p ln p in nats, the expected cross-entropy of the best constant answer to labels of these frequencies."""
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)
