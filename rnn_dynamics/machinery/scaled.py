"""Arrays with a separate scale, so that a product of 10⁶ factors neither overflows nor underflows.

    A = direction · 2^exponent        while a product is being formed; the exponent is a whole number
    A = direction · e^{log_scale}     the finished result, a `Scaled`

A long loop of float products would have to round its scale in every step. A whole power of two avoids that: multiplying
by it is exact, and so is adding up the exponents, however many there are. Only the finished result is turned into a
logarithm, which rounds once.

`rescaled` takes the power of two out of an array. The loops of `measure/product.py` and `lag_loop.py` do the same in
each step with `exponent_of` and `power_of_two`. A product of triangular matrices needs one scale for each row instead:
see `graded_triangles.py`.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .printed import Table, fields_of, printable, span


@printable
class Scaled(NamedTuple):
    """An array that may be too large or too small for its float type.

        A = direction · e^{log_scale}

    `rd.jacobian_product` returns one. A direction of all zeros is an exact zero, whatever its scale. Differentiate
    direction and scale together, as the methods do: the scale alone counts as a constant. `left @ right` is the product
    of two, for the products of two stretches of time. A batch, as `jax.vmap` returns it, has a scale for each array.

    Attributes:
        direction: The array up to a positive factor, shape (*shape,). As the package makes it, its largest magnitude
            is in [½, 1).
        log_scale: The natural logarithm of that factor, in nats, a scalar; of a batch, its leading axes.

    Example:
        >>> P = rd.jacobian_product(lambda W, h, x: W @ h, 0.5 * jnp.eye(2), jnp.ones(2), None, length=1000)
        >>> P.direction
        Array([[0.5, 0. ],
               [0. , 0.5]], dtype=float32)
        >>> round(float(P.log_norm()), 2)  # 1000 ln ½ + ½ ln 2; 0.5**1000 underflows in float32
        -692.8
        >>> round(float((P @ P).log_norm()), 2)
        -1385.95
        >>> float(jnp.abs(P.to_array()).max())
        0.0
    """

    direction: Float[Array, "*shape"]
    log_scale: Float[Array, ""]

    @property
    def matrix(self) -> Float[Array, "*shape"]:
        """Return the direction, under the name that fits a product of matrices. It does not include e^{log_scale}."""
        return self.direction

    def log_norm(self) -> Float[Array, "*batch"]:
        """Compute ln of the Frobenius (Euclidean) norm; -inf for an exact zero."""
        axes = tuple(range(jnp.ndim(self.log_scale), jnp.ndim(self.direction)))
        return self.log_scale + jnp.log(jnp.sum(jnp.abs(self.direction) ** 2, axis=axes)) / 2

    def to_array(self) -> Float[Array, "*shape"]:
        """Convert to a plain array, which overflows or underflows where the float type cannot hold it."""
        inner = (1,) * (jnp.ndim(self.direction) - jnp.ndim(self.log_scale))
        return self.direction * jnp.exp(self.log_scale).reshape(*jnp.shape(self.log_scale), *inner)

    def __matmul__(self, right: "Scaled") -> "Scaled":
        """Compute the matrix product self · right, of each pair of two batches of one shape."""
        if not isinstance(right, Scaled):
            return NotImplemented
        batch = jnp.shape(self.log_scale)
        if jnp.shape(right.log_scale) != batch:
            raise ValueError(f"right: got a batch of shape {jnp.shape(right.log_scale)}, expected {batch}")
        multiply = _multiplied
        for _ in batch:
            multiply = jax.vmap(multiply)
        return multiply(self, right)

    def _headline(self) -> str:
        scale, direction = np.asarray(self.log_scale), np.asarray(self.direction)
        axes = tuple(range(scale.ndim, direction.ndim))
        with np.errstate(divide="ignore"):
            norms = scale + np.log(np.sum(np.abs(direction) ** 2, axis=axes)) / 2
        return f"{direction.shape}: ln of the Frobenius norm = {span(norms)}"

    def _table(self) -> Table:
        return fields_of(self)


def _multiplied(left: Scaled, right: Scaled) -> Scaled:
    direction, exponent = rescaled(left.direction @ right.direction)
    return Scaled(direction, left.log_scale + right.log_scale + from_exponent(direction, exponent).log_scale)


def rescaled(array: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """Split `array` into new · 2^exponent, with the largest magnitude of new in [½, 1).

    An array of zeros, or one with inf or NaN, is returned unchanged with exponent 0. The exponent counts as a constant
    in differentiation, because the product of the two does not depend on it.
    """
    exponent = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(array), initial=0)))
    return array * power_of_two(-exponent, array.dtype), exponent


def exponent_of(magnitude: Float[Array, ""]) -> Int[Array, ""]:
    """Return the whole number e for which magnitude · 2^-e is in [½, 1); 0 for zero, inf and NaN."""
    # 2^±126 (float32) and 2^±1022 (float64) are the last powers of two whose reciprocals are normal numbers too
    limit = -jnp.finfo(magnitude.dtype).minexp
    return jnp.where(jnp.isfinite(magnitude), jnp.clip(jnp.frexp(magnitude)[1], -limit, limit), 0)


def power_of_two(exponent: Int[Array, ""], dtype: Any) -> Float[Array, ""]:
    """Return 2^exponent, exact for exponents between those of the smallest and the largest normal number."""
    return jnp.ldexp(jnp.ones((), dtype), exponent)


def sum_of(
    one: tuple[Float[Array, "*shape"], Int[Array, ""]], other: tuple[Float[Array, "*shape"], Int[Array, ""]]
) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """Add two arrays in the form (direction, exponent) that `rescaled` returns. The sum has the same form."""
    lowest = jnp.iinfo(one[1].dtype).min // 2
    (left, low), (right, high) = [(d, jnp.where(jnp.any(d != 0), e, lowest)) for d, e in (one, other)]
    top = jnp.maximum(low, high)
    # if the smaller array is below 2^-limit of the larger, it does not change the sum
    limit = -jnp.finfo(left.dtype).minexp
    parts = [d * power_of_two(jnp.maximum(e - top, -limit), d.dtype) for d, e in ((left, low), (right, high))]
    direction, grown = rescaled(parts[0] + parts[1])
    return direction, jnp.where(top == lowest, 0, top + grown)


def from_exponent(direction: Float[Array, "*shape"], exponent: Int[Array, ""]) -> Scaled:
    """Return direction · 2^exponent as a `Scaled`."""
    return Scaled(direction, exponent.astype(direction.dtype) * math.log(2))
