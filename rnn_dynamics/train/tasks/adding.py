"""The adding problem (Hochreiter & Schmidhuber 1997): remember two of many numbers and add them.

Inputs are numbers U(0, 1) and markers. The markers are 1 at one step of the first half and at one of the second. The
answer, the sum of the two marked numbers, counts at the last step.
Chance: the best constant answer is 1, whose squared error is the variance of the sum, 2/12.
Solved: 0.01, a root mean square error of 0.1, which is a quarter of that at chance.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, squared_error
from .levels import within

TOLERANCE = 0.1  # a correct answer is closer than this


@memoised
def adding(length: int = 100) -> Task:
    """Make the adding problem: remember two marked numbers among many, and add them at the last step.

    Inputs are numbers U(0, 1) and markers. The markers are 1 at one step of the first half and at one of the second.
    The loss is the squared error of the sum. Chance is 2/12, the variance of the sum; solved is 0.01. An answer is
    correct within 0.1.

    Args:
        length: T, the number of steps, at least 2. Default: 100.

    Returns:
        A `Task` with 2 inputs and 1 output, the same object for equal arguments.

    Cost:
        O(T) an example.

    Example:
        >>> task = rd.train.tasks.adding(10)
        >>> example = task.sample(key)
        >>> values, marks = example.xs.T
        >>> bool(jnp.allclose(values @ marks, example.targets[-1]))
        True

    References:
        Hochreiter & Schmidhuber (1997).
    """
    length = argument.size("length", length, 2)
    half = length // 2

    def sample(key: Array) -> Example:
        for_values, for_first, for_second = jax.random.split(key, 3)
        values = jax.random.uniform(for_values, (length,))
        first = jax.random.randint(for_first, (), 0, half)
        second = jax.random.randint(for_second, (), half, length)
        times = jnp.arange(length, dtype=first.dtype)
        marks = ((times == first) | (times == second)).astype(values.dtype)
        total = values[first] + values[second]
        return Example(
            xs=jnp.stack([values, marks], axis=1),
            targets=jnp.broadcast_to(total, (length, 1)),
            mask=times == length - 1,
        )

    return Task(
        name="adding",
        inputs=2,
        outputs=1,
        length=length,
        sample=sample,
        loss=squared_error,
        correct=within(TOLERANCE),
        chance=1 / 6,
        solved=0.01,
    )
