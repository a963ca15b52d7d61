"""The door of the pictures: what is drawn has the shape it should have, or an error says which array has not."""

import numpy as np
from jax.typing import ArrayLike
from numpy.typing import NDArray


def axes_of(name: str, value: ArrayLike, *names: str) -> NDArray:
    """`value` as numpy, with as many axes as are named."""
    array = np.asarray(value)
    if array.ndim != len(names) or 0 in array.shape:
        expected = f"({', '.join(names)}{',' * (len(names) == 1)})"
        raise ValueError(f"{name}: got shape {array.shape}, expected {expected}; index a batch before drawing it")
    return array


def same_shape(name: str, value: ArrayLike, other: str, shape: tuple[int, ...]) -> NDArray:
    """`value` as numpy, of the shape that the argument called `other` has."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {shape} by {other}")
    return array
