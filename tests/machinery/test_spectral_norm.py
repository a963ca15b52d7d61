"""The search for σ_max against singular value decompositions, where it is easy and where it is hard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery.spectral_norm import (
    dense_spectral_norm,
    guessed_spectral_norm,
    random_vectors,
    spectral_norm,
)

RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.normal(size=(60, 60)))[0]
N = RNG.normal(size=(60, 60))
MATRICES = {
    "random": N,
    "wide": N[:7],
    "tall": N[:, :3],
    "one number": np.array([[-3.0]]),
    "all singular values equal": Q,
    "all singular values nearly equal": Q + 1e-3 * N,
    "pairs of equal ones": np.eye(60) + 0.01 * (N - N.T),
    "two largest nearly equal": Q @ np.diag(np.r_[1.0, 1 - 1e-6, RNG.uniform(0, 0.9, 58)]) @ N / 8,
    "rank one": np.outer(N[0], N[1]),
    "diagonal": np.diag(np.arange(1.0, 61)),
    "a shift": np.eye(9, k=1),
    "equal ones and zeros": np.diag(np.r_[np.ones(8), 0]),
    "half ones, half zeros": np.diag(np.r_[np.ones(32), np.zeros(32)]),
    "tiny": 1e-30 * N,
    "huge": 1e30 * N,
}


def search(A, guess=None):
    A = jnp.asarray(A)
    guess = random_vectors(A.shape[0], A.dtype)[0] if guess is None else jnp.asarray(guess, A.dtype)
    return spectral_norm(lambda v: A @ v, lambda u: u @ A, guess)


def search_with_total(A, guess=None):
    """As `gradient_flow` calls it, which knows the Frobenius norm."""
    A = jnp.asarray(A)
    guess = random_vectors(A.shape[0], A.dtype)[0] if guess is None else jnp.asarray(guess, A.dtype)
    scale = 1 / jnp.max(jnp.abs(A))
    return spectral_norm(lambda v: A @ v, lambda u: u @ A, guess, scale=scale, total=jnp.sum((A * scale) ** 2))


def by_guess(A, guess=None):
    A = jnp.asarray(A)
    guess = random_vectors(A.shape[0], A.dtype)[0] if guess is None else jnp.asarray(guess, A.dtype)
    scale = 1 / jnp.max(jnp.abs(A))
    return guessed_spectral_norm(A, guess, scale, jnp.sum((A * scale) ** 2))


def squarings(A):
    return dense_spectral_norm(jnp.asarray(A))


@pytest.mark.parametrize("find", [search, search_with_total, by_guess, squarings])
@pytest.mark.parametrize("name", MATRICES)
def test_equals_svd(name, find):
    A = MATRICES[name]
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 3e-6)):
        found = jax.jit(find)(A.astype(dtype))
        assert found.converged
        np.testing.assert_allclose(found.value, np.linalg.norm(A, 2), rtol=tolerance)


def test_many_random_matrices_none_rests_on_its_second_singular_value():
    many = np.random.default_rng(5).normal(size=(1000, 40, 40)).astype(np.float32)
    found = jax.vmap(search)(many)
    assert found.converged.all()
    np.testing.assert_allclose(found.value, np.linalg.norm(many.astype(float), 2, axis=(1, 2)), rtol=1e-5)


def test_zero_and_nan():
    assert search(np.zeros((9, 9))).value == 0
    broken = search(np.where(np.eye(9) > 0, np.nan, 1.0))
    assert jnp.isnan(broken.value)
    assert not broken.converged


def test_a_guess_that_is_the_second_singular_vector_is_left():
    A = jnp.diag(jnp.array([1.0, 2.0, 1.9999, *[0.5] * 17]))
    np.testing.assert_allclose(search(A, jnp.eye(20)[2]).value, 2, rtol=1e-12)


@pytest.mark.parametrize("second", [0.9, 0.3, 0.0])
def test_a_guess_near_the_first_singular_vector_is_as_good_as_a_decomposition(second):
    """From any angle to it, whether one step is certain to be enough or the matrix is squared."""
    draw = np.random.default_rng(3)
    left, right = (np.linalg.qr(draw.normal(size=(20, 20)))[0] for _ in range(2))
    A = left[:, :2] * [1.0, second] @ right[:2] + 1e-3 * left[:, 2:] @ right[2:]
    for angle in (0.0, 1e-9, 1e-5, 1e-2, 0.5, 1.5):
        found = by_guess(A, np.cos(angle) * left[:, 0] + np.sin(angle) * left[:, 1])
        np.testing.assert_allclose(found.value, np.linalg.norm(A, 2), rtol=4e-15)
        assert abs(found.left @ left[:, 0]) > 1 - 1e-7


def test_its_derivative_is_that_of_the_largest_singular_value():
    A, dA = jnp.asarray(N), jnp.asarray(N[::-1])
    slope = jax.jvp(lambda A: search(A).value, (A,), (dA,))[1]
    u, _, vt = np.linalg.svd(N)
    np.testing.assert_allclose(slope, u[:, 0] @ N[::-1] @ vt[0], rtol=1e-6)


def nearly_diagonal(draw, n):
    A = np.diag(draw.uniform(0.2, 1, n)) + 10 ** draw.uniform(-9, -3) * draw.normal(size=(n, n))
    return A[draw.permutation(n)] if draw.random() < 0.5 else A


def one_above_many(draw, n):
    values = np.where(np.arange(n) < n * draw.uniform(), 1, 0.1)
    values[0] = 1 + 10 ** draw.uniform(-2.5, 0)
    return np.diag(draw.permutation(values))


@pytest.mark.parametrize("kind", [nearly_diagonal, one_above_many])
def test_the_guess_of_another_singular_vector_is_not_believed(kind):
    """In float32, where a u that has almost nothing of the largest soon looks like an answer."""
    draw, n, count = np.random.default_rng(7), 48, 300
    many = np.array([kind(draw, n) for _ in range(count)])
    left, values, _ = np.linalg.svd(many)
    guesses = left[np.arange(count), :, draw.integers(1, 5, count)]
    for find in (search, search_with_total, by_guess):
        found = jax.jit(jax.vmap(find))(many.astype(np.float32), guesses.astype(np.float32))
        error = np.abs(found.value.astype(float) / values[:, 0] - 1)
        assert not (found.converged & (error > 1e-3)).any()
        assert found.converged.mean() > 0.99


def test_no_certainty_without_a_small_gradient():
    """A bound by the Frobenius norm says that no other is larger; the value is right only once r is small."""
    A = N * np.r_[30.0, np.ones(59)][:, None]
    found = search_with_total(A, np.eye(60)[0] + 0.1)
    np.testing.assert_allclose(found.value, np.linalg.norm(A, 2), rtol=1e-12)
