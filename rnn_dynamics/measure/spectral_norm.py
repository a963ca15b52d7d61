"""The largest singular value of a linear map, without forming it, and whether the search for it came to an end."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from . import door
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
    when σ² has twice grown by no more than rounding and r is small, or eight times whatever r is: a search that rests
    near the second largest on its way shows it in r before it does in σ².

    Two fixed vectors join the start, one mixed into the guess and one, drawn towards what is large, as the first p:
    the singular vector of an earlier product may be exactly orthogonal to what is largest now, and any one vector is
    nearly so now and then. A top singular vector that is orthogonal to both to some 1e-3 would still be missed in
    float32; none was in 12 000 random matrices.

    First derivatives only: u and v are held, since dσ = uᵀ dA v.
    """
    n, dtype = guess.size, guess.dtype
    eps = float(jnp.finfo(dtype).eps)
    u = _unit(_unit(guess) + 0.5 * _unit(start_vector(n, dtype)))
    y, z = transposed(u), transposed(start_vector(n, dtype, power=2))
    # a power of two near the norm, so that no square overflows or underflows
    exponent = exponent_of(jnp.maximum(jnp.max(jnp.abs(y)), jnp.max(jnp.abs(z))))
    unscale = power_of_two(-exponent, dtype)
    p = _unit(apply(z * unscale) * unscale)
    for _ in range(2):  # once is not enough where p is almost u, as of a product that has lost all rank but one
        p = _unit(p - _dots((u, p)) * u)
    y, z = y * unscale, transposed(p) * unscale

    def improve(at: _Search) -> _Search:
        r = apply(at.y) * unscale - at.square * at.u
        rr, along_u, along_p = _dots((r, r), (r, at.u), (r, at.p))
        r = r - along_u * at.u - along_p * at.p
        new = _dots((r, r))
        # what is left of an r within the plane of u and p is rounding, and not orthogonal to them
        r = r * jnp.where(new > 1e-3 * rr, 1 / jnp.sqrt(jnp.where(new == 0, 1, new)), 0)
        s = transposed(r) * unscale
        ys, ss, sz = _dots((at.y, s), (s, s), (s, at.z))
        a, b, c = _top_of_three(at.square, ys, at.mixed, ss, sz, at.across)
        turn = jnp.sqrt(b * b + c * c)
        b, c = (x / jnp.where(turn == 0, 1, turn) for x in (b, c))
        # ‖z‖² of the new p; and u and p are now singular vectors within their plane
        x, v, t = -turn, a * b, a * c
        across = x * (x * at.square + 2 * (v * ys + t * at.mixed)) + v * (v * ss + 2 * t * sz) + t * t * at.across
        q, w = b * r + c * at.p, b * s + c * at.z
        u, y, p, z = a * at.u + turn * q, a * at.y + turn * w, a * q - turn * at.u, a * w - turn * at.y
        # measured afresh, lest the rounding of many small turns adds up to growth
        uu = _dots((u, u))
        u, y = u / jnp.sqrt(uu), y / jnp.sqrt(uu)
        square = _dots((y, y))
        # a NaN compares false and ends the search
        quiet = jnp.where(square - at.square > 4 * eps * square, 0, at.quiet + 1)
        steep = rr > (eps**0.6 * square) ** 2
        return _Search(u, y, p, z, square, jnp.zeros_like(across), across, steep, quiet, at.iterations + 1)

    def unfinished(at: _Search) -> Array:
        return (at.quiet < jnp.where(at.steep, 8, 2)) & (at.iterations < MOST_ITERATIONS)

    square, mixed, across = _dots((y, y), (y, z), (z, z))
    start = _Search(u, y, p, z, square, mixed, across, jnp.array(True), jnp.int32(0), jnp.int32(0))
    search = jax.lax.while_loop(unfinished, improve, door.varying_like(start, (y, z)))
    u = jax.lax.stop_gradient(_unit(search.u))
    v = jax.lax.stop_gradient(_unit(transposed(u) * unscale))
    value = u @ apply(v)
    return SpectralNorm(value, u, (search.quiet >= 2) & jnp.isfinite(value))


class _Search(NamedTuple):
    """u and p are orthonormal, y = Aᵀu and z = Aᵀp, with ‖y‖², y·z and ‖z‖².

    `steep` tells that the last gradient was not small, `quiet` counts the iterations since ‖y‖² grew.
    """

    u: Array
    y: Array
    p: Array
    z: Array
    square: Array
    mixed: Array
    across: Array
    steep: Array
    quiet: Array
    iterations: Array


def start_vector(n: int, dtype: Any, power: int = 1) -> Float[Array, " {n}"]:
    """A fixed vector without zeros and without the symmetries that a net may have."""
    return jnp.cos((jnp.arange(n, dtype=dtype) + 1) ** power)


def dense_spectral_norm(A: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """σ_max of a small matrix by a singular value decomposition; first derivatives in the same way."""
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


def _top_of_three(*entries: Array) -> tuple[Array, Array, Array]:
    """The eigenvector of the largest eigenvalue, first entry >= 0, of a symmetric 3 × 3 matrix by Jacobi's rotations.

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
    return sign * a, sign * b, sign * c
