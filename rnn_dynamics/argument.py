"""Check plain arguments: numbers, words, dtypes, keys. Errors name the argument, its value and what was expected."""

import math
import operator
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def size(name: str, value: Any, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: got {value!r}, expected a whole number") from None
    if isinstance(value, bool) or number < minimum:
        raise ValueError(f"{name}: got {value!r}, expected a whole number of at least {minimum}")
    return number


def number(name: str, value: Any, *, above: float = -math.inf, up_to: float = math.inf) -> float:
    """Return `value` as a finite Python float with above < value <= up_to."""
    if isinstance(value, bool | str):
        raise TypeError(f"{name}: got {value!r}, expected a number")
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, expected a number") from None
    if not math.isfinite(result) or not above < result <= up_to:
        raise ValueError(f"{name}: got {value!r}, expected a finite number in ({above}, {up_to}]")
    return result


def real(
    name: str,
    value: Any,
    *,
    at_least: float = -math.inf,
    up_to: float = math.inf,
    shape: tuple[int, ...] | None = (),
    dtype: Any = None,
) -> Array:
    """Return `value`, which may be traced, as an array of this shape (any for None) and dtype (default: its own float).

    A traced value has no numbers yet, so whether it is finite and in its range is checked only if it is not traced.
    """
    if not isinstance(value, int | float | np.generic | np.ndarray | jax.Array) or isinstance(value, bool):
        raise TypeError(f"{name}: got {value!r}, expected a real number")
    own = jnp.result_type(value)
    if own.kind not in "iuf":
        raise TypeError(f"{name}: got {value!r}, expected a real number")
    if shape is not None and np.shape(value) != shape:
        expected = shape or "one number; use jax.vmap for several"
        raise ValueError(f"{name}: got shape {np.shape(value)}, expected {expected}")
    if not isinstance(value, jax.core.Tracer):
        seen = np.asarray(value)
        if not np.all(np.isfinite(seen) & (seen >= at_least) & (seen <= up_to)):
            raise ValueError(f"{name}: got {value!r}, expected finite values in [{at_least}, {up_to}]")
    return jnp.asarray(value, dtype or (own if own in (jnp.float32, jnp.float64) else floating(None)))


def flag(name: str, value: Any) -> bool:
    """Return `value` as True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: got {value!r}, expected True or False")
    return bool(value)


def instance(name: str, value: Any, kind: Any, what: str = "") -> Any:
    """Return `value`, which must be an instance of `kind`; `what` describes the kind in the error message."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: got {value!r}, expected {what or 'a ' + kind.__name__}")
    return value


def choice(name: str, value: Any, options: Collection[str]) -> Any:
    """Return `value`, which must be one of `options`."""
    if value not in options:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, options))}")
    return value


def floating(dtype: Any, *, narrow: bool = True) -> Any:
    """Return the dtype of parameters: JAX's default float for None, else `dtype` if JAX can hold it now.

    Pass `narrow=False` if decompositions or complex numbers are needed, which do not exist for 16 bits.
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
    """Return `value`, which must be one JAX random key."""
    typed = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    raw = hasattr(value, "dtype") and value.dtype == jnp.uint32 and value.shape in ((2,), (4,))
    if not raw and not (typed and value.shape == ()):
        raise TypeError(f"key: got {value!r}, expected one JAX random key such as jax.random.key(0)")
    return value
