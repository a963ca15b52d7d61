"""Slow manifolds whose place, length and drift are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd


def linear(W, h, x):
    return W @ h


def ring(p, h, x):
    """A circle of radius 1, attracting by 1 - 2 a, on which an angle θ becomes θ + ε sin θ."""
    a, drift = p
    r, angle = jnp.sqrt(jnp.sum(h**2)), jnp.arctan2(h[1], h[0])
    r, angle = r + a * (1 - r**2) * r, angle + drift * jnp.sin(angle)
    return r * jnp.stack([jnp.cos(angle), jnp.sin(angle)])


@pytest.fixture
def near_a_circle():
    draw = np.random.default_rng(0)
    angle = draw.uniform(0, 2 * np.pi, 120)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * draw.uniform(0.7, 1.3, (120, 1))


@pytest.mark.parametrize("drift", [0.0, 1e-3, 1e-2])
def test_a_ring_and_its_drift(near_a_circle, drift):
    found = rd.slow_manifolds(ring, (0.2, drift), near_a_circle)
    points = np.asarray(found.points)
    assert found.dimension.tolist() == found.visited.tolist() == [1]
    assert found.share.tolist() == [1]
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=10 * drift**2 + 1e-9)
    # the drift is tangential, and ε |sin θ| but for terms of order ε²
    np.testing.assert_allclose(np.sum(found.drift * points, axis=1), 0, atol=5 * drift**2 + 1e-12)
    speed = np.linalg.norm(found.drift, axis=1)
    np.testing.assert_allclose(speed, drift * np.abs(points[:, 1]), atol=drift**2 + 1e-12)
    assert found.speed[0] == pytest.approx(np.median(speed))
    assert found.fastest[0] == pytest.approx(drift, abs=1e-2 * drift + 1e-12)
    assert found.across[0] == pytest.approx(0.6, abs=1e-3)
    # a circle from one side of its widest gap to the other
    angle = np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
    assert found.extent[0] == pytest.approx(abs(angle[-1] - angle[0]), rel=1e-2)
    assert np.all(np.diff(angle) > 0) or np.all(np.diff(angle) < 0)


@pytest.mark.slow
def test_find_fixed_points_sees_three_points_where_a_ring_drifts(near_a_circle):
    found = rd.find_fixed_points(ring, (0.2, 1e-2), near_a_circle)
    on_the_ring = np.argsort(np.asarray(found.points)[:, 0])[[0, -1]]
    assert np.asarray(found.unstable)[on_the_ring].tolist() == [0, 1]
    np.testing.assert_allclose(found.points[on_the_ring], [[-1, 0], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(found.eigenvalues[on_the_ring, 0].real, [0.99, 1.01])
    assert len(found.speed) <= 3  # and the origin, if it is found


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 2])
def test_find_fixed_points_says_a_line_and_a_plane(dimension):
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    values = [1.0] * dimension + [0.5, -0.6, 0.1, 0.0][: 5 - dimension]
    candidates = np.random.default_rng(2).normal(size=(1024, 5))
    found = rd.find_fixed_points(linear, jnp.asarray(axes * np.array(values) @ axes.T), candidates)
    assert 2 < len(found.speed) <= 16
    assert set(found.dimension.tolist()) == {dimension}
    assert set(found.manifold.tolist()) == {0}
    assert found.share.sum() == pytest.approx(1)


@pytest.mark.parametrize("dimension", [1, 2])
def test_a_line_and_a_plane_of_fixed_points(dimension):
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    values = [1.0] * dimension + [0.5, -0.6, 0.1, 0.0][: 5 - dimension]
    candidates = np.random.default_rng(2).normal(size=(200, 5))
    found = rd.slow_manifolds(linear, jnp.asarray(axes * np.array(values) @ axes.T), candidates)
    assert found.dimension.tolist() == found.visited.tolist() == [dimension]
    assert found.fastest[0] < 1e-14
    assert found.across[0] == pytest.approx(0.6)
    # each candidate is moved along the fast directions only
    moved = np.asarray(found.points) @ axes
    np.testing.assert_allclose(moved[:, dimension:], 0, atol=1e-9)
    at = candidates @ axes[:, :dimension]
    if dimension == 1:
        assert found.extent[0] == pytest.approx(np.ptp(at))
        np.testing.assert_allclose(np.sort(moved[:, 0]), np.sort(at[:, 0]), atol=1e-9)
        assert np.isinf(found.time_constant[0])
    assert repr(found) == f"SlowManifolds(n=5): 1 {['line', 'surface'][dimension - 1]}; 0% of the candidates on none"


def test_the_fast_directions_are_those_of_the_left_vectors():
    # not normal: the state moves along r = (1, 0.9), the fast right vector, not along the fast coordinate
    V = np.array([[1.0, 1.0], [0.0, 0.9]])
    W = jnp.asarray(V * np.array([0.999, 0.2]) @ np.linalg.inv(V))
    candidates = np.random.default_rng(3).normal(size=(30, 2))
    found = rd.slow_manifolds(linear, W, candidates)
    left = np.linalg.inv(V)[0]
    np.testing.assert_allclose(np.sort(found.points[:, 0]), np.sort(candidates @ left), atol=1e-9)
    np.testing.assert_allclose(found.drift[:, 0], -0.001 * found.points[:, 0], atol=1e-12)
    assert found.time_constant[0] == pytest.approx(1000)


def test_what_is_slow_is_an_option():
    W = jnp.diag(jnp.array([0.9, 0.2]))
    candidates = np.random.default_rng(4).normal(size=(30, 2))
    assert len(rd.slow_manifolds(linear, W, candidates).dimension) == 0
    found = rd.slow_manifolds(linear, W, candidates, time_constant=9)
    assert found.dimension.tolist() == [1]
    assert found.time_constant[0] == pytest.approx(10)
    assert repr(rd.slow_manifolds(linear, W, candidates)) == "SlowManifolds(n=2): none; 100% of the candidates on none"


def test_a_rotation_is_not_slow():
    turn = jnp.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.99]])
    found = rd.slow_manifolds(linear, turn, np.random.default_rng(6).normal(size=(40, 3)))
    assert found.dimension.tolist() == [1]
    np.testing.assert_allclose(found.points[:, :2], 0, atol=1e-9)
    assert found.across[0] == pytest.approx(1)


def test_a_chain_of_saddles_and_nodes_is_one_line():
    def step(p, h, x):
        return jnp.stack([h[0] + 3e-3 * jnp.sin(6 * h[0]), 0.3 * h[1] + 0.1 * h[0] ** 2])

    candidates = np.random.default_rng(5).uniform(-2, 2, (150, 2))
    line = rd.slow_manifolds(step, None, candidates)
    # it rests at multiples of π/6, every other one attracting; between them it drifts
    assert line.dimension.tolist() == [1]
    assert line.share[0] == pytest.approx(1)
    assert 1e-3 < line.speed[0] < line.fastest[0] < 3.5e-3
    # and the line is a parabola, but for the drift
    np.testing.assert_allclose(line.points[:, 1], np.asarray(line.points[:, 0]) ** 2 / 7, atol=2e-2)


def test_states_of_any_tree_and_a_constant_input():
    def step(p, state, x):
        return {"a": state["a"] + 0 * x, "b": 0.5 * state["b"] + x}

    candidates = {"a": jnp.linspace(0, 1, 20), "b": jnp.zeros((20, 2))}
    found = rd.slow_manifolds(step, None, candidates, jnp.ones(()))
    np.testing.assert_allclose(found.points["b"], 2)
    np.testing.assert_allclose(np.sort(found.points["a"]), candidates["a"])


def test_float32_and_its_types(near_a_circle):
    with jax.enable_x64(False):
        found = rd.slow_manifolds(ring, (0.2, 1e-3), near_a_circle.astype(np.float32))
    assert found.dimension.tolist() == [1]
    assert found.fastest[0] == pytest.approx(1e-3, rel=0.05)
    assert {field.dtype.name for field in found if field.dtype.kind in "fc"} == {"float32", "complex64"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_constant": 0.5}, "time_constant: got 0.5, expected a finite number in"),
        ({"iterations": 0}, "iterations: got 0, expected a whole number of at least 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rd.slow_manifolds(linear, jnp.eye(2), jnp.eye(2), **options)
