"""Products of random matrices: closed forms in long arithmetic, and what the spectra of drawn products give."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics import theory


def given_matrix(params, h, x):
    """h' = x h: the Jacobians are the inputs."""
    return x @ h


@pytest.mark.parametrize("size", [1, 2, 5, 200])
def test_gaussian_products_in_long_arithmetic(size):
    expected = [(mpmath.log(2) + mpmath.digamma(mpmath.mpf(size - i) / 2)) / 2 for i in range(size)]
    np.testing.assert_allclose(theory.gaussian_product_exponents(size), np.array(expected, float), atol=1e-13)
    scaled = theory.gaussian_product_exponents(size, scale=0.3)
    np.testing.assert_allclose(scaled, np.array(expected, float) + np.log(0.3), atol=1e-13)
    expected = [mpmath.sqrt(mpmath.psi(1, mpmath.mpf(size - i) / 2) / 4 / 50) for i in range(size)]
    np.testing.assert_allclose(theory.gaussian_product_stderr(size, 50), np.array(expected, float), rtol=1e-12)


def test_one_number_and_many():
    """E ln|z| = -(γ + ln 2)/2; in a wide net with g = 1 the mean exponent is that of the circular law, -½."""
    expected = -(np.euler_gamma + np.log(2)) / 2
    np.testing.assert_allclose(theory.gaussian_product_exponents(1), [expected], rtol=1e-13)
    n = 100_000
    wide = theory.gaussian_product_exponents(n, scale=n**-0.5)
    np.testing.assert_allclose(wide[0], 0, atol=1e-5)
    np.testing.assert_allclose(wide.mean(), theory.mean_exponent(1.0), atol=1e-4)
    assert (jnp.diff(wide) < 0).all()


def test_spectra_of_drawn_products():
    """Within the exact standard error, which is also what the measurement should say of itself."""
    d, T, scale = 4, 6000, 0.2
    xs = scale * jax.random.normal(jax.random.key(4), (T, d, d))
    found = rd.lyapunov_spectrum(given_matrix, None, jnp.zeros(d), xs)
    stderr = theory.gaussian_product_stderr(d, T)
    scores = (found.exponents - theory.gaussian_product_exponents(d, scale=scale)) / stderr
    assert np.abs(scores).max() < 3.5
    ratio = found.stderr / stderr
    assert ((ratio > 0.6) & (ratio < 1.8)).all()


def test_random_orthogonal_products():
    xs = jax.vmap(lambda key: 0.9 * rd.cells.initializers.orthogonal(key, 4))(jax.random.split(jax.random.key(5), 80))
    found = rd.lyapunov_spectrum(given_matrix, None, jnp.zeros(4), xs)
    np.testing.assert_allclose(found.exponents, theory.orthogonal_product_exponents(4, scale=0.9), atol=1e-13)


def test_either_precision_and_traced(dtype):
    scales = jnp.array([0.5, 2.0], dtype)
    found = jax.jit(jax.vmap(lambda s: theory.gaussian_product_exponents(3, scale=s)))(scales)
    assert found.dtype == dtype
    expected = theory.gaussian_product_exponents(3)
    np.testing.assert_allclose(found, expected[None] + np.log(scales)[:, None], rtol=1e-5)
    assert theory.orthogonal_product_exponents(2, scale=scales[0]).dtype == dtype
    assert theory.gaussian_product_exponents(3).dtype == dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.gaussian_product_exponents(0), "size: got 0, expected a whole number of at least 1"),
        (lambda: theory.gaussian_product_exponents(2, scale=-1.0), "scale: got -1.0, expected finite values in"),
        (lambda: theory.gaussian_product_stderr(2, 0), "length: got 0"),
        (lambda: theory.orthogonal_product_exponents(2, scale=jnp.inf), "scale: got inf"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
