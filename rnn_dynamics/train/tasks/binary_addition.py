"""Binary addition, the classical exercise whose only memory is the carry; here it is learnt instead of wired by hand.

Two numbers of n bits, uniform in 0 .. 2ⁿ - 1, arrive bit by bit with the least significant bit first, and then a pair
of zeros: T = n + 1. The target at each step is one bit of the sum, as two classes: s_t = a_t XOR b_t XOR c_t with the
carry c_{t+1} = (a_t + b_t + c_t >= 2), c_0 = 0. The last bit is the carry itself.
Chance: the first n bits of the sum are fair, because each is an XOR with a fair bit. The last is 1 if a + b >= 2ⁿ, for
2ⁿ(2ⁿ - 1)/2 of the 4ⁿ pairs. So a share p = (n/2 + 1/2 - 2^-(n+1))/(n + 1) of all bits is 1, the best constant answer
is (1 - p, p), and it costs the entropy -p ln p - (1 - p) ln(1 - p), just below ln 2.
Solved: at most one bit in twenty is wrong (levels.py).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES, entropy


@memoised
def binary_addition(bits: int = 8) -> Task:
    """Make binary addition: add two numbers that arrive bit by bit, with the carry as the only memory.

        s_t = a_t XOR b_t XOR c_t,    c_{t+1} = (a_t + b_t + c_t >= 2),    c_0 = 0

    The least significant bits come first, and a pair of zeros comes last. The target at each step is s_t, as two
    classes; the loss is the cross-entropy in nats. Chance is just below ln 2; solved means that at most one bit in
    twenty is wrong.

    Args:
        bits: n, the number of bits of each summand, at least 1. Default: 8.

    Returns:
        A `Task` with 2 inputs, 2 classes and T = n + 1, the same object for equal arguments.

    Cost:
        O(n) an example.

    Example:
        >>> task = rd.train.tasks.binary_addition(3)
        >>> example = task.sample(key)
        >>> a, b = example.xs.T @ 2.0 ** jnp.arange(4)
        >>> bool(a + b == example.targets @ 2 ** jnp.arange(4))
        True
    """
    bits = argument.size("bits", bits, 1)
    length = bits + 1
    ones = (0.5 * length - 0.5**length) / length

    def sample(key: Array) -> Example:
        drawn = jax.random.randint(key, (bits, 2), 0, 2)
        summands = jnp.concatenate([drawn, jnp.zeros((1, 2), drawn.dtype)])

        def add(carry: Array, pair: Array) -> tuple[Array, Array]:
            total = pair[0] + pair[1] + carry
            return total // 2, total % 2

        _, total = jax.lax.scan(add, jnp.zeros((), drawn.dtype), summands)
        return Example(summands.astype(argument.floating(None)), total, jnp.ones((length,), bool))

    return Task(
        name="binary_addition",
        inputs=2,
        outputs=2,
        length=length,
        sample=sample,
        loss=cross_entropy,
        correct=most_likely,
        chance=entropy([ones, 1 - ones]),
        solved=FEW_WRONG_CLASSES,
    )
