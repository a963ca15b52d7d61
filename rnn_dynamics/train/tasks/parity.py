"""Parity: of all bits so far (Minsky & Papert 1969), or of a few marked ones at the end.

`parity`: one fair bit b_t comes at each step, and the answer at each step is p_t = p_{t-1} XOR b_t with p_0 = 0. One
bit of memory is enough, but every 1 flips it, and no bit may be forgotten.
`delayed_xor` (as in Martens & Sutskever 2011): a fair bit and a marker come at each step. The markers are 1 at one
random step of each of `marked` equal stretches, and the answer at the last step is the XOR of the marked bits.
Chance: an XOR with a fair independent bit is fair, so the best constant answer is (1/2, 1/2) and costs ln 2.
Solved: at most one answer in twenty is wrong (levels.py).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES


@memoised
def parity(length: int = 20) -> Task:
    """Make the parity task: the answer at each step is the parity of all bits so far.

        p_t = p_{t-1} XOR b_t,    p_0 = 0

    One bit of memory is enough, but no bit may be forgotten. The loss is the cross-entropy of two classes in nats.
    Chance is ln 2; solved means that at most one answer in twenty is wrong.

    Args:
        length: T, the number of steps, at least 1. Default: 20.

    Returns:
        A `Task` with 1 input and 2 classes, the same object for equal arguments.

    Cost:
        O(T) an example.

    Example:
        >>> example = rd.train.tasks.parity(6).sample(key)
        >>> bool(jnp.all(example.targets == jnp.cumsum(example.xs[:, 0]) % 2))
        True

    References:
        Minsky & Papert (1969).
    """
    length = argument.size("length", length, 1)

    def sample(key: Array) -> Example:
        bits = jax.random.randint(key, (length,), 0, 2)
        return Example(
            xs=bits[:, None].astype(argument.floating(None)),
            targets=jnp.cumsum(bits) % 2,
            mask=jnp.ones((length,), bool),
        )

    return _two_classes("parity", 1, length, sample)


@memoised
def delayed_xor(length: int = 100, marked: int = 2) -> Task:
    """Make the delayed XOR: the answer at the last step is the XOR of a few marked bits.

    A fair bit and a marker come at each step. The markers are 1 at one random step of each of `marked` equal stretches.
    The loss is the cross-entropy of two classes in nats. Chance is ln 2; solved means that at most one answer in twenty
    is wrong.

    Args:
        length: T, the number of steps, at least `marked`. Default: 100.
        marked: The number of marked bits, at least 1. Default: 2.

    Returns:
        A `Task` with 2 inputs and 2 classes, the same object for equal arguments.

    Cost:
        O(T) an example.

    Example:
        >>> example = rd.train.tasks.delayed_xor(10, marked=3).sample(key)
        >>> bits, marks = example.xs.T
        >>> int(marks.sum()), bool((bits @ marks) % 2 == example.targets[-1])
        (3, True)

    References:
        Martens & Sutskever (2011).
    """
    marked = argument.size("marked", marked, 1)
    length = argument.size("length", length, marked)
    starts = [stretch * length // marked for stretch in range(marked + 1)]

    def sample(key: Array) -> Example:
        for_bits, for_times = jax.random.split(key)
        bits = jax.random.randint(for_bits, (length,), 0, 2)
        times = jax.random.randint(for_times, (marked,), jnp.array(starts[:-1]), jnp.array(starts[1:]))
        marks = jnp.zeros_like(bits).at[times].set(1)
        return Example(
            xs=jnp.stack([bits, marks], axis=1).astype(argument.floating(None)),
            targets=jnp.broadcast_to(jnp.sum(bits[times]) % 2, (length,)),
            mask=jnp.arange(length) == length - 1,
        )

    return _two_classes("delayed_xor", 2, length, sample)


def _two_classes(name: str, inputs: int, length: int, sample: Callable[[Array], Example]) -> Task:
    return Task(name, inputs, 2, length, sample, cross_entropy, most_likely, math.log(2), FEW_WRONG_CLASSES)
