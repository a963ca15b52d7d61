"""The largest singular value of a linear map, without forming it, and whether the search for it came to an end."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .scaled import exponent_of, power_of_two

Map = Callable[[Array], Array]

# below this size a singular value decomposition costs less than searching, and is exact
DENSE = 8
MOST_ITERATIONS = 500


class SpectralNorm(NamedTuple):
    """σ_max, the left singular vector that belongs to it (the next guess), and whether the search came to an end."""

    value: Float[Array, ""]
    left: Float[Array, " rows"]
    converged: Bool[Array, ""]


def spectral_norm(apply: Map, transposed: Map, guess: Float[Array, " rows"]) -> SpectralNorm:
    """σ_max of v ↦ A v = `apply`(v) with u ↦ Aᵀu = `transposed`(u), from a guess for its left singular vector.

    Locally optimal conjugate gradients (Knyazev 2001): σ² = max ‖Aᵀu‖² over unit vectors u is increased by taking, in
    every iteration, the best u in the span of u, of the gradient r = A Aᵀu - σ² u and of the last direction p. That
    converges like Lanczos' method, needs one product with A and one with Aᵀ, and may start from any guess. It ends
    when σ² has twice grown by no more than rounding.

    Two fixed vectors join the start, one mixed into the guess and one as the first p: the singular vector of an
    earlier product may be exactly orthogonal to what is largest now, and a single fixed vector is nearly so once in a
    thousand times, where the search would rest on the second largest.

    Differentiable: u and v are held, since dσ = uᵀ dA v.
    """
    n, dtype = guess.size, guess.dtype
    u = _unit(_unit(guess) + 0.5 * _unit(start_vector(n, dtype)))
    p = start_vector(n, dtype, power=2)
    p = _unit(p - _dots((u, p)) * u)
    y, z = transposed(u), transposed(p)
    # a power of two near the norm, so that no square overflows or underflows
    exponent = exponent_of(jnp.maximum(jnp.max(jnp.abs(y)), jnp.max(jnp.abs(z))))
    unscale = power_of_two(-exponent, dtype)

    def improve(carry: _Search) -> _Search:
        u, y, p, z, square, quiet, iterations = carry
        r = _unit(apply(y) * unscale - square * u)
        along_u, along_p = _dots((r, u), (r, p))
        r = _unit(r - along_u * u - along_p * p)
        s = transposed(r) * unscale
        best, (a, b, c) = _top_of_three(_dots((y, y), (y, s), (y, z), (s, s), (s, z), (z, z)))
        turn = jnp.sqrt(b * b + c * c)
        towards = 1 / jnp.where(turn == 0, 1, turn)
        q, w = towards * (b * r + c * p), towards * (b * s + c * z)
        # a NaN compares false and ends the search
        quiet = jnp.where(best - square > 4 * jnp.finfo(dtype).eps * best, 0, quiet + 1)
        return _Search(
            a * u + turn * q, a * y + turn * w, a * q - turn * u, a * w - turn * y, best, quiet, iterations + 1
        )

    y, z = y * unscale, z * unscale
    start = _Search(u, y, p, z, _dots((y, y)), jnp.int32(0), jnp.int32(0))
    search = jax.lax.while_loop(lambda s: (s.quiet < 2) & (s.iterations < MOST_ITERATIONS), improve, start)
    u = jax.lax.stop_gradient(_unit(search.u))
    v = jax.lax.stop_gradient(_unit(transposed(u) * unscale))
    value = u @ apply(v)
    return SpectralNorm(value, u, (search.quiet >= 2) & jnp.isfinite(value))


class _Search(NamedTuple):
    """u and p are orthonormal, y = Aᵀu and z = Aᵀp, scaled; `quiet` counts iterations without growth of σ²."""

    u: Array
    y: Array
    p: Array
    z: Array
    square: Array
    quiet: Array
    iterations: Array


def start_vector(n: int, dtype: Any, power: int = 1) -> Float[Array, " {n}"]:
    """A fixed vector without zeros and without the symmetries that a net may have."""
    return jnp.cos((jnp.arange(n, dtype=dtype) + 1) ** power)


def dense_spectral_norm(A: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """σ_max of a small matrix by a singular value decomposition; differentiable in the same way."""
    u, _, vt = jnp.linalg.svd(jax.lax.stop_gradient(jnp.where(jnp.isfinite(A), A, 0)), full_matrices=False)
    return u[:, 0] @ A @ vt[0]


def _dots(*pairs: tuple[Array, Array]) -> Array:
    """Inner products, several at once: a product with ones is fast on CPUs, where XLA's plain sums are not."""
    products = jnp.stack([left * right for left, right in pairs])
    sums = products @ jnp.ones(products.shape[1], products.dtype)
    return sums[0] if len(pairs) == 1 else sums


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    norm = jnp.sqrt(_dots((vector, vector)))
    return vector / jnp.where(norm == 0, 1, norm)


def _top_of_three(entries: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """Largest eigenvalue and its eigenvector, first entry >= 0, of a symmetric 3 × 3 matrix by Jacobi's rotations.

    `entries` is its upper triangle, row by row.
    """
    A = [[entries[k] for k in row] for row in ((0, 1, 2), (1, 3, 4), (2, 4, 5))]
    one, zero = jnp.ones_like(entries[0]), jnp.zeros_like(entries[0])
    V = [[one, zero, zero], [zero, one, zero], [zero, zero, one]]
    for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 2, 0)) * 3:  # three sweeps converge to rounding
        flat = A[i][j] == 0
        slope = (A[j][j] - A[i][i]) / (2 * jnp.where(flat, 1, A[i][j]))
        tangent = jnp.where(slope >= 0, 1, -1) / (jnp.abs(slope) + jnp.sqrt(1 + slope * slope))
        tangent = jnp.where(flat, 0, tangent)
        cosine = 1 / jnp.sqrt(1 + tangent * tangent)
        sine = tangent * cosine
        A[i][i], A[j][j] = A[i][i] - tangent * A[i][j], A[j][j] + tangent * A[i][j]
        A[i][j] = A[j][i] = zero
        left, right = cosine * A[i][k] - sine * A[j][k], sine * A[i][k] + cosine * A[j][k]
        A[i][k] = A[k][i] = left
        A[j][k] = A[k][j] = right
        for row in V:
            row[i], row[j] = cosine * row[i] - sine * row[j], sine * row[i] + cosine * row[j]
    diagonal = [A[i][i] for i in range(3)]
    best = jnp.maximum(jnp.maximum(*diagonal[:2]), diagonal[2])
    a, b, c = (jnp.where(best == diagonal[0], x, jnp.where(best == diagonal[1], y, z)) for x, y, z in V)
    sign = jnp.where(a < 0, -1, 1)
    return best, (sign * a, sign * b, sign * c)
