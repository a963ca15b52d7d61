"""The flip-flop (Sussillo & Barak 2013, with 3 bits): every channel remembers the sign of its last pulse.

At each step every channel gets, independently, a pulse of +1 or -1 with probability p and 0 otherwise. The target of
a channel is its last pulse, including this step's, and 0 before the first one. Every step counts.
Chance: the target is symmetric around 0, so the best constant answer is 0 and costs the mean square of the target,
which is the probability that a pulse has come. With q = 1 - p this is the mean over t = 1 .. T of 1 - q^t, which is
1 - q (1 - q^T)/(p T).
Solved: at most one step in twenty is wrong (levels.py). A step is right when every channel is within 1/2 of its
target; a wrong one costs at least (1/2)²/channels.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, squared_error
from .levels import FEW, within

TOLERANCE = 0.5  # a correct answer is closer than this


@memoised
def flip_flop(length: int = 100, channels: int = 3, probability: float = 0.1) -> Task:
    """Make the flip-flop: every channel remembers the sign of its last pulse.

    At each step every channel gets, independently, a pulse of +1 or -1 with the given probability, and 0 otherwise. The
    target is its last pulse, including this step's, and 0 before the first one. Every step counts, and the loss is the
    mean squared error. With p the probability and q = 1 - p, chance is 1 - q (1 - q^T)/(p T). A step is correct when
    every channel is within 1/2 of its target; solved means that at most one step in twenty is wrong.

    Args:
        length: T, the number of steps, at least 1. Default: 100.
        channels: The number of channels, one bit each, at least 1. Default: 3.
        probability: The probability of a pulse, in (0, 1]. Default: 0.1.

    Returns:
        A `Task` with `channels` inputs and outputs, the same object for equal arguments.

    Cost:
        O(T channels) an example.

    Example:
        >>> task = rd.train.tasks.flip_flop(length=4, channels=2, probability=1.0)  # a pulse at every step
        >>> example = task.sample(key)
        >>> task.chance, bool(jnp.all(example.xs == example.targets))
        (1.0, True)

    References:
        Sussillo & Barak (2013).
    """
    length, channels = argument.size("length", length, 1), argument.size("channels", channels, 1)
    probability = argument.number("probability", probability, above=0.0, up_to=1.0)
    quiet = 1 - probability

    def sample(key: Array) -> Example:
        for_times, for_signs = jax.random.split(key)
        pulsed = jax.random.bernoulli(for_times, probability, (length, channels))
        signs = jax.random.rademacher(for_signs, (length, channels), argument.floating(None))
        pulses = jnp.where(pulsed, signs, jnp.zeros_like(signs))

        def hold(last: Array, pulse: Array) -> tuple[Array, Array]:
            last = jnp.where(pulse == 0, last, pulse)
            return last, last

        _, targets = jax.lax.scan(hold, jnp.zeros_like(pulses[0]), pulses)
        return Example(pulses, targets, jnp.ones((length,), bool))

    return Task(
        name="flip_flop",
        inputs=channels,
        outputs=channels,
        length=length,
        sample=sample,
        loss=squared_error,
        correct=within(TOLERANCE),
        chance=1 - quiet * (1 - quiet**length) / (probability * length),
        solved=FEW * TOLERANCE**2 / channels,
    )
