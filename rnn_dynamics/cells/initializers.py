"""Initial recurrent matrices, each at gain 1, and gate biases.

An initializer is a function `(key, n, dtype) -> (n, n)`; a cell multiplies what it returns by `gain`, so that gain
means the same for all of them: g/√n for `gaussian`, the common singular value for `orthogonal`, the spectral radius
for `make_normalised` and `make_nonnormal`. Every one holds for n = 1.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from .contract import memoised

__all__ = [
    "chrono",
    "gaussian",
    "identity",
    "make_block",
    "make_hollow",
    "make_nonnormal",
    "make_normalised",
    "orthogonal",
    "rotations",
    "uniform",
]

Initializer = Callable[[PRNGKeyArray, int, Any], Array]


def gaussian(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Entries N(0, 1/n): eigenvalues fill the unit disc as n grows (Girko's circular law)."""
    return jax.random.normal(key, (n, n), argument.floating(dtype)) / math.sqrt(n)


def uniform(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Entries U(-1/√n, 1/√n), the usual default of layer libraries: spectral radius near 1/√3."""
    bound = 1 / math.sqrt(n)
    return jax.random.uniform(key, (n, n), argument.floating(dtype), -bound, bound)


def orthogonal(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """A Haar-distributed orthogonal matrix: all singular values 1."""
    return jax.random.orthogonal(key, n, dtype=argument.floating(dtype, narrow=False))


def identity(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """The identity (Le, Jaitly & Hinton 2015, IRNN); the key is not used."""
    return jnp.eye(n, dtype=argument.floating(dtype))


@memoised
def make_normalised(base: Initializer = gaussian) -> Initializer:
    """`base` divided by its own spectral radius, so that gain is the spectral radius of this very matrix.

    Needs a nonsymmetric eigensolver, which JAX has on CPU and GPU. A draw with spectral radius 0 cannot be
    normalised: an error where that can be seen, NaN where the draw is traced.
    """

    def normalised(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        W = base(key, n, dtype)
        radius = jnp.abs(jnp.linalg.eigvals(W)).max()
        if not isinstance(radius, jax.core.Tracer) and radius == 0:
            raise ValueError("recurrent: drew a matrix with spectral radius 0, which no gain can bring to 1")
        return W / radius

    return normalised


@memoised
def make_block(blocks: int, base: Initializer = gaussian) -> Initializer:
    """`blocks` independent draws of `base`, of n/blocks units each, on the diagonal and zeros elsewhere."""
    argument.size("blocks", blocks, 1)

    def block(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        if n % blocks:
            raise ValueError(f"hidden: got {n}, expected a multiple of blocks = {blocks}")
        draws = jax.vmap(lambda k: base(k, n // blocks, dtype))(jax.random.split(key, blocks))
        return jax.scipy.linalg.block_diag(*draws)

    return block


@memoised
def make_hollow(base: Initializer = gaussian) -> Initializer:
    """`base` with its diagonal set to zero: no unit feeds itself."""

    def hollow(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        W = base(key, n, dtype)
        return W - jnp.diag(jnp.diag(W))

    return hollow


@memoised
def make_nonnormal(strength: float) -> Initializer:
    """W = Q (R + strength · N) Qᵀ with every eigenvalue on the unit circle, whatever the strength.

    R is a block diagonal of plane rotations by uniform angles (a last 1 for odd n), N has N(0, 1/n) entries strictly
    above these blocks, Q is orthogonal. This is a real Schur form, so the eigenvalues are R's, and Henrici's departure
    from normality is exactly strength · ‖N‖_F: the transient growth of Wⁿ is set apart from its spectrum. For n <= 2
    there is one block, nothing stands above it, and W is a rotation.
    """
    strength = argument.number("strength", strength)

    def nonnormal(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        key_angles, key_N, key_Q = jax.random.split(key, 3)
        block_of = jnp.arange(n) // 2
        above = block_of[:, None] < block_of[None, :]
        R = rotations(jax.random.uniform(key_angles, (n // 2,), argument.floating(dtype), -math.pi, math.pi), n)
        N = jnp.where(above, gaussian(key_N, n, dtype), 0)
        Q = orthogonal(key_Q, n, dtype)
        return Q @ (R + strength * N) @ Q.T

    return nonnormal


def rotations(angles: Float[Array, " planes"], n: int) -> Float[Array, "{n} {n}"]:
    """The block diagonal of n // 2 plane rotations by `angles`, with a last 1 where n is odd."""
    even = 2 * jnp.arange(n // 2)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    R = jnp.eye(n, dtype=angles.dtype)
    R = R.at[even, even].set(cos).at[even + 1, even + 1].set(cos)
    return R.at[even, even + 1].set(-sin).at[even + 1, even].set(sin)


def chrono(key: PRNGKeyArray, n: int, *, longest: float, dtype: Any = None) -> Float[Array, " {n}"]:
    """Gate biases ln U(1, longest - 1): time constants up to `longest` steps (Tallec & Ollivier 2018).

    For an LSTM `forget_bias=b, input_bias=-b`; for a GRU whose gate keeps, `update_bias=b`; for JANET `forget_bias=b`.
    """
    longest, n = argument.number("longest", longest, above=2.0), argument.size("n", n, 1)
    return jnp.log(jax.random.uniform(argument.key(key), (n,), argument.floating(dtype), 1.0, longest - 1.0))
