"""Handwritten digits, read a few pixels at a time (as in Le, Jaitly & Hinton 2015), from what scikit-learn installs.

The data: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
doi:10.24432/C50P49, licence CC BY 4.0; scikit-learn (BSD-3-Clause) ships its 1797 test images of 8 x 8 pixels, by 13
writers. Nothing is downloaded; the images are a constant of the compiled program (92 kB).
Each step shows `pixels` of the image, row by row from the top left, in [0, 1]: 8 steps of 8 pixels, 64 of 1; then come
`delay` steps of zeros. At the last step the digit is asked for.
The first 1437 images are to train on and the last 360 are held out. They stay in their order, in which images of one
writer are neighbours, so that most of the held-out hands were never seen: this is harder than a shuffled split.
Chance: the best constant answer is the share of each digit in the part, and costs its entropy (just below ln 10).
Solved: for "train" at most one image in twenty is wrong (levels.py); for "test" 0.32 nats, which logistic regression
on the whole image reaches at its best penalty (91 % right).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, cross_entropy, most_likely
from .levels import FEW_WRONG_CLASSES, entropy

HELD_OUT = 360
IMAGE = 64
BRIGHTEST = 16
SOLVED = {"train": FEW_WRONG_CLASSES, "test": 0.32}


@memoised
def digits(pixels: int = 8, delay: int = 0, part: str = "train") -> Task:
    """The digits in 64/pixels steps and `delay` empty ones; `pixels` divides 64, `part` is "train" or "test"."""
    pixels, delay = argument.size("pixels", pixels, 1), argument.size("delay", delay, 0)
    if IMAGE % pixels:
        raise ValueError(f"pixels: got {pixels}, expected a divisor of {IMAGE}, such as 8 for rows or 1 for pixels")
    images, labels = load(argument.choice("part", part, SOLVED))
    reading = IMAGE // pixels
    length = reading + delay

    def sample(key: Array) -> Example:
        chosen = jax.random.randint(key, (), 0, len(labels))
        image = jnp.asarray(images)[chosen].astype(argument.floating(None)) / BRIGHTEST
        return Example(
            xs=jnp.concatenate([image.reshape(reading, pixels), jnp.zeros((delay, pixels), image.dtype)]),
            targets=jnp.broadcast_to(jnp.asarray(labels)[chosen].astype(chosen.dtype), (length,)),
            mask=jnp.arange(length) == length - 1,
        )

    return Task(
        name="digits",
        inputs=pixels,
        outputs=10,
        length=length,
        sample=sample,
        loss=cross_entropy,
        correct=most_likely,
        chance=entropy([float(np.mean(labels == digit)) for digit in range(10)]),
        solved=SOLVED[part],
    )


def load(part: str) -> tuple[Any, Any]:
    """The images (n, 64), whole numbers 0 .. 16, and the labels (n,) of a part."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits: needs scikit-learn; pip install 'rnn_dynamics[train]' brings it") from error
    images, labels = load_digits(return_X_y=True)
    chosen = slice(None, -HELD_OUT) if part == "train" else slice(-HELD_OUT, None)
    return images[chosen].astype(np.uint8), labels[chosen].astype(np.uint8)
