"""Singular values by a kernel that cannot deadlock, on every path that a CPU program may take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.machinery.svd import norm_of_matrix, singular_values

A = jax.random.normal(jax.random.key(0), (3, 9, 9))
USES = {
    "values": singular_values,
    "gradient": jax.grad(norm_of_matrix),
    "spectral_norm": rd.eigen.spectral_norm,
    "power_norms": lambda W: rd.eigen.power_norms(W, 5),
    "eigen_power": lambda W: rd.eigen.eigen_power(W, 5),
    "defective": rd.eigen.defective,
    "eigenvector_condition": rd.eigen.eigenvector_condition,
    "kreiss_constant": rd.eigen.kreiss_constant,
    "pseudospectrum": lambda W: rd.eigen.pseudospectrum(W, jnp.asarray([1j])),
    "gradient_flow": lambda W: rd.gradient_flow(lambda p, h, x: p @ h, W, jnp.ones(9), None, length=3).log_norm,
    "gradient_flow of few": lambda W: (
        rd.gradient_flow(lambda p, h, x: p[:4, :4] @ h, W, jnp.ones(4), None, length=3).log_norm
    ),
}


def test_values_and_derivatives():
    np.testing.assert_allclose(jax.vmap(singular_values)(A), np.linalg.svd(A, compute_uv=False), rtol=1e-12)
    u, _, vt = np.linalg.svd(A[0])
    np.testing.assert_allclose(jax.grad(norm_of_matrix)(A[0]), np.outer(u[:, 0], vt[0]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", USES)
def test_no_measurement_calls_the_kernel_that_waits_for_itself(name):
    text = jax.jit(jax.vmap(USES[name])).lower(A).as_text()
    assert "gesdd" not in text
