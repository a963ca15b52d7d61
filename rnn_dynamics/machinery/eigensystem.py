"""Eigenvalues and eigenvectors of a nonsymmetric matrix, on every device.

    A V = V Λ,   A = Q T Q*,   T upper triangular with Λ on its diagonal

    platform     way
    cpu          LAPACK's geev
    cuda, rocm   what `jax.lax.linalg.eig` finds there: geev of the GPU's own library, of MAGMA, or LAPACK on the host
    others, tpu  the QR iteration in this file, which is made of JAX's operations

The ways agree to rounding, eps ‖A‖ times the condition number of the eigenvalue. `WAYS` and `way` name them.

**The QR iteration** subtracts a shift near an eigenvalue, factors and multiplies in the other order:

    A - μI = Q R,   A ← R Q + μI

The last row converges to (0, ..., 0, λ), quadratically in general. It is then left alone and the rows above go on.
LAPACK first makes A a Hessenberg matrix, whose steps cost O(n²) and not O(n³), but are n small rotations one after the
other, which is what accelerators do worst. Here a step is one QR decomposition and two products.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from .scaled import exponent_of, power_of_two
from .shard_map_axes import varying_like

# how the eigenvalues are found on each platform; the empty name stands for all others
WAYS = {"cpu": "LAPACK", "cuda": "jax.lax.linalg.eig", "rocm": "jax.lax.linalg.eig", "": "QR iteration in JAX"}
# steps of the iteration allowed for each eigenvalue, on average, and after how many the shift is moved off a cycle
MOST_STEPS, PATIENCE = 30, 10

# accelerators would round the factors to fewer bits
times = partial(jnp.matmul, precision="highest")


def way(platform: str) -> str:
    """Return how eigenvalues are found on this platform, in words."""
    return WAYS.get(platform, WAYS[""])


@jax.custom_jvp
@jax.jit
def eigenvalues(A: Float[Array, "n n"]) -> Complex[Array, " n"]:
    """Compute all eigenvalues, in no particular order; NaN where A is not finite. Derivatives are first ones only."""
    own = {platform: jnp.linalg.eigvals for platform in WAYS if platform}
    return jax.lax.platform_dependent(A, default=lambda A: by_qr_iteration(A)[0], **own)


@eigenvalues.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (A,), (change,) = primals, tangents
    values, V = eigensystem(A)
    return values, jnp.sum(jnp.linalg.solve(V, change.astype(V.dtype)) * V.T, axis=1)


@jax.jit
def eigensystem(A: Float[Array, "n n"]) -> tuple[Complex[Array, " n"], Complex[Array, "n n"]]:
    """Compute all eigenvalues, and the eigenvectors of length 1 as columns. It has no derivatives."""
    own = {platform: lambda A: tuple(jnp.linalg.eig(A)) for platform in WAYS if platform}
    return jax.lax.platform_dependent(A, default=by_qr_iteration, **own)


def by_qr_iteration(A: Float[Array, "n n"]) -> tuple[Complex[Array, " n"], Complex[Array, "n n"]]:
    """Compute eigenvalues and eigenvectors from the Schur form: O(n⁴) operations in O(n) decompositions."""
    exponent = exponent_of(jnp.max(jnp.abs(A)))  # squares of large and tiny entries would leave the float type
    found = schur(A * power_of_two(-exponent, A.dtype))
    values = jnp.diagonal(found.T) * power_of_two(exponent, A.dtype).astype(found.T.dtype)
    V = times(found.Q, _of_triangle(found.T))
    V = V / jnp.linalg.norm(V, axis=0, keepdims=True).astype(V.dtype)
    ended = found.last <= 0
    return jnp.where(ended, values, jnp.nan), jnp.where(ended, V, jnp.nan)


class Schur(NamedTuple):
    """A Schur form A = Q T Q*, or its iteration on the way: rows after `last` are finished."""

    T: Complex[Array, "n n"]
    Q: Complex[Array, "n n"]
    last: Int[Array, ""]
    steps: Int[Array, ""]


def schur(A: Float[Array, "n n"]) -> Schur:
    """Compute the Schur form by QR steps with shifts. If the iteration did not end, `last` of the result is above 0."""
    n, size, row = len(A), jnp.linalg.norm(A), jnp.arange(len(A), dtype=jnp.int32)
    small = float(jnp.finfo(A.dtype).eps) * size
    A = jax.lax.complex(A, jnp.zeros_like(A))
    identity = jnp.eye(n, dtype=A.dtype)

    def unfinished(at: Schur) -> Array:
        return (at.last > 0) & (at.steps < MOST_STEPS * n) & jnp.isfinite(size)

    def improve(at: Schur) -> Schur:
        shift = _shift(at.T, at.last)
        stuck = (at.steps % PATIENCE == PATIENCE - 1).astype(size.dtype) * size
        moved = shift + jax.lax.complex(stuck * 0.3, stuck * 0.2)
        Q, R = jnp.linalg.qr(at.T - moved * identity)
        T = times(R, Q) + moved * identity
        left = row[None] < row[:, None]
        rest = jnp.where(row < at.last, T[at.last], 0)
        done = jnp.linalg.norm(rest) <= small
        last = at.last - done.astype(at.last.dtype)
        # rounding fills the finished rows again
        return Schur(jnp.where(left & (row[:, None] > last), 0, T), times(at.Q, Q), last, at.steps + 1)

    start = Schur(A, identity, jnp.int32(n - 1), jnp.int32(0))
    return jax.lax.while_loop(unfinished, improve, varying_like(start, A))


def _shift(T: Complex[Array, "n n"], last: Int[Array, ""]) -> Complex[Array, ""]:
    """Return the eigenvalue of the last two unfinished rows and columns that is nearer to the last entry."""
    block = jax.lax.dynamic_slice(T, (last - 1, last - 1), (2, 2)) if len(T) > 1 else jnp.zeros((2, 2), T.dtype)
    half = (block[0, 0] - block[1, 1]) / 2
    root = jnp.sqrt(half**2 + block[0, 1] * block[1, 0])
    root = jnp.where(jnp.abs(half + root) < jnp.abs(half - root), root, -root)
    return block[1, 1] + half + root


def _of_triangle(T: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    """Compute the eigenvectors of an upper triangular T as columns: T X = X Λ, from the last row of X upwards."""
    n, values = len(T), jnp.diagonal(T)
    column, above = jnp.arange(n), jnp.triu(T, 1)
    info = jnp.finfo(T.dtype)
    least = jnp.maximum(float(info.eps) * jnp.linalg.norm(T), float(info.tiny))

    def fill(k: Int[Array, ""], X: Array) -> Array:
        j = n - 1 - k
        apart = values - values[j]
        # equal eigenvalues: parallel vectors where there is one eigenvector, and unchanged zeros where there are two
        apart = jnp.where(jnp.abs(apart) < least, least.astype(T.dtype), apart)
        found = jnp.where(column > j, times(above[j], X) / apart, (column == j).astype(T.dtype))
        # a Jordan block's grow by 1/eps from row to row
        return X.at[j].set(found) / jnp.maximum(jnp.abs(found), 1).astype(T.dtype)[None]

    return jax.lax.fori_loop(0, n, fill, varying_like(jnp.zeros_like(T), T))
