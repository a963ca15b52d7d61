"""Products of independent random matrices whose Lyapunov exponents are known for every size.

With a distribution that no rotation changes, each new factor meets the frame as if it were fresh: the exponents are
means of ln of the diagonal of R in its QR decomposition. Of a Gaussian matrix these are chi variables with d, d - 1,
..., 1 degrees of freedom (Newman 1986, "The distribution of Lyapunov exponents: exact results for random matrices").
"""

import jax.numpy as jnp
from jax.scipy.special import digamma, polygamma
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import argument


def gaussian_product_exponents(size: int, *, scale: ArrayLike = 1.0) -> Float[Array, " size"]:
    """λ_i = ln s + ½ [ln 2 + ψ((d - i + 1)/2)], i = 1 .. d, for factors with independent N(0, s²) entries.

    Nats a factor, descending. A linear net of N units whose weights are drawn anew in each step has s = g/√N.
    """
    size, scale = argument.size("size", size, 1), argument.real("scale", scale, at_least=0.0)
    return jnp.log(scale) + (jnp.log(2) + digamma(_half_degrees(size, scale))) / 2


def gaussian_product_stderr(size: int, length: int) -> Float[Array, " size"]:
    """√(ψ'((d - i + 1)/2)/(4T)), the standard deviation of the exponents of T factors about their limits.

    Their scale does not matter. It is exact for T steps of a frame that is independent of them, such as a fixed one.
    """
    size, length = argument.size("size", size, 1), argument.size("length", length, 1)
    return jnp.sqrt(polygamma(1, _half_degrees(size, jnp.ones(()))) / (4 * length))


def orthogonal_product_exponents(size: int, *, scale: ArrayLike) -> Float[Array, " size"]:
    """All ln ρ, for factors ρ Q with orthogonal Q, random or not: ‖product of T‖ = ρ^T exactly."""
    size, scale = argument.size("size", size, 1), argument.real("scale", scale, at_least=0.0)
    return jnp.broadcast_to(jnp.log(scale), (size,))


def _half_degrees(size: int, like: Array) -> Float[Array, " {size}"]:
    return jnp.arange(size, 0, -1).astype(like.dtype) / 2
