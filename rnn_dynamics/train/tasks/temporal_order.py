"""Temporal order (Hochreiter & Schmidhuber 1997, their experiment 6a): which two symbols came, and in which order?

Inputs are one-hot over X, Y and four distractors. Every step shows a distractor but two, each of which shows X or Y:
one in [T/10, 2T/10), one in [4T/10, 5T/10), as in the fixed-length form of Pascanu, Mikolov & Bengio 2013 (windows
that a short T would leave empty hold one step). At the last step the class 2 first + second is asked for, with
X = 0 and Y = 1: XX, XY, YX, YY.
Chance: the four classes are equally likely, so the best constant answer is uniform and costs ln 4.
Solved: at most one example in twenty is classified wrongly (levels.py).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES

RELEVANT = 2  # X and Y
DISTRACTORS = 4


@memoised
def temporal_order(length: int = 100) -> Task:
    """Two symbols of X and Y among distractors, over `length` steps, at least 2."""
    length = argument.size("length", length, 2)
    first_end = max(length // 5, length // 10 + 1)
    second_start = max(2 * length // 5, first_end)
    second_end = max(length // 2, second_start + 1)

    def sample(key: Array) -> Example:
        for_first, for_second, for_symbols, for_distractors = jax.random.split(key, 4)
        first = jax.random.randint(for_first, (), length // 10, first_end)
        second = jax.random.randint(for_second, (), second_start, second_end)
        symbols = jax.random.randint(for_symbols, (2,), 0, RELEVANT)
        shown = jax.random.randint(for_distractors, (length,), RELEVANT, RELEVANT + DISTRACTORS)
        shown = shown.at[jnp.stack([first, second])].set(symbols)
        return Example(
            xs=jax.nn.one_hot(shown, RELEVANT + DISTRACTORS, dtype=argument.floating(None)),
            targets=jnp.broadcast_to(RELEVANT * symbols[0] + symbols[1], (length,)),
            mask=jnp.arange(length) == length - 1,
        )

    return Task(
        name="temporal_order",
        inputs=RELEVANT + DISTRACTORS,
        outputs=RELEVANT**2,
        length=length,
        sample=sample,
        loss=cross_entropy,
        correct=most_likely,
        chance=math.log(RELEVANT**2),
        solved=FEW_WRONG_CLASSES,
    )
