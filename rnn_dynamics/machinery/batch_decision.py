"""Reduce a number to one value for the whole batch, so that a batched program can branch on it.

Under vmap, `lax.cond` and `lax.switch` on a batched number run every branch. If the number is the same for the whole
batch and is not batched, only the chosen branch runs. The members of a batch then take that branch together, so the
decision must be right for all of them: the smallest interval, or True only if all agree.

`frame_loop.py`, `lag_loop.py` and `pseudospectrum.py` branch in this way.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

Result = TypeVar("Result")


@custom_vmap
def smallest(value: jax.Array) -> jax.Array:
    """Return `value`; under vmap the smallest of the batch (of booleans: whether all hold), as one unbatched number."""
    return value


@smallest.def_vmap
def _(axis_size, in_batched, value):  # type: ignore[no-untyped-def]
    return smallest(jnp.min(value, axis=0) if in_batched[0] else value), False


def either(good: Any, found: Result, otherwise: Callable[[], Result]) -> Result:
    """Return what was found if it is good, else compute otherwise. Outside of jit only what is needed is compiled."""
    if isinstance(good, jax.core.Tracer):
        return jax.lax.cond(good, lambda: found, otherwise)
    return found if good else otherwise()
