"""Delayed temporal XOR (Engelken 2023, as in `flossing.py`): keep the bits of a stream and compare two of them.

A fair bit b_t comes at each step, and from step `delay` on the answer is b_{t-delay/2} XOR b_{t-delay}. Every bit is
needed twice, so a net must carry all of the last `delay` bits along, each in its own direction.
Chance: an XOR with a fair independent bit is fair, so the best constant answer is (1/2, 1/2) and costs ln 2.
Solved: at most one answer in twenty is wrong (levels.py).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES


@memoised
def temporal_xor(length: int = 60, delay: int = 20) -> Task:
    """Make the delayed temporal XOR: the answer is the XOR of the bits `delay`/2 and `delay` steps ago.

        b_{t-delay/2} XOR b_{t-delay}

    A fair bit comes at each step, and answers count at all steps that have both bits. Every bit is needed twice, so a
    net must carry all of the last `delay` bits along. The loss is the cross-entropy of two classes in nats. Chance is
    ln 2; solved means that at most one answer in twenty is wrong.

    Args:
        length: T, the number of steps, at least delay + 1. Default: 60.
        delay: The delay in steps, an even number of at least 2. Default: 20.

    Returns:
        A `Task` with 1 input and 2 classes, the same object for equal arguments.

    Cost:
        O(T) an example.

    Example:
        >>> example = rd.train.tasks.temporal_xor(length=8, delay=4).sample(key)
        >>> bits = example.xs[:, 0].astype(int)
        >>> bool(jnp.all(example.targets[4:] == bits[2:-2] ^ bits[:-4])), int(example.mask.sum())
        (True, 4)

    References:
        Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of Jacobians", NeurIPS.
    """
    delay = argument.size("delay", delay, 2)
    if delay % 2:
        raise ValueError(f"delay: got {delay}, expected an even number")
    length = argument.size("length", length, delay + 1)

    def sample(key: Array) -> Example:
        bits = jax.random.randint(key, (length,), 0, 2)
        return Example(bits[:, None].astype(argument.floating(None)), *compared(bits, delay))

    return Task("temporal_xor", 1, 2, length, sample, cross_entropy, most_likely, math.log(2), FEW_WRONG_CLASSES)


def compared(bits: Int[Array, " T"], delay: Any) -> tuple[Int[Array, " T"], Bool[Array, " T"]]:
    """Compute the targets and the mask of the steps that count; `delay` may be traced."""
    return jnp.roll(bits, delay // 2) ^ jnp.roll(bits, delay), jnp.arange(len(bits)) >= delay
