"""The contract of a task, written once: examples drawn from a key, and when an answer is good.

Every function is unbatched and pure; callers `jax.vmap`. A task is hashable, and its maker returns the very same one
for equal arguments, so that training compiles once.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Example(NamedTuple):
    """Inputs over time, what should be answered, and at which steps the answer counts.

    xs       (T, inputs)
    targets  (T, outputs) numbers, or (T,) labels of classes
    mask     (T,) True where the loss counts; elsewhere the target means nothing
    """

    xs: Float[Array, "*batch T inputs"]
    targets: Array
    mask: Bool[Array, "*batch T"]


class Task(NamedTuple):
    """What a net is to learn.

    sample   `sample(key) -> Example`
    loss     `loss(answer, target) -> scalar`, of one step
    correct  `correct(answer, target) -> bool`, of one step
    chance   the expected loss of the best constant answer
    solved   the loss at or below which the task counts as solved
    length   T, the steps of an example
    """

    name: str
    inputs: int
    outputs: int
    length: int
    sample: Callable[[Array], Example]
    loss: Callable[[Array, Array], Array]
    correct: Callable[[Array, Array], Array]
    chance: float
    solved: float


def squared_error(answer: Float[Array, " outputs"], target: Float[Array, " outputs"]) -> Float[Array, ""]:
    """The mean of (answer - target)² over the outputs."""
    return jnp.mean((answer - target) ** 2)


def cross_entropy(answer: Float[Array, " classes"], target: Array) -> Float[Array, ""]:
    """-ln softmax(answer)[target], in nats."""
    return jax.nn.logsumexp(answer) - answer[target]


def most_likely(answer: Float[Array, " classes"], target: Array) -> Bool[Array, ""]:
    """Whether the target is the class with the largest answer."""
    return jnp.argmax(answer) == target


def mean_over_mask(values: Float[Array, "*time"], mask: Bool[Array, "*time"]) -> Float[Array, ""]:
    """The mean of the values where the mask is True."""
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.sum(mask).astype(values.dtype)
