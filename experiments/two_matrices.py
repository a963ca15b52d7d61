"""Two matrices with the same eigenvalues: Q R Qᵀ, which is normal, and Q (R + sN) Qᵀ, which is not.

N lies strictly above the blocks of R.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray

import rnn_dynamics as rd

NAMES = ("normal", "non-normal")


class Matrix(NamedTuple):
    """The measurements of one W; logarithms are natural."""

    W: np.ndarray
    eigenvalues: np.ndarray
    norm: np.ndarray
    departure: np.ndarray
    condition: np.ndarray
    kreiss: np.ndarray
    log_powers: np.ndarray
    log_linear: np.ndarray  # the gradient's norm in a linear net
    log_tanh: np.ndarray  # the same in a tanh net, for each noise
    smallest: np.ndarray  # σ_min(zI - W) over the grid


# dimensions of the fields that are arrays
DIMS: dict[str, tuple[str, ...]] = {
    "W": ("row", "column"),
    "eigenvalues": ("index",),
    "log_powers": ("power",),
    "log_linear": ("lag",),
    "log_tanh": ("noise", "lag"),
    "smallest": ("y", "x"),
}


def parts(n: int, radius: float, seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return R, N and Q. The moduli of R's eigenvalues are spread over the disk, and the largest equals `radius`."""
    moduli_key, angles_key, upper_key, basis_key = jax.random.split(jax.random.key(seed), 4)
    moduli = radius * jnp.sqrt(jax.random.uniform(moduli_key, (n // 2,))).at[0].set(1)
    angles = jax.random.uniform(angles_key, (n // 2,), maxval=jnp.pi)
    even = 2 * jnp.arange(n // 2)
    real, imaginary = moduli * jnp.cos(angles), moduli * jnp.sin(angles)
    R = jnp.zeros((n, n)).at[even, even].set(real).at[even + 1, even + 1].set(real)
    R = R.at[even, even + 1].set(-imaginary).at[even + 1, even].set(imaginary)
    N = jnp.triu(jax.random.normal(upper_key, (n, n)), 1).at[even, even + 1].set(0) / np.sqrt(n)
    return R, N, jnp.linalg.qr(jax.random.normal(basis_key, (n, n)))[0]


def eigenvalues_of(R: jax.Array) -> np.ndarray:
    """Return the eigenvalues of R, read from its blocks without rounding.

    A solver's eigenvalues of a non-normal W have κ times the error, κ being the condition of its eigenvectors.
    """
    upper = np.diag(np.asarray(R))[::2] + 1j * np.diag(np.asarray(R), -1)[::2]
    return np.concatenate([upper, upper.conj()])


def grid(extent: float, points: int) -> np.ndarray:
    """Return a square grid of points in the complex plane, centred on 0."""
    line = np.linspace(-extent, extent, points)
    return line[None, :] + 1j * line[:, None]


def measured(
    W: jax.Array, eigenvalues: np.ndarray, z: np.ndarray, noise: jax.Array, sizes: tuple[float, ...], lags: int
) -> Matrix:
    """Measure one W: its powers, its pseudospectrum, and the gradients in a linear net and in tanh nets."""
    n = len(W)
    params = rd.cells.Affine(W=W, U=jnp.eye(n))
    rest = jnp.zeros(n)

    def flow(noise: jax.Array) -> jax.Array:
        return rd.gradient_flow(rd.cells.elman.step, params, rest, noise, lags=lags).log_norm

    linear = rd.gradient_flow(rd.cells.linear.step, params, rest, None, length=lags)
    return Matrix(
        W=np.asarray(W),
        eigenvalues=eigenvalues,
        norm=np.asarray(rd.eigen.spectral_norm(W)),
        departure=np.asarray(rd.eigen.departure_from_normality(W)),
        condition=np.asarray(rd.eigen.eigenvector_condition(W)),
        kreiss=np.asarray(rd.eigen.kreiss_constant(W)),
        log_powers=np.asarray(rd.eigen.log_power_norms(W, lags)),
        log_linear=np.asarray(linear.log_norm),
        log_tanh=np.stack([flow(size * noise) for size in sizes]),
        smallest=np.asarray(rd.eigen.pseudospectrum(W, jnp.asarray(z))),
    )


def matrices_of(dataset: xarray.Dataset) -> list[Matrix]:
    """Return both matrices, the normal one first."""
    return [Matrix(*(dataset[name].sel(matrix=which).values for name in Matrix._fields)) for which in NAMES]
