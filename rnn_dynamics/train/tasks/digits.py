"""Handwritten digits, read a few pixels at a time (as in Le, Jaitly & Hinton 2015), from scikit-learn's data.

The data: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
doi:10.24432/C50P49, licence CC BY 4.0. scikit-learn (BSD-3-Clause) ships its 1797 test images of 8 x 8 pixels, by 13
writers. Nothing is downloaded; the images are a constant of the compiled program (92 kB).
Each step shows `pixels` of the image, row by row from the top left, in [0, 1]: 8 steps of 8 pixels, or 64 steps of 1;
`delay` steps of zeros follow. The answer at the last step is the digit.
The first 1437 images are for training and the last 360 are held out. They keep their order, in which images of one
writer are neighbours. Most writers of held-out images are therefore new, which is harder than a shuffled split.
Chance: the best constant answer is the share of each digit in the part, and costs its entropy (just below ln 10).
Solved: for "train", at most one image in twenty is wrong (levels.py); for "test", 0.32 nats, which logistic regression
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
    """Make the digits task: read an 8 x 8 image of a digit a few pixels at a time, and name the digit at the end.

    Pixels come row by row from the top left, in [0, 1]; `delay` steps of zeros follow. The loss is the cross-entropy in
    nats at the last step. Chance is the entropy of the labels, just below ln 10. Solved means that at most one image in
    twenty is wrong for "train", and 0.32 nats for "test", the best of logistic regression on the whole image. Images
    are split in their order, so most writers of held-out images are new. Needs scikit-learn, which ships the images.

    Args:
        pixels: The number of pixels in each step, a divisor of 64: 8 for rows, 1 for single pixels. Default: 8.
        delay: The number of empty steps after the image, at least 0. Default: 0.
        part: "train", the first 1437 images, or "test", the last 360. Default: "train".

    Returns:
        A `Task` with `pixels` inputs, 10 classes and T = 64/pixels + delay, the same object for equal arguments.

    Raises:
        ImportError: If scikit-learn is not installed.

    Cost:
        O(T pixels) an example; the images add 92 kB to the compiled program.

    Example:
        >>> task = rd.train.tasks.digits(pixels=8, delay=2)
        >>> task.inputs, task.length, round(task.chance, 2)
        (8, 10, 2.3)

    References:
        Le, Jaitly & Hinton (2015); Alpaydin & Kaynak (1998), doi:10.24432/C50P49, for the data.
    """
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
    """Load the images of a part, (n, 64) whole numbers 0 .. 16, and their labels (n,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits: needs scikit-learn; pip install 'rnn_dynamics[train]' installs it") from error
    images, labels = load_digits(return_X_y=True)
    chosen = slice(None, -HELD_OUT) if part == "train" else slice(-HELD_OUT, None)
    return images[chosen].astype(np.uint8), labels[chosen].astype(np.uint8)
