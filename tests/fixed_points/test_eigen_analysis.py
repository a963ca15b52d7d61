"""Eigenvalues, vectors and the errors of both, on matrices whose eigenvalues are planned."""

import numpy as np
import pytest

from rnn_dynamics.fixed_points.eigen_analysis import eigen_analysis, pseudospectral_reach

EPS = np.finfo(float).eps


def analysis(*matrices, shift=0.0, eps=EPS):
    J = np.array(matrices, float)
    return eigen_analysis(J, shift + np.zeros_like(J), eps)


def test_left_and_right_vectors_of_a_nonnormal_matrix():
    rng = np.random.default_rng(0)
    values = np.array([1.5, -1.1, 0.6, 0.3])
    V = rng.normal(size=(4, 4)) + 2 * np.eye(4)
    J = V * values @ np.linalg.inv(V)
    found = analysis(J)
    right, left = found.right[0], found.left[0]
    np.testing.assert_allclose(found.eigenvalues[0], values, rtol=1e-12)
    np.testing.assert_allclose(J @ right, right * values, atol=1e-12)
    np.testing.assert_allclose(left.conj().T @ J, values[:, None] * left.conj().T, atol=1e-12)
    np.testing.assert_allclose(left.conj().T @ right, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(right, axis=0), 1)
    # it is not normal: its left vectors are others
    assert np.abs(np.abs(left.conj().T @ left) - np.eye(4)).max() > 0.1


def test_a_complex_pair_is_in_the_order_of_its_magnitudes():
    angle = 2 * np.pi / 12
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    J = np.zeros((3, 3))
    J[:2, :2], J[2, 2] = turn, -0.95
    found = analysis(J)
    np.testing.assert_allclose(found.eigenvalues[0], [-0.95, 0.9 * np.exp(1j * angle), 0.9 * np.exp(-1j * angle)])
    right, left = found.right[0], found.left[0]
    np.testing.assert_allclose(left.conj().T @ right, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(J @ right, right * found.eigenvalues[0], atol=1e-14)


def test_the_error_is_what_a_change_of_the_matrix_does():
    J = np.array([[0.9, 100.0], [0.0, 0.5]])
    change = 1e-9
    found = analysis(J, shift=change / 2)
    # the left vector of 0.9 is (1, 250): it moves by as much if its entry below the diagonal does
    moved = np.linalg.eigvals(J + np.array([[0, 0], [change, 0]]))
    np.testing.assert_allclose(found.error[0, 0], np.linalg.norm([1, 250]) * change, rtol=1e-3)
    assert found.error[0, 0] == pytest.approx(np.max(moved) - 0.9, rel=1e-3)


@pytest.mark.parametrize("eps", [EPS, 1.2e-7])
def test_a_jordan_block_has_no_left_vectors_and_a_root_of_eps_as_error(eps):
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    J = Q @ np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.2]]) @ Q.T
    found = analysis(J, np.diag([0.5, 0.4, 0.3]), eps=eps)
    assert np.all(np.isnan(found.left[0]))
    assert np.all(np.isfinite(found.left[1]))
    assert np.sqrt(eps) < found.error[0, 0] < 20 * np.sqrt(eps)
    assert np.all(np.isfinite(found.right))


def test_equal_eigenvalues_with_all_their_vectors_are_no_jordan_block():
    found = analysis(np.eye(3), np.diag([1.0, 1.0, 0.5]), np.zeros((3, 3)))
    assert np.all(np.isfinite(found.left))
    assert found.error.max() < 1e-14


def test_the_reach_of_an_eigenvalue_of_a_jordan_block():
    # the eigenvalues of [[a, 1], [d, a]] are a ± √d
    J = np.array([[0.5, 1.0], [0.0, 0.5]])
    assert 1e-4 <= pseudospectral_reach(J, 0.5, 1e-8) < 4e-4
    assert 1e-8 <= pseudospectral_reach(np.diag([0.5, 0.1]), 0.5, 1e-8) < 4e-8


def test_an_unknown_change_leaves_everything_open():
    found = analysis(np.diag([1.2, 0.5]), shift=np.nan)
    assert np.all(found.error == np.inf)
    assert np.all(np.isfinite(found.left))


def test_no_matrix_at_all():
    found = eigen_analysis(np.zeros((0, 3, 3)), np.zeros((0, 3, 3)), EPS)
    assert found.eigenvalues.shape == (0, 3)
    assert found.left.shape == (0, 3, 3)
