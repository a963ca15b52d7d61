"""Compute σ_min(zI - W) at many points z of the complex plane: the pseudospectrum of W.

    W = Q T Q*,  T upper triangular        one Schur form for all points, O(n³)
    M = zI - T,  σ_min(zI - W) = σ_min(M)  since Q is unitary
    1/σ_min² = largest eigenvalue of M⁻¹M⁻*, by Lanczos' method

**The fast way** (`by_schur_form`; Lui 1997) makes every point a triangular system. A Lanczos step solves two of them in
O(n²) operations, where singular values cost O(n³). Many points share T and are solved side by side (`search`), so the
solves are matrix products (`solve`).

**The safe way** (`by_singular_values`) is a singular value decomposition at each point. It serves small matrices, few
points, derivatives, points where the search does not end, and all devices but CPUs, since the Schur form is LAPACK's.

Lanczos' method finds values from below, so the search has to show that it has found the largest: see `search`.

Next: `matrix_powers.kreiss_constant` and `eigen.pseudospectrum` use `smallest_singular_values`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from . import entry
from .batch_decision import smallest
from .svd import singular_values

# below this size 16 Lanczos steps take as long as singular values, which also cost less for fewer points than this
DENSE = 70
FEW = 16
# points that are solved side by side: they share T, so their solves are matrix products
TOGETHER = 64
# triangles of at most this many rows are solved row by row; larger ones are halved
ROWS = 16


@jax.custom_jvp
@jax.jit
def smallest_singular_values(W: Float[Array, "n n"], points: Complex[Array, " points"]) -> Float[Array, " points"]:
    """Compute σ_min(zI - W) at every point z, as `eigen.pseudospectrum` describes. Derivatives use singular values."""
    if len(W) < DENSE or len(points) < FEW or not jnp.iscomplexobj(points):
        return by_singular_values(W, points)
    return jax.lax.platform_dependent(W, points, cpu=by_schur_form, default=by_singular_values)


@smallest_singular_values.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    return jax.jvp(by_singular_values, primals, tangents)


def by_singular_values(W: Float[Array, "n n"], points: Complex[Array, " points"]) -> Float[Array, " points"]:
    """Compute σ_min by singular values, O(n³) for each point, on every device."""
    return jax.lax.map(lambda z: _of_one(W, z), points, batch_size=TOGETHER)


def _of_one(W: Float[Array, "n n"], z: Complex[Array, ""]) -> Float[Array, ""]:
    return singular_values(z * jnp.eye(len(W), dtype=z.dtype) - W.astype(z.dtype))[-1]


def by_schur_form(W: Float[Array, "n n"], points: Complex[Array, " points"]) -> Float[Array, " points"]:
    """Compute σ_min from one Schur form: O(n³) once, then O(n²) for each step and point.

    Points at which the search does not end are computed by singular values. The Schur form is LAPACK's, so this runs
    only on CPUs.
    """
    T = jax.lax.linalg.schur(W.astype(points.dtype))[0]
    # a search takes longer far from the spectrum; a chunk ends with its slowest point, so sort points by distance
    order = jnp.argsort(jax.lax.map(lambda z: jnp.min(jnp.abs(z - jnp.diagonal(T))), points, batch_size=TOGETHER))
    missing = -len(points) % TOGETHER
    chunks = points[jnp.pad(order, (0, missing), mode="edge")].reshape(-1, TOGETHER)

    def settle(chunk: Array) -> Array:
        found = search(T, chunk)
        ended = smallest(found.converged)  # the same for a whole batch of W, so that only one branch runs
        return jax.lax.map(
            lambda point: jax.lax.cond(point[0], lambda: point[1], lambda: _of_one(W, point[2])),
            (ended, found.value, chunk),
        )

    values = jax.lax.map(settle, chunks).ravel()[: len(points)]
    return jnp.zeros_like(values).at[order].set(values)


class Search(NamedTuple):
    """σ_min(zI - T) at each point, from above, and whether its search ended."""

    value: Float[Array, " points"]
    converged: Bool[Array, " points"]


class _Lanczos(NamedTuple):
    """The state of Lanczos' method at all points.

    before, vector    the last two vectors, one column for each point
    diagonal, beside  A as a tridiagonal matrix, of which `steps` rows are filled
    largest           θ
    residual          ‖r‖ / θ
    """

    before: Array
    vector: Array
    diagonal: Array
    beside: Array
    steps: Array
    largest: Array
    residual: Array


def search(T: Complex[Array, "n n"], points: Complex[Array, " points"]) -> Search:
    """Find σ_min at all points side by side, by Lanczos' method.

        A = s² M⁻¹M⁻*,   M = zI - T,   s near ‖M‖,   σ_min = s / √θ with the largest eigenvalue θ of A

    A Ritz value θ with unit vector x and residual r = Ax - θx is below the largest eigenvalue by at most ‖r‖ / |x*v|,
    where v is the true eigenvector. The search ends where ‖r‖ <= eps^0.6 θ, which is 4e-10 θ in float64 and 7e-5 θ in
    float32. To be wrong by a relative error of 1e-6 or 1e-3, such an x would have to be orthogonal to v to 2e-4 or
    0.04. That is unlikely: each of at least 8 steps has multiplied its share of v.

    θ is computed after 8, 16, 32 and 64 steps, at most n²/300. Each doubling of the steps about squares ‖r‖. The search
    is given up sooner if no more than a quarter of the points are still on their way and can be expected to arrive
    within two doublings, because singular values then cost less.
    """
    n, real = len(T), jnp.finfo(T.dtype).dtype
    apply, scale = inverse(T, points)
    sizes = [size for size in (8, 16, 32, 64) if size <= max(8, n * n // 300)]
    tolerance = float(jnp.finfo(real).eps) ** 0.6

    def unfinished(at: _Lanczos) -> Array:
        # a comparison with NaN is false, so that points that have overflowed are not waited for
        near = (at.residual > tolerance) & (at.residual <= tolerance**0.25)
        few = smallest(jnp.mean(near, dtype=real) <= 0.25)
        return (at.steps == 0) | ((at.steps < sizes[-1]) & ~few)

    def improve(at: _Lanczos) -> _Lanczos:
        ends = jnp.array(sizes, at.steps.dtype)
        stage = jnp.searchsorted(ends, at.steps, side="right")
        at = jax.lax.fori_loop(at.steps, ends[stage], lambda _, at: _step(apply, at), at)
        largest, residual = jax.lax.switch(stage, [_ritz(size) for size in sizes], at)
        return at._replace(largest=largest, residual=residual)

    x, unknown = jnp.outer(start_vector(n, T.dtype), jnp.ones_like(points)), jnp.full(len(points), jnp.inf, real)
    nothing = jnp.zeros((sizes[-1], len(points)), real)
    start = _Lanczos(jnp.zeros_like(x), x, nothing, nothing, jnp.int32(0), unknown, unknown)
    found = jax.lax.while_loop(unfinished, improve, entry.varying_like(start, (T, points)))
    return Search(scale / jnp.sqrt(found.largest), found.residual <= tolerance)


def start_vector(n: int, dtype: jnp.dtype) -> Complex[Array, " {n}"]:
    """Return a fixed unit vector with entries of one size and phases j², a pattern that T is unlikely to have."""
    phase = (jnp.arange(n, dtype=jnp.finfo(dtype).dtype) + 1) ** 2
    return jax.lax.complex(jnp.cos(phase), jnp.sin(phase)) / n**0.5


def _step(apply: Callable[[Array], Array], at: _Lanczos) -> _Lanczos:
    k, dtype = at.steps, at.vector.dtype
    image = apply(at.vector)
    along = jnp.sum((at.vector.conj() * image).real, axis=0)
    last = at.beside[jnp.maximum(k - 1, 0)]  # zero in the first step, as `before` is
    rest = image - along.astype(dtype)[None] * at.vector - last.astype(dtype)[None] * at.before
    length = jnp.sqrt(jnp.sum(rest.real**2 + rest.imag**2, axis=0))
    # length 0: an invariant subspace is complete. Zeros follow, which cannot be the largest, as A has no θ below zero
    vector = rest / jnp.where(length == 0, 1, length).astype(dtype)[None]
    diagonal, beside = at.diagonal.at[k].set(along), at.beside.at[k].set(length)
    return at._replace(before=at.vector, vector=vector, diagonal=diagonal, beside=beside, steps=k + 1)


def _ritz(size: int) -> Callable[[_Lanczos], tuple[Array, Array]]:
    """Return the function that computes θ from the first `size` rows, and ‖r‖ / θ, which is NaN after an overflow."""

    def ritz(at: _Lanczos) -> tuple[Array, Array]:
        diagonal, beside = at.diagonal[:size].T, at.beside[: size - 1].T
        A = jax.vmap(lambda middle, side: jnp.diag(middle) + jnp.diag(side, 1) + jnp.diag(side, -1))(diagonal, beside)
        # LAPACK is slowest on matrices with NaN
        finite = jnp.all(jnp.isfinite(A), axis=(1, 2))
        values, vectors = jnp.linalg.eigh(jnp.where(finite[:, None, None], A, 0), symmetrize_input=False)
        residual = at.beside[size - 1] * jnp.abs(vectors[:, -1, -1]) / values[:, -1]
        return values[:, -1], jnp.where(finite, residual, jnp.nan)

    return ritz


def inverse(
    T: Complex[Array, "n n"], points: Complex[Array, " points"]
) -> tuple[Callable[[Array], Array], Float[Array, " points"]]:
    """Return the map B ↦ s²M⁻¹M⁻*B with one column for each point, and the scale s of M = zI - T."""
    scale = jnp.abs(points) + jnp.max(jnp.abs(T))
    factor = scale.astype(T.dtype)[None]
    pivots = points[None] - jnp.diagonal(T)[:, None]
    # move a point that is an eigenvalue by no more than the rounding of T, to avoid a division by zero
    least = float(jnp.finfo(T.dtype).eps) * factor
    pivots = jnp.where(jnp.abs(pivots) < least.real, least, pivots)
    above = -jnp.triu(T, 1)
    # M* is lower triangular, so it is upper triangular in the reverse order
    below, reverse_pivots = above.conj().T[::-1, ::-1], pivots.conj()[::-1]

    def apply(B: Array) -> Array:
        half = solve(below, reverse_pivots, (B * factor)[::-1])[::-1]
        return solve(above, pivots, half * factor)

    return apply, scale


def solve(
    above: Complex[Array, "n n"], pivots: Complex[Array, "n points"], B: Complex[Array, "n points"]
) -> Complex[Array, "n points"]:
    """Solve (above + diag(pivots of a point)) x = b at every point, with `above` strictly upper triangular.

    The triangle is halved again and again, so that nearly all of its n²/2 multiplications for each point are matrix
    products.
    """
    n = len(B)
    if n > ROWS:
        half = n // 2
        lower = solve(above[half:, half:], pivots[half:], B[half:])
        upper = solve(above[:half, :half], pivots[:half], B[:half] - above[:half, half:] @ lower)
        return jnp.concatenate([upper, lower])

    def row(k: Int[Array, ""], X: Array) -> Array:
        j = n - 1 - k
        return X.at[j].set((X[j] - above[j] @ X) / pivots[j])

    return jax.lax.fori_loop(0, n, row, B)
