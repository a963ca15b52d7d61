"""The affine map W h + U x + b that cells are built from.

W  (hidden, hidden)  recurrent weights, drawn by an initializer and scaled by `gain`
U  (hidden, inputs)  input weights, N(0, 1/inputs)
b  (hidden,)         bias, a constant or a given vector; None leaves it out
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from .initializers import Initializer

Bias = ArrayLike | None


class Affine(NamedTuple):
    """Parameters of an affine map.

        W h + U x + b

    They are all the parameters of the linear, Elman, rate, threshold and antisymmetric cells. The gated cells have one
    `Affine` for each gate and one for the candidate.

    Attributes:
        W: Recurrent weights, shape (hidden, hidden).
        U: Input weights, shape (hidden, inputs).
        b: Bias, shape (hidden,), or None for no bias.

    Example:
        >>> params = rd.cells.Affine(W=jnp.eye(2), U=jnp.ones((2, 1)), b=None)
        >>> rd.cells.linear.step(params, jnp.zeros(2), jnp.array([3.0]))
        Array([3., 3.], dtype=float32)
    """

    W: Float[Array, "hidden hidden"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None = None


def affine(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """Compute W h + U x + b."""
    return p.W @ h + drive(p, x)


def drive(p: Affine, x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """Compute U x + b, the part that does not depend on the state. A term that is None counts as zero."""
    bias = jnp.zeros_like(p.W[:, 0]) if p.b is None else p.b
    return bias if x is None else p.U @ x + bias


def init_affine(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer,
    bias: Bias = 0.0,
    dtype: Any = None,
) -> Affine:
    """Draw W as `gain` · `recurrent(key, hidden, dtype)` and U ~ N(0, 1/inputs); set b to `bias`.

    `gain` and `bias` may be traced, so that a sweep over them compiles once.
    """
    argument.key(key)
    hidden, inputs = argument.size("hidden", hidden, 1), argument.size("inputs", inputs, 0)
    dtype = argument.floating(dtype)
    key_W, key_U = jax.random.split(key)
    if not callable(recurrent):
        raise TypeError(f"recurrent: got {recurrent!r}, expected a function (key, n, dtype) -> (n, n)")
    W = recurrent(key_W, hidden, dtype)
    if W.shape != (hidden, hidden):
        raise ValueError(f"recurrent: drew shape {W.shape}, expected (hidden, hidden) = {(hidden, hidden)}")
    if W.dtype != dtype:
        raise TypeError(f"recurrent: drew dtype {W.dtype}, expected {dtype}")
    return Affine(
        W=constant("gain", gain, (), dtype) * W,
        U=jax.random.normal(key_U, (hidden, inputs), dtype) / math.sqrt(max(inputs, 1)),
        b=None if bias is None else jnp.broadcast_to(constant("bias", bias, (hidden,), dtype), (hidden,)),
    )


def constant(name: str, value: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return `value`, a scalar or an array of this shape, in `dtype`; raise if it is concrete and not finite."""
    if isinstance(value, str | bool) or not jnp.issubdtype(jnp.result_type(value), jnp.number):
        raise TypeError(f"{name}: got {value!r}, expected a number" + (" or an array of numbers" if shape else ""))
    if jnp.iscomplexobj(value):
        raise TypeError(f"{name}: got {value!r}, expected real values")
    array = jnp.asarray(value, dtype)
    if array.shape not in ((), shape):
        raise ValueError(f"{name}: got shape {array.shape}, expected a scalar" + (f" or {shape}" if shape else ""))
    if not isinstance(array, jax.core.Tracer) and not bool(jnp.isfinite(array).all()):
        raise ValueError(f"{name}: got {value!r}, expected finite values")
    return array
