"""Arrays with a logarithmic scale: direction · e^{log_scale}, so that 10⁶ factors neither overflow nor underflow.

While a product is being formed its scale is kept as a whole power of two: multiplying by it is exact, and so is adding
up the exponents, however many there are. Only the finished result turns into a logarithm.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Scaled(NamedTuple):
    """The array direction · e^{log_scale}; a direction of all zeros is an exact zero, whatever its scale."""

    direction: Float[Array, "*shape"]
    log_scale: Float[Array, ""]

    @property
    def matrix(self) -> Float[Array, "*shape"]:
        """The direction, by the name that fits a product of matrices; e^{log_scale} is still to be multiplied on."""
        return self.direction


def rescaled(array: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """`array` = new · 2^exponent with the largest magnitude of new in [½, 1); zeros, inf and NaN stay as they are.

    The exponent counts as a constant in differentiation: the product of the two does not depend on it.
    """
    exponent = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(array), initial=0)))
    return array * power_of_two(-exponent, array.dtype), exponent


def exponent_of(magnitude: Float[Array, ""]) -> Int[Array, ""]:
    """The whole number e for which magnitude · 2^-e is in [½, 1); 0 for zero, inf and NaN."""
    # 2^±126 and 2^±1022 are the last whole powers whose reciprocals are normal numbers too
    limit = -jnp.finfo(magnitude.dtype).minexp
    return jnp.where(jnp.isfinite(magnitude), jnp.clip(jnp.frexp(magnitude)[1], -limit, limit), 0)


def power_of_two(exponent: Int[Array, ""], dtype: Any) -> Float[Array, ""]:
    """2^exponent, exactly, for exponents between those of the smallest and the largest normal number."""
    return jnp.ldexp(jnp.ones((), dtype), exponent)


def sum_of(
    one: tuple[Float[Array, "*shape"], Int[Array, ""]], other: tuple[Float[Array, "*shape"], Int[Array, ""]]
) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """The sum of two arrays that `rescaled` has brought to direction · 2^exponent, in the same form."""
    lowest = jnp.iinfo(one[1].dtype).min // 2
    (left, low), (right, high) = [(d, jnp.where(jnp.any(d != 0), e, lowest)) for d, e in (one, other)]
    top = jnp.maximum(low, high)
    # what is left of the smaller one below 2^-limit of the larger cannot be seen in the sum
    limit = -jnp.finfo(left.dtype).minexp
    parts = [d * power_of_two(jnp.maximum(e - top, -limit), d.dtype) for d, e in ((left, low), (right, high))]
    direction, grown = rescaled(parts[0] + parts[1])
    return direction, jnp.where(top == lowest, 0, top + grown)


def from_exponent(direction: Float[Array, "*shape"], exponent: Int[Array, ""]) -> Scaled:
    """direction · 2^exponent."""
    return Scaled(direction, exponent.astype(direction.dtype) * math.log(2))


def scaled(array: Float[Array, "*shape"]) -> Scaled:
    """`array`, with its scale taken out."""
    return from_exponent(*rescaled(array))


def product(left: Scaled, right: Scaled) -> Scaled:
    """The matrix product left · right."""
    direction, exponent = rescaled(left.direction @ right.direction)
    result = from_exponent(direction, exponent)
    return Scaled(direction, left.log_scale + right.log_scale + result.log_scale)


def log_norm(array: Scaled) -> Float[Array, ""]:
    """ln of the Frobenius (Euclidean) norm; -inf for an exact zero."""
    return array.log_scale + jnp.log(jnp.linalg.norm(array.direction.ravel()))


def to_array(array: Scaled) -> Float[Array, "*shape"]:
    """The plain array; it overflows or underflows where the type cannot hold it."""
    return array.direction * jnp.exp(array.log_scale)
