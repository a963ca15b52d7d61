"""How a point ended, and what stands in the dataset until then."""

import re
from typing import Any

import jax
import numpy as np

PENDING, NO_NAN, NAN, RAISED = range(4)
MEANINGS = "not_computed no_nan some_nan raised"

# how the note begins that says at which point an error was raised
BY_MEASURE = "raised by measure at"


class PointError(RuntimeError):
    """`measure` raised at a point, which the message names."""


def out_of_memory(error: Exception) -> bool:
    """Whether it was the machine that failed: another one, or fewer points at once, may do."""
    if isinstance(error, jax.errors.JaxRuntimeError):  # which is what an error in a callback becomes too
        return bool(re.search(r"RESOURCE_EXHAUSTED|MemoryError\b", str(error)))
    return isinstance(error, MemoryError)


def fill(dtype: np.dtype) -> Any:
    """What stands where there is no number: NaN, or 0 where the type has none."""
    return np.array(np.nan if dtype.kind in "fc" else 0, dtype)[()]


def empty(fields: dict[str, tuple[np.dtype, tuple[int, ...]]], points: int) -> dict[str, np.ndarray]:
    """The arrays of that many points before they are computed."""
    arrays = {name: np.full((points, *shape), fill(dtype), dtype) for name, (dtype, shape) in fields.items()}
    return arrays | {"status": np.full(points, PENDING, np.int8), "error": np.full(points, "", object)}


def describe(point: dict[str, Any]) -> str:
    """A point as it would be written in a call."""
    return ", ".join(f"{name}={_short(value)}" for name, value in point.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, threshold=6)
    if callable(value):
        return str(value.__qualname__)
    return repr(value.item() if isinstance(value, np.generic) else value)
