"""σ_min(zI - W) by the Schur form and by singular values, on matrices whose answers are exact, and on each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics import eigen
from rnn_dynamics.machinery import pseudospectrum

N = 70
GRID = jnp.asarray(np.linspace(-1.5, 1.5, 8)[:, None] + 1j * np.linspace(-1.5, 1.5, 10))


def gaussian(seed, n=N):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, n)) / n**0.5)


def orthogonal(seed, n=N):
    return jnp.linalg.qr(gaussian(seed, n))[0]


def grcar(n=N):
    return sum((jnp.eye(n, k=k) for k in range(4)), -jnp.eye(n, k=-1))


def searched(W, points):
    return pseudospectrum.search(jax.lax.linalg.schur(W.astype(points.dtype))[0], points.ravel())


MATRICES = {
    "gaussian": gaussian(0),
    "orthogonal": orthogonal(1),
    "symmetric": gaussian(2) + gaussian(2).T,
    "Jordan block": (jnp.eye(N) + jnp.eye(N, k=1)) / 2,
    "Grcar": grcar(),
    "triangular": 3 * jnp.triu(gaussian(3), 1) + jnp.diag(jnp.linspace(-1, 1, N)),
    "repeated": orthogonal(4) @ jnp.diag(jnp.repeat(jnp.array([0.9, 0.5]), N // 2)) @ orthogonal(4).T,
    "zero": jnp.zeros((N, N)),
}


# one of them in the fast tests
EACH = [pytest.param(name, marks=() if name == "triangular" else pytest.mark.slow) for name in MATRICES]


@pytest.mark.parametrize("name", EACH)
def test_both_paths_agree(name):
    """To 1e-6 of the value, and to the rounding of W that both leave in it."""
    W = MATRICES[name]
    found, expected = eigen.pseudospectrum(W, GRID), pseudospectrum.by_singular_values(W, GRID.ravel())
    assert found.shape == GRID.shape
    assert found.dtype == expected.dtype == W.dtype
    rounding = N * jnp.finfo(W.dtype).eps * (jnp.linalg.norm(W, 2) + 2)
    assert jnp.all(jnp.abs(found.ravel() - expected) <= 1e-6 * expected + rounding)


@pytest.mark.slow
def test_a_search_that_ends_is_right():
    points = 0.5 * GRID.ravel()
    for W in (gaussian(0, 100), grcar(100), MATRICES["repeated"]):
        found, expected = searched(W, points), pseudospectrum.by_singular_values(W, points)
        assert jnp.mean(found.converged) > 0.7  # else this would test nothing
        np.testing.assert_allclose(found.value[found.converged], expected[found.converged], rtol=1e-6, atol=1e-12)


def test_a_normal_matrix_has_the_distance_to_its_spectrum():
    W = 0.9 * orthogonal(5)
    distance = np.abs(np.asarray(GRID)[..., None] - np.linalg.eigvals(W)).min(axis=-1)
    np.testing.assert_allclose(eigen.pseudospectrum(W, GRID), distance, atol=1e-13)
    # at 0 all singular values are one
    center = jnp.zeros(20, GRID.dtype)
    assert jnp.all(searched(W, center).converged)
    np.testing.assert_allclose(eigen.pseudospectrum(W, center), 0.9, rtol=1e-13)


def test_a_jordan_block_is_nearly_singular_far_from_its_eigenvalue():
    """σ_min(zI - J) is between |z|ⁿ(1 - |z|²) and |z|ⁿ for the nilpotent shift J and |z| < 1."""
    z = jnp.asarray(0.8 * np.exp(2j * np.pi * np.arange(20) / 20))
    found = eigen.pseudospectrum(jnp.eye(N, k=1), z)
    assert jnp.all((found >= 0.36 * 0.8**N) & (found <= 0.8**N))


@pytest.mark.parametrize("name", EACH)
def test_eigenvalues_give_no_more_than_rounding(name):
    W = MATRICES[name]
    found = eigen.pseudospectrum(W, eigen.eigenvalues(W))
    assert jnp.all(found <= 10 * N * jnp.finfo(W.dtype).eps * (jnp.linalg.norm(W, 2) + 1))


@pytest.mark.slow
def test_a_search_at_an_eigenvalue_ends():
    """Where a pivot is exactly zero."""
    T = jax.lax.linalg.schur(gaussian(0).astype(GRID.dtype))[0]
    assert jnp.all(pseudospectrum.search(T, jnp.diagonal(T)).converged)


@pytest.mark.slow
def test_an_inverse_that_overflows_is_left_to_singular_values():
    W = jnp.eye(130, k=1)
    z = jnp.full(20, 1e-3 + 0j)
    assert not jnp.any(searched(W, z).converged)
    assert jnp.all(eigen.pseudospectrum(W, z) < 1e-13)


@pytest.mark.slow
def test_a_search_that_does_not_end_is_left_to_singular_values():
    W = MATRICES["symmetric"]
    points = jnp.asarray(3 + 1j * np.linspace(3, 4, 80))
    found = searched(W, points)
    expected = pseudospectrum.by_singular_values(W, points)
    assert not jnp.any(found.converged)
    assert jnp.max(jnp.abs(found.value / expected - 1)) > 1e-4
    np.testing.assert_allclose(eigen.pseudospectrum(W, points), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_any_scale(scale):
    W, points = gaussian(6), GRID.ravel()
    found = eigen.pseudospectrum(scale * W, scale * points)
    np.testing.assert_allclose(found / scale, eigen.pseudospectrum(W, points), rtol=1e-9)


@pytest.mark.slow
def test_under_jit_vmap_and_few_points():
    both = jnp.stack([gaussian(7), orthogonal(7)])
    alone = jnp.stack([eigen.pseudospectrum(W, GRID) for W in both])
    batch = jax.jit(jax.vmap(eigen.pseudospectrum, in_axes=(0, None)))(both, GRID)
    np.testing.assert_allclose(batch, alone, rtol=1e-9)
    np.testing.assert_allclose(eigen.pseudospectrum(both[0], GRID[0, :3]), alone[0, 0, :3], rtol=1e-9)
    assert eigen.pseudospectrum(both[0], GRID[:0]).shape == (0, 10)


@pytest.mark.slow
def test_both_precisions(dtype):
    W, points = jnp.asarray(gaussian(8), dtype), jnp.linspace(1, 2, 70, dtype=dtype)
    points = jax.lax.complex(points, points)
    found, expected = eigen.pseudospectrum(W, points), pseudospectrum.by_singular_values(W, points)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-3 if dtype == jnp.float32 else 1e-6)


@pytest.mark.slow
def test_derivatives_are_those_of_the_singular_values():
    W, D = gaussian(9), gaussian(10)
    grid = GRID.ravel()[:20]
    _, slope = jax.jvp(lambda W: eigen.pseudospectrum(W, grid), (W,), (D,))
    step = 1e-5
    difference = eigen.pseudospectrum(W + step * D, grid) - eigen.pseudospectrum(W - step * D, grid)
    np.testing.assert_allclose(slope, difference / (2 * step), atol=1e-6)
    along = jnp.vdot(jax.grad(lambda W: jnp.sum(eigen.pseudospectrum(W, grid)))(W), D)
    np.testing.assert_allclose(along, jnp.sum(slope), rtol=1e-9)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_devices_are_given_singular_values(platform):
    """Lowering for a device fails where an operation does not exist on it."""
    export = jax.export.export(jax.jit(eigen.pseudospectrum), platforms=[platform])
    assert "lapack" not in export(gaussian(0), GRID).mlir_module()


@pytest.mark.slow
def test_kreiss_constant_of_a_large_matrix():
    """A block of 2 decides; the rest is normal and small."""
    skew = jnp.array([[0.9, 10.0], [0.0, 0.8]])
    W = jax.scipy.linalg.block_diag(skew, 0.5 * orthogonal(11, N - 2))
    np.testing.assert_allclose(eigen.kreiss_constant(W), eigen.kreiss_constant(skew), rtol=1e-6)
