"""The adding problem (Hochreiter & Schmidhuber 1997): remember two numbers among many, and add them.

Inputs are numbers U(0, 1) and markers; the markers are 1 at one step of the first half and at one of the second. The
answer counts at the last step and is the sum of the two marked numbers.
Chance: the best constant answer is 1, whose squared error is the variance of the sum, 2/12.
Solved: 0.01, a root mean square error of 0.1, a quarter of that of chance.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, squared_error
from .levels import within

TOLERANCE = 0.1  # of an answer that is called correct


@memoised
def adding(length: int = 100) -> Task:
    """The adding problem over `length` steps, at least 2."""
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
