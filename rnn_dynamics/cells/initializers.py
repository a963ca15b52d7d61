"""Initial recurrent matrices, each at gain 1, and initial gate biases.

An initializer is a function `(key, n, dtype) -> (n, n)`. A cell multiplies what it returns by `gain`. That gain g is
the scale of W: its entries have standard deviation g/√n for `gaussian`, its singular values are g for `orthogonal`, and
its spectral radius is g for `make_normalised` and `make_nonnormal`. All of them work for n = 1.
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
    "time_scales",
    "uniform",
]

Initializer = Callable[[PRNGKeyArray, int, Any], Array]


def gaussian(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Draw a matrix with independent Gaussian entries.

        W_ij ~ N(0, 1/n)

    The eigenvalues fill the unit disc evenly as n grows (Girko's circular law).

    Args:
        key: A JAX random key.
        n: The number of units.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        W, shape (n, n).

    Example:
        >>> rd.cells.initializers.gaussian(key, 3).shape
        (3, 3)
    """
    return jax.random.normal(key, (n, n), argument.floating(dtype)) / math.sqrt(n)


def uniform(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Draw a matrix with independent uniform entries, the usual default of layer libraries.

        W_ij ~ U(-1/√n, 1/√n)

    The spectral radius is near 1/√3.

    Args:
        key: A JAX random key.
        n: The number of units.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        W, shape (n, n).

    Example:
        >>> bool(jnp.abs(rd.cells.initializers.uniform(key, 4)).max() <= 0.5)
        True
    """
    bound = 1 / math.sqrt(n)
    return jax.random.uniform(key, (n, n), argument.floating(dtype), -bound, bound)


def orthogonal(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Draw an orthogonal matrix from the Haar distribution; all its singular values are 1.

        WᵀW = I

    Args:
        key: A JAX random key.
        n: The number of units.
        dtype: float32 or float64. Default: JAX's default.

    Returns:
        W, shape (n, n).

    Cost:
        O(n³) time.

    Example:
        >>> W = rd.cells.initializers.orthogonal(key, 4)
        >>> bool(jnp.allclose(W.T @ W, jnp.eye(4), atol=1e-5))
        True
    """
    return jax.random.orthogonal(key, n, dtype=argument.floating(dtype, narrow=False))


def identity(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
    """Return the identity matrix, the start of an IRNN.

    Args:
        key: Not used; every initializer takes it.
        n: The number of units.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        I, shape (n, n).

    Example:
        >>> rd.cells.initializers.identity(key, 2)
        Array([[1., 0.],
               [0., 1.]], dtype=float32)

    References:
        Le, Jaitly & Hinton (2015), for the IRNN.
    """
    return jnp.eye(n, dtype=argument.floating(dtype))


@memoised
def make_normalised(base: Initializer = gaussian) -> Initializer:
    """Make an initializer that divides each draw of `base` by its own spectral radius.

        W = W_base / ρ(W_base)

    `gain` is then exactly the spectral radius of the recurrent matrix. This needs a nonsymmetric eigensolver, which JAX
    has on CPU and GPU.

    Args:
        base: The initializer to draw from. Default: `gaussian`.

    Returns:
        An initializer `(key, n, dtype) -> (n, n)`. A draw with spectral radius 0 cannot be normalised: it raises a
        ValueError, or gives NaN where the draw is traced.

    Cost:
        O(n³) time per draw.

    Example:
        >>> W = rd.cells.initializers.make_normalised()(key, 4)
        >>> round(float(jnp.abs(jnp.linalg.eigvals(W)).max()), 3)
        1.0
    """

    def normalised(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        W = base(key, n, dtype)
        radius = jnp.abs(jnp.linalg.eigvals(W)).max()
        if not isinstance(radius, jax.core.Tracer) and radius == 0:
            raise ValueError("recurrent: drew a matrix with spectral radius 0, which no gain can scale to 1")
        return W / radius

    return normalised


@memoised
def make_block(blocks: int, base: Initializer = gaussian) -> Initializer:
    """Make an initializer of block-diagonal matrices.

        W = diag(W_1, …, W_m),    each W_i an independent draw of `base` with n/m units

    Args:
        blocks: m, the number of blocks, at least 1. It must divide n.
        base: The initializer of one block. Default: `gaussian`.

    Returns:
        An initializer `(key, n, dtype) -> (n, n)`.

    Example:
        >>> W = rd.cells.initializers.make_block(2)(key, 4)
        >>> W[:2, 2:]
        Array([[0., 0.],
               [0., 0.]], dtype=float32)
    """
    argument.size("blocks", blocks, 1)

    def block(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        if n % blocks:
            raise ValueError(f"hidden: got {n}, expected a multiple of blocks = {blocks}")
        draws = jax.vmap(lambda k: base(k, n // blocks, dtype))(jax.random.split(key, blocks))
        return jax.scipy.linalg.block_diag(*draws)

    return block


@memoised
def make_hollow(base: Initializer = gaussian) -> Initializer:
    """Make an initializer that sets the diagonal of each draw of `base` to zero, so that no unit feeds itself.

    Args:
        base: The initializer to draw from. Default: `gaussian`.

    Returns:
        An initializer `(key, n, dtype) -> (n, n)`.

    Example:
        >>> jnp.diag(rd.cells.initializers.make_hollow()(key, 3))
        Array([0., 0., 0.], dtype=float32)
    """

    def hollow(key: PRNGKeyArray, n: int, dtype: Any = None) -> Float[Array, "{n} {n}"]:
        W = base(key, n, dtype)
        return W - jnp.diag(jnp.diag(W))

    return hollow


@memoised
def make_nonnormal(strength: float) -> Initializer:
    """Make an initializer of nonnormal matrices whose eigenvalues lie on the unit circle at any strength.

        W = Q (R + s N) Qᵀ

    R is block diagonal: plane rotations by uniform angles, and a last 1 for odd n. N has N(0, 1/n) entries strictly
    above these blocks. Q is orthogonal. This is a real Schur form, so W has the eigenvalues of R, and Henrici's
    departure from normality is exactly s ‖N‖_F. The strength thus sets the transient growth of the powers of W without
    changing its spectrum. For n <= 2 there is one block with nothing above it, and W is a rotation.

    Args:
        strength: s, a finite number. At 0, W is normal.

    Returns:
        An initializer `(key, n, dtype) -> (n, n)`; float32 or float64.

    Cost:
        O(n³) time per draw.

    Example:
        >>> W = rd.cells.initializers.make_nonnormal(0.5)(key, 4)
        >>> jnp.abs(jnp.linalg.eigvals(W)).round(3)
        Array([1., 1., 1., 1.], dtype=float32)
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
    """Return the block-diagonal matrix of plane rotations, with a last 1 where n is odd.

        [[cos α, -sin α], [sin α, cos α]] for each angle α

    Args:
        angles: n // 2 angles in radians.
        n: The number of rows and columns.

    Returns:
        An orthogonal matrix, shape (n, n), in the dtype of `angles`.

    Example:
        >>> rd.cells.initializers.rotations(jnp.array([jnp.pi / 2]), 3).round(3) + 0.0
        Array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  1.]], dtype=float32)
    """
    even = 2 * jnp.arange(n // 2)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    R = jnp.eye(n, dtype=angles.dtype)
    R = R.at[even, even].set(cos).at[even + 1, even + 1].set(cos)
    return R.at[even, even + 1].set(-sin).at[even + 1, even].set(sin)


def chrono(key: PRNGKeyArray, n: int, *, longest: float, dtype: Any = None) -> Float[Array, " {n}"]:
    """Draw gate biases that give the units time constants up to `longest` steps.

        b_i ~ ln U(1, longest - 1)

    Pass them as `forget_bias=b, input_bias=-b` to an LSTM, as `update_bias=b` to a GRU whose update gate keeps, and as
    `forget_bias=b` to JANET.

    Args:
        key: A JAX random key.
        n: The number of units, at least 1.
        longest: The longest time constant in steps, above 2.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        b, shape (n,).

    Example:
        >>> b = rd.cells.initializers.chrono(key, 5, longest=100.0)
        >>> params = rd.cells.lstm.init(key, inputs=1, hidden=5, forget_bias=b, input_bias=-b)

    References:
        Tallec & Ollivier (2018).
    """
    longest, n = argument.number("longest", longest, above=2.0), argument.size("n", n, 1)
    return jnp.log(jax.random.uniform(argument.key(key), (n,), argument.floating(dtype), 1.0, longest - 1.0))


def time_scales(key: PRNGKeyArray, n: int, *, longest: float, dtype: Any = None) -> Float[Array, " {n}"]:
    """Draw gate biases whose time constants cover all scales up to `longest` steps.

        b_i ~ U(0, ln(longest - 1))

    For each factor of time there are as many units, and so fast ones too, of which `chrono` leaves few. Pass them as
    `forget_bias=b, input_bias=-b` to an LSTM, as `update_bias=b` to a GRU whose update gate keeps, and as
    `forget_bias=b` to JANET. `experiments/rescue.py` trains nets from such biases.

    Args:
        key: A JAX random key.
        n: The number of units, at least 1.
        longest: The longest time constant in steps, above 2.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        b, shape (n,).

    Example:
        >>> b = rd.cells.initializers.time_scales(key, 5, longest=100.0)
        >>> params = rd.cells.gru.init(key, inputs=1, hidden=5, update_bias=b)
    """
    longest, n = argument.number("longest", longest, above=2.0), argument.size("n", n, 1)
    most = math.log(longest - 1.0)
    return jax.random.uniform(argument.key(key), (n,), argument.floating(dtype), 0.0, most)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
