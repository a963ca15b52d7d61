"""Ends of a search are one point exactly where their errors allow it."""

import time

import jax.numpy as jnp
import numpy as np
import pytest
from ends import described_ends

from rnn_dynamics.fixed_points.points.merge import merged
from rnn_dynamics.fixed_points.points.newton_error import newton_error


def apart(h, x=None):
    """Two fixed points 1e-6 apart, and one at -1, of a cubic map."""
    return h + 0.3 * (h - 0.5) * (h - 0.500001) * (h + 1)


def scaled_tanh(g, h, x):
    return jnp.tanh(g * h)


def test_ends_within_their_errors_are_one_point_and_others_are_not():
    vectors = np.array([[0.0, 0.0], [1e-9, 0.0], [1e-3, 0.0], [0.0, 1e-9], [1e-3 + 2e-9, 0.0]])
    error = np.array([1e-9, 1e-12, 1e-12, 1e-9, 1e-12])
    points, label = merged(vectors, error, np.zeros(5))
    assert label[0] == label[1] == label[3]
    assert len(points) == len({label[1], label[2], label[4]}) == 3
    assert points[label[1]] == 1


def test_an_end_known_badly_does_not_make_one_of_two_points():
    vectors = np.array([[0.5e-6], [0.0], [1e-6]])
    points, label = merged(vectors, np.array([1e-6, 1e-12, 1e-12]), np.array([0.0, 1e-16, 1e-16]))
    assert sorted(points) == [1, 2]
    assert label[1] != label[2]


def test_the_least_residual_represents_a_point():
    vectors = np.zeros((3, 2)) + np.array([[0.0], [1e-14], [2e-14]])
    points, label = merged(vectors, np.full(3, 1e-13), np.array([2e-16, 3e-16, 1e-16]))
    assert points.tolist() == [2]
    assert label.tolist() == [0, 0, 0]


def test_a_thousand_ends_are_compared_quickly():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, 64))
    vectors = centres[np.arange(1024) % 300] + 1e-15 * rng.normal(size=(1024, 64))
    start = time.process_time()
    points, label = merged(vectors, np.full(1024, 1e-13), np.zeros(1024))
    assert time.process_time() - start < 0.2
    assert len(points) == 300
    assert all(len({*label[i::300]}) == 1 for i in range(300))


def test_two_fixed_points_a_millionth_apart_stay_two():
    rng = np.random.default_rng(1)
    roots = np.repeat([0.5, 0.500001, -1.0], [50, 30, 20])
    ends = (roots + 1e-12 * rng.normal(size=100))[:, None]
    found = described_ends(lambda p, h, x: apart(h), None, ends)
    np.testing.assert_allclose(found.points[:, 0], [0.5, 0.500001, -1.0], atol=1e-9, rtol=0)
    np.testing.assert_allclose(found.share, [0.5, 0.3, 0.2])
    assert np.array_equal(found.unstable, [0, 1, 1]) or np.array_equal(found.unstable, [1, 0, 1])


def test_three_points_near_a_pitchfork_stay_three():
    g = 1 + 1e-10
    # tanh(g h) = h has h² = 3 (g - 1) to leading order
    root = np.sqrt(3e-10)
    rng = np.random.default_rng(2)
    ends = np.repeat([0.0, root, -root], 20) * (1 + 1e-6 * rng.normal(size=60)) + 1e-6 * rng.normal(size=60)
    found = described_ends(scaled_tanh, g, ends[:, None], candidates=rng.normal(size=(60, 1)))
    np.testing.assert_allclose(np.sort(found.points[:, 0]), [-root, 0, root], atol=1e-9)
    assert np.sum(found.stable) == 2
    assert not np.any(found.undecided)


@pytest.mark.parametrize("g", [1.0, 1 - 1e-14])
def test_ends_scattered_around_a_degenerate_point_are_one(g):
    rng = np.random.default_rng(3)
    ends = 1e-6 * rng.normal(size=(200, 1))
    found = described_ends(scaled_tanh, g, ends, candidates=rng.normal(size=(200, 1)))
    assert found.points.shape == (1, 1)
    assert abs(found.points[0, 0]) < 1e-6
    assert found.undecided.tolist() == [g == 1]
    assert found.dimension.tolist() == [0]


def test_a_fixed_point_is_moved_to_the_last_digits():
    W = np.array([[0.9, 0.4], [-0.3, 1.4]])
    exact = described_ends(lambda W, h, x: jnp.tanh(W @ h), jnp.asarray(W), [[0.0, 0.0]], candidates=np.eye(2))
    rough = described_ends(
        lambda W, h, x: jnp.tanh(W @ h), jnp.asarray(W), [[1e-6, 0.0], [0.0, -1e-6]], candidates=np.eye(2)
    )
    assert exact.residual[0] == 0
    assert len(rough.residual) == 1
    assert rough.residual[0] < 1e-16


def test_the_error_of_a_linear_map_is_the_distance_to_its_point():
    rng = np.random.default_rng(4)
    J = 0.5 * rng.normal(size=(1, 5, 5))
    h = rng.normal(size=(1, 5))
    f = np.einsum("kij,kj->ki", J, h) - h
    error = newton_error(h, f, J, 0.0)
    np.testing.assert_allclose(error.correction, -h, rtol=1e-10)
    np.testing.assert_allclose(error.size, np.linalg.norm(h), rtol=1e-10)
    # rounding of f by eps moves the point by (I - J)⁻¹ eps
    rounded = newton_error(0 * h + 1.0, 0 * f, J, 1e-16)
    inverse = np.linalg.inv(np.eye(5) - J[0])
    noise = 1e-16 * (np.abs(J[0]).sum(axis=1) + 2)
    np.testing.assert_allclose(rounded.size, np.linalg.norm(inverse * noise), rtol=1e-10)
