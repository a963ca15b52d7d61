"""Eigenvalues and what they hide, on matrices whose answers are exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics import eigen

DOCUMENT = jnp.array([[0.58, 0.24], [0.24, 0.72]])
JORDAN = jnp.array([[1.0, 1.0], [0.0, 1.0]])
SKEW = jnp.array([[0.9, 10.0], [0.0, 0.8]])


def normal(key, n=6):
    return 0.9 * rd.cells.initializers.orthogonal(key, n)


def test_the_matrix_of_the_exercise():
    """Eigenvalues .9 and .4; W³⁰ to eight digits."""
    np.testing.assert_allclose(eigen.eigenvalues(DOCUMENT), [0.9, 0.4], atol=1e-14)
    expected = [[0.01526082, 0.02034776], [0.02034776, 0.02713034]]
    np.testing.assert_allclose(eigen.power(DOCUMENT, 30), expected, atol=5e-9)
    by_eigenvectors = eigen.eigen_power(DOCUMENT, 30)
    np.testing.assert_allclose(by_eigenvectors.value, expected, atol=5e-9)
    assert by_eigenvectors.error_bound < 1e-13


def test_radius_abscissa_and_norms():
    W = jnp.array([[0.0, 2.0], [-0.5, 0.0]])  # eigenvalues ±i
    np.testing.assert_allclose(eigen.spectral_radius(W), 1, atol=1e-14)
    np.testing.assert_allclose(eigen.spectral_abscissa(W), 0, atol=1e-14)
    np.testing.assert_allclose(eigen.spectral_norm(W), 2, atol=1e-14)
    np.testing.assert_allclose(eigen.numerical_radius(W), 1.25, rtol=1e-7)  # half axes 1.25 and .75
    np.testing.assert_allclose(eigen.departure_from_normality(W), 1.5, rtol=1e-12)


def test_numerical_radius_of_a_shift():
    """cos(π/(n + 1)) for the n × n nilpotent shift, whose eigenvalues are all 0."""
    for n in (2, 5):
        np.testing.assert_allclose(eigen.numerical_radius(jnp.eye(n, k=1)), np.cos(np.pi / (n + 1)), rtol=1e-7)


def test_normal_matrices_hide_nothing(key):
    W = normal(key)
    assert eigen.departure_from_normality(W) < 1e-7
    np.testing.assert_allclose(eigen.eigenvector_condition(W), 1, atol=1e-10)
    assert not eigen.defective(W)
    np.testing.assert_allclose(eigen.log_power_norms(W, 50), np.arange(51) * np.log(0.9), atol=1e-12)
    assert eigen.transient_growth(W) == (0, 0)
    np.testing.assert_allclose(eigen.kreiss_constant(W), 1, rtol=1e-9)
    # the distance to the spectrum
    z = np.array([[1.2 + 0.3j, -0.5j], [0.1 + 0j, 2.0 + 2j]])
    distance = np.abs(z[..., None] - np.asarray(eigen.eigenvalues(W))).min(axis=-1)
    np.testing.assert_allclose(eigen.pseudospectrum(W, jnp.asarray(z)), distance, atol=1e-12)


def test_a_jordan_block_is_called_defective_and_its_power_is_right():
    np.testing.assert_array_equal(eigen.power(JORDAN, 30), [[1, 30], [0, 1]])
    assert eigen.defective(JORDAN)
    assert eigen.defective(jnp.eye(4) + jnp.eye(4, k=1))
    assert not eigen.eigen_power(JORDAN, 30).error_bound < 1
    assert not eigen.defective(SKEW)


def test_the_error_bound_of_a_nearly_defective_power_holds():
    for gap in (1e-2, 1e-4, 1e-6):
        W = jnp.array([[1.0, 1.0], [0.0, 1.0 - gap]])
        found = eigen.eigen_power(W, 40)
        error = np.linalg.norm(found.value - np.linalg.matrix_power(np.asarray(W), 40), 2)
        assert error <= found.error_bound


def test_transient_growth_of_a_stable_non_normal_matrix():
    truth = [np.linalg.norm(np.linalg.matrix_power(np.asarray(SKEW), k), 2) for k in range(60)]
    np.testing.assert_allclose(eigen.power_norms(SKEW, 59), truth, rtol=1e-12)
    growth = eigen.transient_growth(SKEW)
    assert growth.step == np.argmax(truth)
    np.testing.assert_allclose(growth.log_peak, np.log(max(truth)), rtol=1e-12)
    kreiss = eigen.kreiss_constant(SKEW)
    assert 5 < kreiss <= max(truth) <= np.e * 2 * kreiss
    assert eigen.kreiss_constant(1.3 * SKEW) == np.inf


def test_a_nilpotent_matrix_and_huge_powers():
    logs = eigen.log_power_norms(jnp.eye(3, k=1), 5)
    np.testing.assert_array_equal(logs, [0, 0, 0, -np.inf, -np.inf, -np.inf])
    np.testing.assert_allclose(eigen.log_power_norms(1e100 * DOCUMENT, 40)[-1], 40 * np.log(0.9e100), rtol=1e-12)


def test_pseudospectrum_of_a_shift_is_far_larger_than_its_spectrum():
    shift = jnp.eye(20, k=1)
    assert eigen.pseudospectrum(shift, jnp.array([0.5 + 0j]))[0] < 1e-5


@pytest.mark.parametrize("n", [300])
def test_circular_law(n, key):
    W = 1.5 * jax.random.normal(key, (n, n)) / n**0.5
    radii = jnp.linspace(0.1, 1.5, 8)
    share = jnp.mean(jnp.abs(eigen.eigenvalues(W))[None] < radii[:, None], axis=1)
    np.testing.assert_allclose(share, eigen.circular_law(radii, 1.5), atol=0.03)


def test_eigenvalues_of_the_jacobians_along_a_trajectory(key):
    cell = rd.cells.elman
    params = cell.init(key, inputs=2, hidden=4)
    h0, xs = jnp.full(4, 0.2), jax.random.normal(key, (5, 2))
    found = eigen.jacobian_eigenvalues(cell.step, params, h0, xs)
    for values, J in zip(found, rd.step_jacobians(cell.step, params, h0, xs), strict=True):
        np.testing.assert_allclose(np.sort_complex(values), np.sort_complex(np.linalg.eigvals(J)), atol=1e-12)


def test_float32_and_a_batch(dtype):
    W = jnp.asarray(DOCUMENT, dtype)
    both = jnp.stack([W, 2 * W])
    np.testing.assert_allclose(jax.vmap(eigen.spectral_radius)(both), [0.9, 1.8], rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(eigen.numerical_radius)(both), [0.9, 1.8], rtol=1e-6)
    assert eigen.power_norms(W, 3).dtype == dtype
