"""Matrices of the same eigenvalues: Q R Qᵀ is normal, Q (R + sN) Qᵀ with N strictly above the blocks of R is not."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray

import rnn_dynamics as rd

NAMES = ("normal", "non-normal")


class Matrix(NamedTuple):
    """What is known of one W; logarithms are natural."""

    W: np.ndarray
    eigenvalues: np.ndarray
    norm: np.ndarray
    departure: np.ndarray
    condition: np.ndarray
    kreiss: np.ndarray
    log_powers: np.ndarray
    log_linear: np.ndarray  # the gradient's norm in a linear net
    log_tanh: np.ndarray  # in a tanh net, for each noise
    smallest: np.ndarray  # σ_min(zI - W) over the grid


# of the fields that are no plain numbers
DIMS: dict[str, tuple[str, ...]] = {
    "W": ("row", "column"),
    "eigenvalues": ("index",),
    "log_powers": ("power",),
    "log_linear": ("lag",),
    "log_tanh": ("noise", "lag"),
    "smallest": ("y", "x"),
}


def parts(n: int, radius: float, seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """R, N and Q; the moduli are spread over the disk, and the largest is the radius asked for."""
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
    """Those of its blocks, without rounding: what a solver finds for a non-normal W is κ times less sure."""
    upper = np.diag(np.asarray(R))[::2] + 1j * np.diag(np.asarray(R), -1)[::2]
    return np.concatenate([upper, upper.conj()])


def grid(extent: float, points: int) -> np.ndarray:
    """Points of the complex plane about 0."""
    line = np.linspace(-extent, extent, points)
    return line[None, :] + 1j * line[:, None]


def measured(
    W: jax.Array, eigenvalues: np.ndarray, z: np.ndarray, noise: jax.Array, sizes: tuple[float, ...], lags: int
) -> Matrix:
    """All that is known of one W: its powers, its pseudospectrum, its gradients in a linear and in tanh nets."""
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
    """Normal first."""
    return [Matrix(*(dataset[name].sel(matrix=which).values for name in Matrix._fields)) for which in NAMES]
