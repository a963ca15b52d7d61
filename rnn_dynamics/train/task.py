"""The contract of a task: how examples are drawn from a key, and how answers are judged.

Every function is unbatched and pure; callers `jax.vmap`. A task is hashable, and its maker returns the same object
for equal arguments.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Example(NamedTuple):
    """One example of a task: inputs over time, targets, and the steps at which the answer counts.

    Attributes:
        xs: (T, inputs) the inputs.
        targets: (T, outputs) numbers, or (T,) class labels.
        mask: (T,) True where the loss counts; elsewhere the target has no meaning.
    """

    xs: Float[Array, "*batch T inputs"]
    targets: Array
    mask: Bool[Array, "*batch T"]


class Task(NamedTuple):
    """What a net learns: how examples are drawn and how answers are judged.

    Attributes:
        name: The name of the task.
        inputs: The number of inputs at each step.
        outputs: The number of outputs: of numbers, or of classes.
        length: T, the number of steps of an example.
        sample: `sample(key) -> Example` draws one example.
        loss: `loss(answer, target) -> scalar` for one step.
        correct: `correct(answer, target) -> bool` for one step.
        chance: The expected loss of the best constant answer.
        solved: The loss at or below which the task counts as solved.

    Example:
        >>> task = rd.train.tasks.adding(10)
        >>> example = task.sample(key)
        >>> example.xs.shape, example.targets.shape, int(example.mask.sum())
        ((10, 2), (10, 1), 1)
        >>> float(task.loss(jnp.array([1.0]), jnp.array([1.5])))
        0.25
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
    """Compute the mean of (answer - target)² over the outputs."""
    return jnp.mean((answer - target) ** 2)


def cross_entropy(answer: Float[Array, " classes"], target: Array) -> Float[Array, ""]:
    """Compute -ln softmax(answer)[target], in nats."""
    return jax.nn.logsumexp(answer) - answer[target]


def most_likely(answer: Float[Array, " classes"], target: Array) -> Bool[Array, ""]:
    """Return whether the target is the class with the largest answer."""
    return jnp.argmax(answer) == target


def mean_over_mask(values: Float[Array, "*time"], mask: Bool[Array, "*time"]) -> Float[Array, ""]:
    """Compute the mean of the values where the mask is True."""
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.sum(mask).astype(values.dtype)
