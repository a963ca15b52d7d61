"""Products of independent random matrices whose Lyapunov exponents are known at every size.

If no rotation changes the distribution of the factors, each new factor acts on the frame of a QR decomposition as
it would on a fixed frame. The exponents are then means of the logarithms of the diagonal of R. For a Gaussian matrix
these diagonal entries are chi variables with d, d - 1, ..., 1 degrees of freedom (Newman 1986, "The distribution of
Lyapunov exponents: exact results for random matrices").
"""

import jax.numpy as jnp
from jax.scipy.special import digamma, polygamma
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import argument


def gaussian_product_exponents(size: int, *, scale: ArrayLike = 1.0) -> Float[Array, " size"]:
    """Compute the Lyapunov exponents of a product of independent Gaussian matrices.

        λ_i = ln s + ½ [ln 2 + ψ((d - i + 1)/2)],    i = 1 .. d

    A linear net of N units whose weights are drawn anew in each step has these exponents with s = g/√N.

    Args:
        size: d, the number of rows and columns of a factor, at least 1.
        scale: s >= 0; each entry of a factor is N(0, s²). A scalar. Default: 1.

    Returns:
        The d exponents in nats per factor, in descending order.

    Cost:
        O(d) time and memory.

    Example:
        >>> exponents = rd.theory.gaussian_product_exponents(2)
        >>> [round(float(x), 3) for x in exponents]
        [0.058, -0.635]

    References:
        Newman (1986), "The distribution of Lyapunov exponents: exact results for random matrices".
    """
    size, scale = argument.size("size", size, 1), argument.real("scale", scale, at_least=0.0)
    return jnp.log(scale) + (jnp.log(2) + digamma(_half_degrees(size, scale))) / 2


def gaussian_product_stderr(size: int, length: int) -> Float[Array, " size"]:
    """Compute the standard deviation of the exponents measured over a finite product of Gaussian matrices.

        √(ψ'((d - i + 1)/2)/(4T)),    i = 1 .. d

    It is exact for T steps of a frame that is independent of the factors, such as a fixed one. It does not depend on
    the scale of the factors.

    Args:
        size: d, the number of rows and columns of a factor, at least 1.
        length: T, the number of factors, at least 1.

    Returns:
        The d standard deviations about the limits T -> infinity, in nats per factor, largest exponent first.

    Cost:
        O(d) time and memory.

    Example:
        >>> round(float(rd.theory.gaussian_product_stderr(1, 100)[0]), 3)  # π/√8 / √100
        0.111

    References:
        Newman (1986), "The distribution of Lyapunov exponents: exact results for random matrices".
    """
    size, length = argument.size("size", size, 1), argument.size("length", length, 1)
    return jnp.sqrt(polygamma(1, _half_degrees(size, jnp.ones(()))) / (4 * length))


def orthogonal_product_exponents(size: int, *, scale: ArrayLike) -> Float[Array, " size"]:
    """Compute the Lyapunov exponents of a product of scaled orthogonal matrices.

        λ_i = ln ρ,    i = 1 .. d

    The factors are ρ Q with any orthogonal Q, random or not, so that ‖product of T‖ = ρ^T exactly.

    Args:
        size: d, the number of rows and columns of a factor, at least 1.
        scale: ρ >= 0, a scalar.

    Returns:
        The d equal exponents in nats per factor.

    Cost:
        O(d) time and memory.

    Example:
        >>> exponents = rd.theory.orthogonal_product_exponents(3, scale=0.5)
        >>> [round(float(x), 3) for x in exponents]
        [-0.693, -0.693, -0.693]
    """
    size, scale = argument.size("size", size, 1), argument.real("scale", scale, at_least=0.0)
    return jnp.broadcast_to(jnp.log(scale), (size,))


def _half_degrees(size: int, like: Array) -> Float[Array, " {size}"]:
    return jnp.arange(size, 0, -1).astype(like.dtype) / 2
