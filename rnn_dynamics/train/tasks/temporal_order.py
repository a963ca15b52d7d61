"""Temporal order (Hochreiter & Schmidhuber 1997, their experiment 6a): which two symbols came, and in which order?

Inputs are one-hot over X, Y and four distractors. Every step shows a distractor except two, each of which shows X or Y:
one in [T/10, 2T/10), one in [4T/10, 5T/10), as in the fixed-length form of Pascanu, Mikolov & Bengio 2013 (a window
that a short T would leave empty holds one step). The target at the last step is the class 2 first + second, with
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
    """Make temporal order: name two symbols, hidden among distractors, in the order in which they came.

    Inputs are one-hot over X, Y and four distractors. One step in [T/10, 2T/10) and one in [4T/10, 5T/10) show X or Y,
    and all others a distractor. The target at the last step is one of four classes: XX, XY, YX, YY. The loss is the
    cross-entropy in nats. Chance is ln 4; solved means that at most one example in twenty is wrong.

    Args:
        length: T, the number of steps, at least 2. Default: 100.

    Returns:
        A `Task` with 6 inputs and 4 classes, the same object for equal arguments.

    Cost:
        O(T) an example.

    Example:
        >>> example = rd.train.tasks.temporal_order(20).sample(key)
        >>> shown = example.xs.argmax(1)
        >>> first, second = shown[shown < 2]
        >>> bool(2 * first + second == example.targets[-1])
        True

    References:
        Hochreiter & Schmidhuber (1997), experiment 6a; Pascanu, Mikolov & Bengio (2013).
    """
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
