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
from jaxtyping import Array, Float, Int


class Scaled(NamedTuple):
    """An array that may be too large or too small for its float type.

        A = direction · e^{log_scale}

    `rd.jacobian_product` returns one. A direction of all zeros is an exact zero, whatever its scale. Differentiate
    direction and scale together: the scale alone counts as a constant.

    Attributes:
        direction: The array up to a positive factor, shape (*shape,). As the package makes it, its largest magnitude
            is in [½, 1).
        log_scale: The natural logarithm of that factor, a scalar in nats.

    Example:
        >>> P = rd.jacobian_product(lambda W, h, x: W @ h, 0.5 * jnp.eye(2), jnp.ones(2), None, length=1000)
        >>> P.direction
        Array([[0.5, 0. ],
               [0. , 0.5]], dtype=float32)
        >>> round(float(P.log_scale + jnp.log(P.direction[0, 0])), 2)  # 1000 ln ½; 0.5**1000 underflows in float32
        -693.15
    """

    direction: Float[Array, "*shape"]
    log_scale: Float[Array, ""]

    @property
    def matrix(self) -> Float[Array, "*shape"]:
        """Return the direction, under the name that fits a product of matrices. It does not include e^{log_scale}."""
        return self.direction


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


def scaled(array: Float[Array, "*shape"]) -> Scaled:
    """Return `array` as a `Scaled`."""
    return from_exponent(*rescaled(array))


def product(left: Scaled, right: Scaled) -> Scaled:
    """Compute the matrix product left · right."""
    direction, exponent = rescaled(left.direction @ right.direction)
    result = from_exponent(direction, exponent)
    return Scaled(direction, left.log_scale + right.log_scale + result.log_scale)


def log_norm(array: Scaled) -> Float[Array, ""]:
    """Compute ln of the Frobenius (Euclidean) norm; -inf for an exact zero."""
    return array.log_scale + jnp.log(jnp.linalg.norm(array.direction.ravel()))


def to_array(array: Scaled) -> Float[Array, "*shape"]:
    """Convert to a plain array, which overflows or underflows where the float type cannot hold it."""
    return array.direction * jnp.exp(array.log_scale)
