"""Eigenvalues and what they hide, on matrices whose answers are exact."""

import jax
import jax.numpy as jnp
import mpmath
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


def drawn(kind, generator, size):
    """Gaussian, triangular, a Jordan block with more above it, badly scaled, singular; of any size of entries."""
    scale = 10 ** generator.uniform(-1.5, 1)
    W = generator.normal(size=(size, size)) * scale
    return {
        "gaussian": W,
        "triangular": np.triu(W),
        "defective": np.triu(W, 1) + scale * np.eye(size),
        "scaled": W * 10 ** generator.uniform(-3, 3, size=(size, 1)),
        "singular": W * generator.integers(0, 2, size),
    }[kind]


@pytest.mark.parametrize("kind", ["gaussian", "triangular", "defective", "scaled", "singular"])
@pytest.mark.slow
def test_the_error_bound_of_a_power_bounds(kind, dtype):
    """60 draws, n = 0 .. 40, against 60 digits; and it says something for a well-conditioned W."""
    generator = np.random.default_rng(3)
    for draw in range(60):
        size, n = 1 + draw % 4 * 2 + draw % 2, int(generator.integers(0, 41)) if draw else 0
        W = jnp.asarray(drawn(kind, generator, size), dtype)
        found = eigen.eigen_power(W, n)
        if not np.isfinite(found.value).all():
            assert not found.error_bound < np.inf
            continue
        with mpmath.workdps(60):
            truth = mpmath.matrix(np.asarray(W, float).tolist()) ** n
            error = mpmath.mnorm(mpmath.matrix(np.asarray(found.value, float).tolist()) - truth, "f")
        assert not error > found.error_bound.item()


def test_a_zeroth_power_is_exact_and_a_vanishing_one_is_bounded():
    found = eigen.eigen_power(SKEW, 0)
    np.testing.assert_array_equal(found.value, np.eye(2))
    assert found.error_bound == 0
    tiny = eigen.eigen_power(jnp.float32(1e-3) * jnp.asarray(DOCUMENT, jnp.float32), 14)  # below 1e-42
    assert 1e-43 < tiny.error_bound < 1e-34


def test_transient_growth_of_a_stable_non_normal_matrix():
    truth = [np.linalg.norm(np.linalg.matrix_power(np.asarray(SKEW), k), 2) for k in range(60)]
    np.testing.assert_allclose(eigen.power_norms(SKEW, 59), truth, rtol=1e-12)
    growth = eigen.transient_growth(SKEW)
    assert growth.step == np.argmax(truth)
    np.testing.assert_allclose(growth.log_peak, np.log(max(truth)), rtol=1e-12)
    kreiss = eigen.kreiss_constant(SKEW)
    assert 5 < kreiss <= max(truth) <= np.e * 2 * kreiss
    assert eigen.kreiss_constant(1.3 * SKEW) == np.inf


def jordan_kreiss(rho):
    """For [[ρ, 1], [0, ρ]], whose σ_min at z with d = |z| - ρ is √(d² + 1/4) - 1/2, on the real axis."""
    r = (1 - rho) * np.exp(np.linspace(-3, 3, 100001))
    d = r + 1 - rho
    return np.max(r * (np.sqrt(d**2 + 0.25) + 0.5) / d**2)


@pytest.mark.parametrize("rho", [0.9, 0.999, 0.99999])
@pytest.mark.parametrize("turn", [0.0, 0.3371])
def test_kreiss_constant_near_the_circle(rho, turn):
    """Far narrower hills than the regular angles are apart, on and off them: within a per cent, and from below."""
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    W = np.block([[rho * R, np.eye(2)], [np.zeros((2, 2)), rho * R]])
    found, truth = eigen.kreiss_constant(jnp.asarray(W)), jordan_kreiss(rho)
    assert 0.99 * truth < found < truth * (1 + 1e-6)
    assert eigen.kreiss_constant(jnp.asarray(W, jnp.float32)).item() < truth * (1 + 1e-5)


@pytest.mark.slow
def test_kreiss_constant_of_orthogonal_matrices(key, dtype):
    """Their computed ρ is 1 + 4e-16 as often as not."""
    for n in (1, 2, 10):
        for k in jax.random.split(key, 3):
            W = rd.cells.initializers.orthogonal(k, n, dtype=dtype)
            np.testing.assert_allclose(eigen.kreiss_constant(W), 1, rtol=1e-9)
    assert eigen.kreiss_constant(1.01 * W) == np.inf
    assert np.isnan(eigen.kreiss_constant(jnp.nan * W))


def rotations(radii, angles):
    blocks = [
        r * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for r, a in zip(radii, angles, strict=True)
    ]
    return jnp.asarray(jax.scipy.linalg.block_diag(*map(jnp.asarray, blocks)))


def test_numerical_radius_is_no_less_than_the_spectral_one():
    """A normal matrix has ρ(W) for it, also where a lower vertex lies on the grid of angles."""
    g = 2 * np.pi / 64
    np.testing.assert_allclose(eigen.numerical_radius(rotations([0.9995, 1], [5 * g, 20.5 * g])), 1, rtol=1e-8)
    generator = np.random.default_rng(0)
    for _ in range(60):
        radii = generator.uniform(0.998, 1, size=6)
        found = eigen.numerical_radius(rotations(radii, generator.uniform(0, 2 * np.pi, size=6)))
        assert (1 - 3e-4) * radii.max() < found < (1 + 1e-12) * radii.max()


@pytest.mark.slow
def test_gaussian_matrices_are_not_defective(dtype):
    generator = np.random.default_rng(0)
    for n, draws in ((2, 20), (8, 20), (256, 3)):
        for _ in range(draws):
            assert not eigen.defective(jnp.asarray(generator.normal(size=(n, n)), dtype))
    for W in (np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 2.0])):
        assert not eigen.defective(jnp.asarray(W, dtype))


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.slow
def test_jordan_blocks_are_defective_in_any_basis(m, dtype):
    """Beside other eigenvalues, in bases of condition up to 100, with the rounding of the change of basis."""
    generator = np.random.default_rng(m)
    for draw in range(20):
        other = generator.normal(size=draw % 3)
        J = np.diag([generator.normal()] * m + list(other)) + np.diag([1.0] * (m - 1) + [0.0] * len(other), 1)
        left, _, right = np.linalg.svd(generator.normal(size=J.shape))
        S = left @ np.diag(np.linspace(1, 100 if draw % 2 else 1, len(J))) @ right
        if not draw:
            S = np.eye(m)
        assert eigen.defective(jnp.asarray(S @ J @ np.linalg.inv(S), dtype)), draw


def test_nans_stay_nans():
    W = DOCUMENT.at[0, 1].set(jnp.nan)
    assert np.isnan(eigen.eigenvector_condition(W))
    assert not eigen.defective(W)
    assert np.isnan(eigen.numerical_radius(W))


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
