"""Find the largest singular value σ of a matrix or of a linear map, and say whether the result can be trusted.

    σ² = max ‖Aᵀu‖² over unit vectors u,   dσ = uᵀ dA v   with the singular vectors u, v held fixed

The specification, by the power method:

    def spectral_norm(A, u):
        for _ in range(10_000):
            u = A @ (A.T @ u)
            u = u / np.linalg.norm(u)
        return np.linalg.norm(A.T @ u)

The functions here find the same number in fewer steps.

`dense_spectral_norm` is for a few rows or columns (32, or 64 in a gradient flow that is not batched). It squares the
Gram matrix A Aᵀ until one direction is left. It starts from no vector, so it cannot miss the largest singular value.
`guessed_spectral_norm` spares the squaring where a guess is certainly right.

`spectral_norm` is for larger matrices and for maps that are known only by their products with vectors. It climbs ‖Aᵀu‖²
by conjugate gradients, one product with A and one with Aᵀ in each iteration. It starts from a guess: along a trajectory
the last singular vector is a good one.

A search can rest at a smaller singular value, and σ² alone does not show that. While the share of the largest singular
vector in u is below √eps, it adds less than rounding to σ², in which it enters as a square. The gradient
r = A Aᵀu - σ²u is linear in that share and still shows it. So a search must end with a small r too. And a guess is
believed only if no other singular value can be larger; otherwise random vectors are added to it.

`step_norms.py` searches many maps side by side, `lag_loop.py` one product at every lag.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from . import entry
from .batch_decision import smallest
from .scaled import rescaled

Map = Callable[[Array], Array]

# matrices with at most this many rows or columns need no search
DENSE = 32
MOST_ITERATIONS = 500
# ‖r‖ / σ²: a search that ends with a larger gradient may have stopped on its way to a larger singular value
COARSE = 1e-4


class SpectralNorm(NamedTuple):
    """The largest singular value, its left singular vector (a guess for the next matrix), and whether to trust it."""

    value: Float[Array, ""]
    left: Float[Array, " rows"]
    converged: Bool[Array, ""]


class _Search(NamedTuple):
    """The state of the search.

    u, y       the vector, of any length, and y = Aᵀu
    p          the last direction
    square     σ² at the u before this one
    r, rr      the gradient at that u, and ‖r‖²
    quiet      the number of iterations since σ² last grew by more than rounding
    """

    u: Array
    y: Array
    p: Array
    square: Array
    r: Array
    rr: Array
    quiet: Array
    iterations: Array


def spectral_norm(
    apply: Map,
    transposed: Map,
    guess: Float[Array, " rows"],
    *,
    scale: Float[Array, ""] | None = None,
    total: Float[Array, ""] | None = None,
) -> SpectralNorm:
    """Find σ_max of the map v ↦ A v = `apply`(v), u ↦ Aᵀu = `transposed`(u), from a guess for its left singular vector.

    Maximise σ² = ‖Aᵀu‖² on the unit sphere by conjugate gradients (Polak and Ribière's β, exact line search). With
    y = Aᵀu, each iteration computes

        r = A y - σ² u                                   the gradient
        p = r + max(0, r·(r - r_old) / ‖r_old‖²) p       the direction, orthogonal to u
        u = cos φ · u + sin φ · p/‖p‖                    φ maximises ‖Aᵀu‖², a 2 × 2 eigenproblem

    at the cost of one product with A and one with Aᵀ. The search ends in one of two ways:

    - *Certain.* All other σ² together are `total` - σ², with total = ‖A‖_F². If that is below σ², this σ is the
      largest, and its relative error is at most ‖r‖² / (σ² (2 σ² - total)) (Kato and Temple).
    - *Likely.* Otherwise the guess may be the second singular vector, orthogonal to the first. Two random vectors
      are added at the start, one to u and one to p, and the search goes on until σ² has stopped growing and r is
      rounding. A small r alone shows that some singular value is near. An r at the level of rounding also shows that
      u has no part of a larger one left, because that part would have grown.

    A search that ends with ‖r‖ > 1e-4 σ², or does not end within 500 iterations, is not `converged`. `total` belongs to
    A · `scale`, a matrix of size about one; give both or none. Only first derivatives are right: u and v are held
    constant, since dσ = uᵀ dA v.
    """
    # one long function, so that the loop can be compared with the equations above line by line
    n, dtype = guess.size, guess.dtype
    eps = float(jnp.finfo(dtype).eps)
    first, second = random_vectors(n, dtype)
    u = guess / jnp.sqrt(_dots((guess, guess)))
    if total is None or scale is None:
        u = u + 0.5 * first
        y = transposed(u)
        size = jnp.max(jnp.abs(y))
        scale = 1 / jnp.where(size == 0, 1, size)
        y = y * scale
    else:
        y = transposed(u) * scale
        doubt = jnp.where(2 * _dots((y, y)) > total, 0, 0.5).astype(dtype)
        u, y = u + doubt * first, y + doubt * scale * transposed(first)

    def excess(square: Array) -> Array:
        """Return how far σ² is above the sum of all other σ²; negative where that sum is not known."""
        return jnp.full_like(square, -1) if total is None else 2 * square - total

    def improve(at: _Search) -> _Search:
        uu, yy, pu = _dots((at.u, at.u), (at.y, at.y), (at.p, at.u))
        length, square = jnp.sqrt(uu), yy / uu
        u, y = at.u / length, at.y / length
        r = apply(y) * scale - square * u
        rr, back, ru = _dots((r, r), (r, at.r), (r, u))
        beta = jnp.maximum(0, rr - back) / jnp.where(at.rr == 0, 1, at.rr)
        p = r + beta * at.p - (ru + beta * pu / length) * u
        length = jnp.sqrt(_dots((p, p)))
        d = p / jnp.where(length == 0, 1, length)
        w = transposed(d) * scale
        yw, ww = _dots((y, w), (w, w))
        c, s = _turn((square - ww) / 2, yw)
        # a comparison with NaN is false: `quiet` counts on and ends the search
        quiet = jnp.where(square - at.square > 4 * eps * square, 0, at.quiet + 1)
        p = (c * d - s * u) * length
        return _Search(c * u + s * d, c * y + s * w, p, square, r, rr, quiet, at.iterations + 1)

    def certain(at: _Search) -> Array:
        return at.rr <= 4 * eps * at.square * excess(at.square)

    def unfinished(at: _Search) -> Array:
        steep, coarse = (at.rr > (bound * at.square) ** 2 for bound in (16 * eps, COARSE))
        # the larger r still is, the longer σ² may stand still before the search gives up
        patience = jnp.where(coarse, 64, jnp.where(steep, 16, 2))
        return ~certain(at) & (at.quiet < patience) & (at.iterations < MOST_ITERATIONS)

    one, none = jnp.ones((), dtype), jnp.int32(0)
    # with r_old = 0 and ‖r_old‖ = 1 the first β is ‖r‖²
    start = entry.varying_like(_Search(u, y, second, 0 * one, 0 * u, one, none - 1, none), y)
    at = jax.lax.stop_gradient(jax.lax.while_loop(unfinished, improve, start))
    uu, yy = _dots((at.u, at.u), (at.y, at.y))
    u = at.u / jnp.sqrt(uu)
    value = u @ apply(at.y / jnp.where(yy == 0, 1, jnp.sqrt(yy)))
    found = certain(at) | ((at.quiet >= 2) & (at.rr <= (COARSE * at.square) ** 2))
    return SpectralNorm(value, u, found & jnp.isfinite(value))


def dense_spectral_norm(A: Float[Array, "rows columns"]) -> SpectralNorm:
    """Find σ_max of a small matrix by squaring G = A Aᵀ, or Aᵀ A if that is smaller, until its top eigenvector is left.

        G ← G² / trace(G²),   u ∝ the column of G with the largest diagonal entry,   σ² = the Rayleigh quotient of u

    After k squarings that quotient is below the largest eigenvalue by at most 2^-(k+1) of it, however close the other
    eigenvalues are, and by far less where they are not close. No starting vector is needed, so none can miss the
    largest. Only first derivatives are right, as in `spectral_norm`.
    """
    if A.shape[0] > A.shape[1]:
        found = dense_spectral_norm(A.T)
        return SpectralNorm(found.value, _unit(jax.lax.stop_gradient(A @ found.left)), found.converged)
    fixed = jax.lax.stop_gradient(rescaled(A)[0])
    eps = float(jnp.finfo(A.dtype).eps)

    def with_unit_trace(G: Array) -> Array:
        trace = jnp.trace(G)
        return G / jnp.where(trace == 0, 1, trace)

    def unfinished(at: tuple[Array, Array]) -> Array:
        # G has trace 1, so 1 - trace(G²) is about twice the sum of its other eigenvalues
        return (jnp.sum(at[0] ** 2) < 1 - math.sqrt(eps)) & (at[1] < math.ceil(-0.7 * math.log2(eps)))

    def squared(at: tuple[Array, Array]) -> tuple[Array, Array]:
        return with_unit_trace(at[0] @ at[0]), at[1] + 1

    start = (with_unit_trace(fixed @ fixed.T), entry.varying_like(jnp.int32(0), fixed))
    G, _ = jax.lax.while_loop(unfinished, squared, start)
    u = _unit(G[:, jnp.argmax(jnp.diagonal(G))])
    value = u @ (A @ _unit(u @ fixed))
    return SpectralNorm(value, u, jnp.isfinite(value))


def guessed_spectral_norm(
    A: Float[Array, "rows columns"], guess: Float[Array, " rows"], scale: Float[Array, ""], total: Float[Array, ""]
) -> SpectralNorm:
    """Find σ_max of a small matrix from a unit guess u for its left singular vector if that is certainly right.

    One step of the power method improves the guess. It is certain where the other σ² together are below σ² = ‖Aᵀu‖²:

        r = A Aᵀu - σ² u,   others = total - σ²,   gap = σ² - others > 0
        sin θ <= ‖r‖ / gap            θ is the angle between u and the singular vector (Davis and Kahan)
        error of σ² <= (others/σ²)² sin² θ      of itself, after the step

    Otherwise, where some member of a batch is not certain, `dense_spectral_norm` finds it without a guess. `total` is
    the squared Frobenius norm of A · `scale`, a matrix of size about one. Only first derivatives are right.
    """
    fixed = jax.lax.stop_gradient(A)
    y = (guess @ fixed) * scale
    z = (fixed @ y) * scale
    square = _dots((y, y))
    others, r = jnp.maximum(total - square, 0), z - square * guess
    gap, eps = square - others, float(jnp.finfo(A.dtype).eps)
    certain = (gap > 0) & (others**2 * _dots((r, r)) <= eps * (square * gap) ** 2)
    u = jax.lax.cond(smallest(certain), lambda: _unit(z), lambda: jax.lax.stop_gradient(dense_spectral_norm(A).left))
    value = u @ (A @ _unit((u @ fixed) * scale))
    return SpectralNorm(value, u, jnp.isfinite(value))


def random_vectors(n: int, dtype: Any) -> tuple[Float[Array, " {n}"], Float[Array, " {n}"]]:
    """Return two unit vectors with random signs. They are always the same: part of the method, not of an experiment.

    Their entries are all of about one size, so that neither is nearly orthogonal to a singular vector of a diagonal or
    permuted matrix. One in a thousand Gaussian entries would be small enough for that.
    """
    random = np.random.default_rng(n)
    draws = random.uniform(0.5, 1.5, size=(2, n)) * random.choice([-1, 1], size=(2, n))
    first, second = (jnp.asarray(draw / np.linalg.norm(draw), dtype) for draw in draws)
    return first, second


def _turn(half: Array, across: Array) -> tuple[Array, Array]:
    """Return cos φ >= 0 and sin φ of the top eigenvector of [[half, across], [across, -half]]."""
    root = jnp.sqrt(half * half + across * across)
    safe = jnp.where(root == 0, 1, root)
    large = jnp.sqrt((safe + jnp.abs(half)) / (2 * safe))
    small = jnp.abs(across) / (2 * safe * large)
    sign = jnp.where(across < 0, -1, 1).astype(half.dtype)
    c, s = jnp.where(half >= 0, large, small), jnp.where(half >= 0, small, large)
    return jnp.where(root == 0, 1, c), jnp.where(root == 0, 0, sign * s)


def _dots(*pairs: tuple[Array, Array]) -> Array:
    """Compute several inner products at once, as a product with ones: XLA's plain sums are slow on CPUs."""
    if len({left.size for left, _ in pairs}) > 1:
        return jnp.stack([_dots(pair) for pair in pairs])
    products = jnp.stack([left * right for left, right in pairs])
    sums = products @ jnp.ones(products.shape[1], products.dtype)
    return sums[0] if len(pairs) == 1 else sums


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    norm = jnp.sqrt(_dots((vector, vector)))
    return vector / jnp.where(norm == 0, 1, norm)
