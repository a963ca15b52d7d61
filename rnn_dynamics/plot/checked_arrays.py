"""The door of the pictures: what is drawn has the shape it should have, or an error says which array has not."""

import numpy as np
from jax.typing import ArrayLike
from numpy.typing import NDArray


def axes_of(name: str, value: ArrayLike, *names: str, real: bool = True) -> NDArray:
    """`value` as numpy, with as many axes as are named."""
    array = _real(name, value) if real else np.asarray(value)
    if array.ndim != len(names) or 0 in array.shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {_tuple(names)}; index a batch before drawing it")
    return array


def with_nets(name: str, value: ArrayLike, *names: str) -> NDArray:
    """`value` as numpy with the axes that are named; the one called nets may be missing, and is then of length 1."""
    array, place = _real(name, value), names.index("nets")
    if array.ndim == len(names) - 1:
        array = np.expand_dims(array, place)
    if array.ndim != len(names) or 0 in array.shape:
        without = names[:place] + names[place + 1 :]
        raise ValueError(f"{name}: got shape {np.shape(value)}, expected {_tuple(without)} or {_tuple(names)}")
    return array


def same_shape(name: str, value: ArrayLike, other: str, shape: tuple[int, ...]) -> NDArray:
    """`value` as numpy, of the shape that the argument called `other` has."""
    array = _real(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {shape} by {other}")
    return array


def increasing(name: str, value: ArrayLike, other: str, shape: tuple[int, ...]) -> NDArray:
    """Finite numbers that grow along their axis, of the shape that the argument called `other` has."""
    array = same_shape(name, value, other, shape)
    if not (np.isfinite(array).all() and (np.diff(array) > 0).all()):
        raise ValueError(f"{name}: got {array}, expected finite numbers, each larger than the one before")
    return array


def not_negative(name: str, array: NDArray) -> NDArray:
    """The array, none of whose numbers is below 0; NaN may be among them."""
    for value in array[array < 0][:1]:
        raise ValueError(f"{name}: got {value:g}, expected numbers that are not negative")
    return array


def a_band(name: str, shares: tuple[float, float]) -> tuple[float, float]:
    """Two quantiles, the lower one first."""
    low, high = shares
    if not 0 <= low < high <= 1:
        raise ValueError(f"{name}: got {shares}, expected 0 <= low < high <= 1")
    return low, high


def _real(name: str, value: ArrayLike) -> NDArray:
    array = np.asarray(value)
    if np.iscomplexobj(array):
        raise ValueError(f"{name}: got {array.dtype}, expected real numbers")
    return array


def _tuple(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)}{',' * (len(names) == 1)})"
