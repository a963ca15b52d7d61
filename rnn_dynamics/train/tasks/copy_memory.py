"""Copy memory (Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016): repeat what was shown.

Steps count from 0: `symbols` random symbols, then `delay - 1` blanks, a go marker, and `symbols` blanks during which
the net must name the symbols in their order. T = delay + 2 symbols, and every symbol is asked for symbols + delay steps
after it was shown. Inputs are one-hot: the alphabet, the blank, the go marker. Only the recall counts.
Chance: the labels are uniform, so the best constant answer is uniform too and costs ln(alphabet). The classical
figure, 10 ln 8/(T + 20) with T our delay, is the same answer averaged over all steps, of which only 10 have a cost.
Solved: at most one symbol in twenty is named wrongly (levels.py).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES


@memoised
def copy_memory(delay: int = 100, symbols: int = 10, alphabet: int = 8) -> Task:
    """Make the copy task: see some symbols, wait, and name them in the same order.

    There are `symbols` random symbols, `delay - 1` blanks, a go marker, and `symbols` blanks during which the answers
    count: each symbol is asked for symbols + delay steps after it was shown. Inputs are one-hot: the alphabet, the
    blank, the go marker. The loss is the cross-entropy in nats over the recall alone. Chance is ln(alphabet); solved
    means that at most one symbol in twenty is wrong.

    Args:
        delay: The delay, at least 1. Default: 100.
        symbols: The number of symbols to copy, at least 1. Default: 10.
        alphabet: The number of different symbols, at least 2. Default: 8.

    Returns:
        A `Task` with alphabet + 2 inputs, `alphabet` classes and T = delay + 2 symbols, the same object for equal
        arguments.

    Cost:
        O(T alphabet) an example.

    Example:
        >>> task = rd.train.tasks.copy_memory(delay=5, symbols=2, alphabet=4)
        >>> example = task.sample(key)
        >>> example.xs.shape, bool(jnp.all(example.xs[:2].argmax(1) == example.targets[7:]))
        ((9, 6), True)

    References:
        Hochreiter & Schmidhuber (1997); Arjovsky, Shah & Bengio (2016).
    """
    delay, symbols = argument.size("delay", delay, 1), argument.size("symbols", symbols, 1)
    alphabet = argument.size("alphabet", alphabet, 2)
    length, blank, go = delay + 2 * symbols, alphabet, alphabet + 1
    recall = symbols + delay

    def sample(key: Array) -> Example:
        letters = jax.random.randint(key, (symbols,), 0, alphabet)
        shown = jnp.full((length,), blank, letters.dtype).at[:symbols].set(letters).at[recall - 1].set(go)
        return Example(
            xs=jax.nn.one_hot(shown, alphabet + 2, dtype=argument.floating(None)),
            targets=jnp.zeros((length,), letters.dtype).at[recall:].set(letters),
            mask=jnp.arange(length) >= recall,
        )

    return Task(
        name="copy_memory",
        inputs=alphabet + 2,
        outputs=alphabet,
        length=length,
        sample=sample,
        loss=cross_entropy,
        correct=most_likely,
        chance=math.log(alphabet),
        solved=FEW_WRONG_CLASSES,
    )
