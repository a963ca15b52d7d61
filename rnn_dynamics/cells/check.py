"""Check the arguments of a step against its type annotations.

jaxtyping's annotations say which sizes must agree (`W: Float[Array, "hidden hidden"]`, `b: Float[Array, " hidden"]`).
`checked` reads them from the step's signature and from the NamedTuples it takes, and compares them with the arrays
while the step is traced, so that compiled code pays nothing. It never broadcasts or casts an array to make it fit.
"""

import functools
import types
import typing
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import AbstractArray

from .contract import State

Function = typing.TypeVar("Function", bound=Callable[..., Any])


class _Seen:
    """Sizes and precision of the arguments checked so far, each with the path of the argument that set it."""

    def __init__(self) -> None:
        self.sizes: dict[str, tuple[int, str]] = {}
        self.precision: tuple[Any, str] | None = None


def checked(step: Function) -> Function:
    """Return `step` or `initial_state` with a check that its arguments match its annotations.

    `step` is called as `step(params, state, x)`, `initial_state` as `initial_state(params)`. The check raises TypeError
    for a wrong tree or dtype and ValueError for a wrong shape. The message names the leaf, its value and what would be
    right.
    """
    hints = typing.get_type_hints(step, include_extras=True)
    hints.pop("return", None)

    @functools.wraps(step)
    def wrapper(*arguments: Any) -> State:
        seen = _Seen()
        for path, value, hint in zip(("params", "state", "x"), arguments, hints.values(), strict=False):
            _match(path, value, hint, seen)
        return step(*arguments)

    return typing.cast(Function, wrapper)


def _match(path: str, value: Any, hint: Any, seen: _Seen) -> None:
    if isinstance(hint, types.UnionType):
        if value is not None:
            (hint,) = (arm for arm in hint.__args__ if arm is not types.NoneType)
            _match(path, value, hint, seen)
    elif issubclass(hint, AbstractArray):
        _match_array(path, value, hint, seen)
    elif isinstance(value, hint):
        for field, of_field in typing.get_type_hints(hint, include_extras=True).items():
            _match(f"{path}.{field}", getattr(value, field), of_field, seen)
    else:
        raise TypeError(
            f"{path}: got {type(value).__name__}, expected {hint.__name__}({', '.join(hint._fields)}) as returned by "
            "the same cell's init or initial_state"
        )


def _match_array(path: str, value: Any, hint: type[AbstractArray], seen: _Seen) -> None:
    names = hint.dim_str.split()
    symbolic = f"({', '.join(names)}{',' * (len(names) == 1)})"
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise TypeError(f"{path}: got {value!r}, expected an array of shape {symbolic}")
    dtype = jax.dtypes.canonicalize_dtype(value.dtype)
    if dtype.name not in hint.dtypes:
        raise TypeError(f"{path}: got dtype {dtype.name}, expected {hint.dtype.__name__.lower()} values")
    precision = jnp.finfo(dtype).dtype
    if seen.precision is None:
        seen.precision = precision, path
    if precision != seen.precision[0]:
        expected, source = seen.precision
        raise TypeError(
            f"{path}: got dtype {dtype.name}, expected the precision of {source}, {expected.name}; cast one of the two"
        )
    expected_shape = tuple(
        seen.sizes.get(name, (size, path))[0] for name, size in zip(names, value.shape, strict=False)
    )
    if len(names) != len(value.shape) or tuple(value.shape) != expected_shape:
        known = [f"{name} = {seen.sizes[name][0]} from {seen.sizes[name][1]}" for name in names if name in seen.sizes]
        batched = len(value.shape) > len(names)
        raise ValueError(
            f"{path}: got shape {tuple(value.shape)}, expected {symbolic}"
            + (f" with {', '.join(dict.fromkeys(known))}" if known else "")
            + ("; a step takes one unbatched state and input; use jax.vmap for a batch" if batched else "")
        )
    for name, size in zip(names, value.shape, strict=True):
        if seen.sizes.setdefault(name, (size, path))[0] != size:
            raise ValueError(f"{path}: got shape {tuple(value.shape)}, expected {symbolic}, a square matrix")
