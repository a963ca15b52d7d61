"""The status codes of points, and the values that fill the dataset before a point is computed."""

import re
from typing import Any

import jax
import numpy as np

PENDING, NO_NAN, NAN, RAISED = range(4)
MEANINGS = "not_computed no_nan some_nan raised"

# the first words of the note that names the point at which an error was raised
BY_MEASURE = "raised by measure_point at"


class PointError(RuntimeError):
    """The error of a sweep with `on_error="raise"` when `measure_point` fails while it runs; it names the point.

    An error that `measure_point` raises while JAX traces it is not wrapped: it is raised as it is, with the point in a
    note.
    """


def out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out: another machine, or fewer points at once, may succeed where this run failed."""
    if isinstance(error, jax.errors.JaxRuntimeError):  # a MemoryError in a callback becomes one as well
        return bool(re.search(r"RESOURCE_EXHAUSTED|MemoryError\b", str(error)))
    return isinstance(error, MemoryError)


def fill(dtype: np.dtype) -> Any:
    """Return the value that fills an array before it is computed: NaN, or 0 for a dtype without NaN."""
    return np.array(np.nan if dtype.kind in "fc" else 0, dtype)[()]


def empty(fields: dict[str, tuple[np.dtype, tuple[int, ...]]], points: int) -> dict[str, np.ndarray]:
    """Return the arrays of this many points before they are computed."""
    arrays = {name: np.full((points, *shape), fill(dtype), dtype) for name, (dtype, shape) in fields.items()}
    return arrays | {"status": np.full(points, PENDING, np.int8), "error": np.full(points, "", object)}


def describe(point: dict[str, Any]) -> str:
    """Return a point as it would be written in a call, such as `gain=0.5, hidden=64`."""
    return ", ".join(f"{name}={_short(value)}" for name, value in point.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, threshold=6)
    if callable(value):
        return str(value.__qualname__)
    return repr(value.item() if isinstance(value, np.generic) else value)
