"""The contract of a task: how examples are drawn from a key, and how answers are judged.

Every function is unbatched and pure; callers `jax.vmap`. A task is hashable. The makers of
`rd.train.tasks` return the same object for equal arguments.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .. import argument


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
        correct: `correct(answer, target) -> bool` for one step. Default: None; the fraction of correct answers is then
            NaN.
        chance: The expected loss of the best constant answer. Default: NaN, not known.
        solved: The loss at or below which the task counts as solved. Default: NaN, never.

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
    correct: Callable[[Array, Array], Array] | None = None
    chance: float = math.nan
    solved: float = math.nan


def make_task(
    sample: Callable[[Array], Example],
    loss: Callable[[Array, Array], Array],
    *,
    outputs: int | None = None,
    correct: Callable[[Array, Array], Array] | None = None,
    chance: float = math.nan,
    solved: float = math.nan,
    name: str = "task",
) -> Task:
    """Make a task of your own from a function that draws an example and a loss.

    The numbers of inputs, outputs and steps are those of the examples.

    Args:
        sample: `sample(key) -> Example` draws one example from a JAX random key, by JAX operations.
        loss: `loss(answer, target) -> scalar` judges the answer at one step; `rd.train.squared_error` for numbers and
            `rd.train.cross_entropy` for classes are two.
        outputs: The number of outputs of the net. Default: that of the targets; class labels need it.
        correct: `correct(answer, target) -> bool` for one step. Default: the fraction of correct answers is NaN.
        chance: The expected loss of the best constant answer. Default: NaN, not known.
        solved: The loss at or below which the task counts as solved. Default: NaN, never.
        name: The name of the task, for figures and messages. Default: "task".

    Returns:
        A `Task`.

    Cost:
        One trace of `sample` and `loss`; nothing is computed.

    Example:
        >>> def sample(key):  # repeat the input of the step before
        ...     xs = jax.random.normal(key, (10, 1))
        ...     return rd.train.Example(xs, jnp.roll(xs, 1, axis=0), jnp.arange(10) > 0)
        >>> task = rd.train.make_task(sample, rd.train.squared_error)
        >>> task.inputs, task.outputs, task.length
        (1, 1, 10)
    """
    for what, function in (("sample", sample), ("loss", loss), ("correct", correct)):
        if not callable(function) and (what != "correct" or function is not None):
            raise TypeError(f"{what}: got {function!r}, expected a function")
    example = jax.eval_shape(sample, jax.random.key(0))
    argument.instance("sample", example, Example, "a function that returns an Example")
    if not all(isinstance(part, jax.ShapeDtypeStruct) for part in example):
        raise TypeError(f"sample: got {example}, expected an Example of three arrays")
    xs, targets, mask = example
    if (
        not xs.size
        or xs.ndim != 2
        or mask.shape != xs.shape[:1]
        or targets.shape[:1] != xs.shape[:1]
        or targets.ndim > 2
    ):
        raise ValueError(
            f"sample: got xs, targets, mask of shapes {xs.shape}, {targets.shape}, {mask.shape}, expected (T, inputs), "
            "(T, outputs) or (T,), and (T,)"
        )
    if mask.dtype != bool:
        raise TypeError(f"sample: got a mask of dtype {mask.dtype}, expected bool")
    if outputs is None and targets.ndim == 1:
        raise ValueError("outputs: got None, expected the number of outputs, since targets of shape (T,) do not tell")
    outputs = targets.shape[1] if outputs is None else argument.size("outputs", outputs, 1)
    at_one_step = jax.ShapeDtypeStruct((outputs,), argument.floating(None)), targets.update(shape=targets.shape[1:])
    for what, function, kind in (("loss", loss, jnp.floating), ("correct", correct, jnp.bool_)):
        judged = None if function is None else jax.eval_shape(function, *at_one_step)
        if judged is not None and (getattr(judged, "shape", None) != () or not jnp.issubdtype(judged.dtype, kind)):
            raise TypeError(f"{what}: returned {judged}, expected one {kind.__name__} number for one step")
    levels = [
        float(argument.instance(what, value, float | int)) for what, value in (("chance", chance), ("solved", solved))
    ]
    return Task(str(name), xs.shape[1], outputs, xs.shape[0], sample, loss, correct, *levels)


def squared_error(answer: Float[Array, " outputs"], target: Float[Array, " outputs"]) -> Float[Array, ""]:
    """Compute the mean squared error of an answer.

        mean over the outputs of (answer - target)²

    Args:
        answer: What the net answers, (outputs,).
        target: What it should answer, (outputs,).

    Returns:
        The error, a scalar.

    Example:
        >>> float(rd.train.squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
        2.0
    """
    return jnp.mean((answer - target) ** 2)


def cross_entropy(answer: Float[Array, " classes"], target: Array) -> Float[Array, ""]:
    """Compute the cross entropy of an answer among several classes.

        -ln softmax(answer)[target]

    Args:
        answer: What the net answers, (classes,): a logit for each class.
        target: The right class, a whole number from 0.

    Returns:
        The cross entropy in nats, a scalar.

    Example:
        >>> round(float(rd.train.cross_entropy(jnp.zeros(2), 1)), 4)  # ln 2
        0.6931
    """
    return jax.nn.logsumexp(answer) - answer[target]


def most_likely(answer: Float[Array, " classes"], target: Array) -> Bool[Array, ""]:
    """Return whether the target is the class with the largest answer.

    Args:
        answer: What the net answers, (classes,): a logit for each class.
        target: The right class, a whole number from 0.

    Returns:
        True or False, a scalar.

    Example:
        >>> bool(rd.train.most_likely(jnp.array([0.1, 0.7]), 1))
        True
    """
    return jnp.argmax(answer) == target


def mean_over_mask(values: Float[Array, "*time"], mask: Bool[Array, "*time"]) -> Float[Array, ""]:
    """Compute the mean of the values where the mask is True."""
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.sum(mask).astype(values.dtype)
