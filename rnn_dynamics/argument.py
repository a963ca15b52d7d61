"""A plain argument as the number, word, dtype or key that is wanted, or an error that names it and says what is."""

import math
import operator
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp


def size(name: str, value: Any, minimum: int) -> int:
    """`value` as an int of at least `minimum`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: got {value!r}, expected a whole number") from None
    if isinstance(value, bool) or number < minimum:
        raise ValueError(f"{name}: got {value!r}, expected a whole number of at least {minimum}")
    return number


def number(name: str, value: Any, *, above: float = -math.inf, up_to: float = math.inf) -> float:
    """`value` as a finite Python float with above < value <= up_to."""
    if isinstance(value, bool | str):
        raise TypeError(f"{name}: got {value!r}, expected a number")
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, expected a number") from None
    if not math.isfinite(result) or not above < result <= up_to:
        raise ValueError(f"{name}: got {value!r}, expected a finite number in ({above}, {up_to}]")
    return result


def choice(name: str, value: Any, options: Collection[str]) -> Any:
    """`value`, which must be one of `options`."""
    if value not in options:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, options))}")
    return value


def floating(dtype: Any, *, narrow: bool = True) -> Any:
    """The dtype that parameters get: JAX's default float for None, else `dtype` if JAX can hold it now.

    `narrow=False` where decompositions or complex numbers are needed, which 16 bits do not have.
    """
    if dtype is None:
        return jnp.zeros(()).dtype
    wanted = jnp.dtype(dtype)
    if not jnp.issubdtype(wanted, jnp.floating):
        raise TypeError(f"dtype: got {wanted.name}, expected a real floating dtype such as float32")
    if not narrow and jnp.finfo(wanted).bits < 32:
        raise TypeError(f"dtype: got {wanted.name}, expected float32 or float64")
    if jax.dtypes.canonicalize_dtype(wanted) != wanted:
        raise ValueError(f'dtype: got {wanted.name}, which needs jax.config.update("jax_enable_x64", True) first')
    return wanted


def key(value: Any) -> Any:
    """`value`, which must be one JAX random key."""
    typed = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    raw = hasattr(value, "dtype") and value.dtype == jnp.uint32 and value.shape in ((2,), (4,))
    if not raw and not (typed and value.shape == ()):
        raise TypeError(f"key: got {value!r}, expected one JAX random key such as jax.random.key(0)")
    return value
