"""The largest singular value of a linear map, by power iteration from a guess, and whether it is there yet."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Map = Callable[[Array], Array]

# below this size a singular value decomposition costs less than iterating, and is exact
DENSE = 32
MOST_ITERATIONS = 1000


class SpectralNorm(NamedTuple):
    """σ_max, the left singular vector that belongs to it (the next guess), and whether the iteration converged."""

    value: Float[Array, ""]
    left: Float[Array, " rows"]
    converged: Bool[Array, ""]


def spectral_norm(apply: Map, transposed: Map, guess: Float[Array, " rows"]) -> SpectralNorm:
    """σ_max of v ↦ `apply`(v) with u ↦ `transposed`(u), starting near `guess` for its left singular vector.

    σ grows with every iteration; it is there when it grows by no more than the rounding, which leaves an error of that
    over the relative gap of the squares. Half of the start is a fixed vector without zeros: a guess from an earlier
    product may be exactly orthogonal to what is largest now, and would then never find it. Differentiable: u and v
    are held, since dσ = uᵀ dA v.
    """
    tolerance = jnp.finfo(guess.dtype).eps

    def improve(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        u, sigma, _, iterations = carry
        Av = apply(_unit(transposed(u)))
        new = jnp.linalg.norm(Av)
        # a NaN compares false and ends the iteration
        return _unit(Av), new, new - sigma > tolerance * new, iterations + 1

    mixed = _unit(guess) + 0.5 * _unit(start_vector(guess.size, guess.dtype))
    start = _unit(mixed), jnp.zeros((), guess.dtype), jnp.array(True), jnp.int32(0)
    u, _, growing, _ = jax.lax.while_loop(lambda c: c[2] & (c[3] < MOST_ITERATIONS), improve, start)
    u = jax.lax.stop_gradient(u)
    v = jax.lax.stop_gradient(_unit(transposed(u)))
    return SpectralNorm(u @ apply(v), u, ~growing)


def start_vector(n: int, dtype: Any) -> Float[Array, " {n}"]:
    """A fixed vector without zeros and without the symmetries that a net may have."""
    return jnp.cos(jnp.arange(n, dtype=dtype) + 1)


def dense_spectral_norm(A: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """σ_max of a small matrix by a singular value decomposition; differentiable in the same way."""
    u, _, vt = jnp.linalg.svd(jax.lax.stop_gradient(jnp.where(jnp.isfinite(A), A, 0)), full_matrices=False)
    return u[:, 0] @ A @ vt[0]


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    norm = jnp.linalg.norm(vector)
    return vector / jnp.where(norm == 0, 1, norm)
