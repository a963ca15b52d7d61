"""Checks of the arguments of the plot functions; each error names the array and the shape it should have."""

import numpy as np
from jax.typing import ArrayLike
from numpy.typing import NDArray


def axes_of(name: str, value: ArrayLike, *names: str, real: bool = True) -> NDArray:
    """Return `value` as a numpy array with one axis for each of `names`."""
    array = _real(name, value) if real else np.asarray(value)
    if array.ndim != len(names) or 0 in array.shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {_tuple(names)}; draw one of a batch at a time")
    return array


def with_nets(name: str, value: ArrayLike, *names: str) -> NDArray:
    """Return `value` as a numpy array with these axes; a missing axis "nets" is added with length 1."""
    array, place = _real(name, value), names.index("nets")
    if array.ndim == len(names) - 1:
        array = np.expand_dims(array, place)
    if array.ndim != len(names) or 0 in array.shape:
        without = names[:place] + names[place + 1 :]
        raise ValueError(f"{name}: got shape {np.shape(value)}, expected {_tuple(without)} or {_tuple(names)}")
    return array


def same_shape(name: str, value: ArrayLike, other: str, shape: tuple[int, ...]) -> NDArray:
    """Return `value` as a numpy array of the shape that the argument `other` has."""
    array = _real(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {shape} to match {other}")
    return array


def increasing(name: str, value: ArrayLike, other: str, shape: tuple[int, ...]) -> NDArray:
    """Return finite, increasing numbers of the shape that the argument `other` has."""
    array = same_shape(name, value, other, shape)
    if not (np.isfinite(array).all() and (np.diff(array) > 0).all()):
        raise ValueError(f"{name}: got {array}, expected finite numbers, each larger than the one before")
    return array


def not_negative(name: str, array: NDArray) -> NDArray:
    """Return the array if no number is below 0; NaN is allowed."""
    for value in array[array < 0][:1]:
        raise ValueError(f"{name}: got {value:g}, expected numbers >= 0")
    return array


def a_band(name: str, shares: tuple[float, float]) -> tuple[float, float]:
    """Return the lower and the upper quantile of a band."""
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
