"""Delayed temporal XOR (Engelken 2023, as in `flossing.py`): two bits of a stream are to be kept and compared.

A fair bit b_t comes at each step, and from step `delay` on the answer is b_{t-delay/2} XOR b_{t-delay}. Every bit is
needed twice, so that a net has to carry all the last `delay` bits along, each in a direction of its own.
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
    """The XOR of the bits `delay`/2 and `delay` steps ago, asked for at all of `length` steps that have both."""
    delay = argument.size("delay", delay, 2)
    if delay % 2:
        raise ValueError(f"delay: got {delay}, expected an even number")
    length = argument.size("length", length, delay + 1)

    def sample(key: Array) -> Example:
        bits = jax.random.randint(key, (length,), 0, 2)
        return Example(bits[:, None].astype(argument.floating(None)), *compared(bits, delay))

    return Task("temporal_xor", 1, 2, length, sample, cross_entropy, most_likely, math.log(2), FEW_WRONG_CLASSES)


def compared(bits: Int[Array, " T"], delay: Any) -> tuple[Int[Array, " T"], Bool[Array, " T"]]:
    """The targets, and where they count; `delay` may be traced."""
    return jnp.roll(bits, delay // 2) ^ jnp.roll(bits, delay), jnp.arange(len(bits)) >= delay
