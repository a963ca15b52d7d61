"""Speeds in a plane are those of single steps there; planes go through what they are asked to go through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_points import cubic

import rnn_dynamics as rd
from rnn_dynamics.fixed_points.plane import principal_components, rows

A = jnp.array([[0.5, -1.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.3, 2.0]])


def linear(A, h, x):
    return A @ h


def driven(b, state, x):
    return {"z": 1j * state["z"] + x, "h": b * state["h"] + state["z"].real}


def test_speed_and_flow_are_those_of_single_steps(key):
    origin, directions = jnp.array([0.1, 0.2, 0.3]), jax.random.normal(key, (2, 3))
    found = rd.speed_landscape(linear, A, origin, directions, extent=(-1.0, 2.0, 0.5, 3.0), resolution=5)
    np.testing.assert_allclose(found.first, np.linspace(-1, 2, 5))
    np.testing.assert_allclose(found.second, np.linspace(0.5, 3, 5))
    for i, b in enumerate(found.second):
        for j, a in enumerate(found.first):
            h = origin + a * found.directions[0] + b * found.directions[1]
            change = A @ h - h
            assert float(found.speed[i, j]) == pytest.approx(float(jnp.linalg.norm(change)), rel=1e-12)
            np.testing.assert_allclose(found.flow[i, j], found.directions @ change, rtol=1e-12)


def test_directions_are_made_orthonormal_in_their_plane():
    found = rd.speed_landscape(linear, A, jnp.zeros(3), jnp.array([[3.0, 0, 0], [5.0, -0.01, 0]]), extent=1.0)
    np.testing.assert_allclose(found.directions, [[1, 0, 0], [0, -1, 0]], atol=1e-12)
    assert found.speed.shape == (64, 64)


def test_any_state_tree_and_a_constant_input():
    origin = {"z": jnp.array([1 + 2j]), "h": jnp.array([3.0])}
    directions = {"z": jnp.array([[1.0 + 0j], [1j]]), "h": jnp.zeros((2, 1))}
    x = jnp.array([2.0 + 0j])
    found = rd.speed_landscape(driven, jnp.array(0.5), origin, directions, x, extent=1.0, resolution=3)
    z = 1 + 2j + (1 - 1j)
    change = np.array([1j * z + 2 - z, 0.5 * 3 + z.real - 3])
    assert float(found.speed[0, 2]) == pytest.approx(np.linalg.norm(change), rel=1e-12)
    np.testing.assert_allclose(found.flow[0, 2], [change[0].real, change[0].imag], rtol=1e-12)
    assert found.directions["z"].dtype == complex


def test_rest_is_zero_to_the_last_digit_and_named_in_the_headline(dtype):
    found = rd.speed_landscape(cubic, 0.25, jnp.zeros(2, dtype), jnp.eye(2, dtype=dtype), extent=1.5, resolution=31)
    assert found.speed.dtype == dtype
    assert int(jnp.sum(found.speed <= 2 * jnp.finfo(dtype).eps)) == 9
    assert "31 × 31" in repr(found)
    assert "speed" in found.summary()


def test_the_same_shapes_compile_once(compilations):
    given, other = (jnp.zeros(3), jnp.eye(3)[:2]), (jnp.ones(3), 2 * A)
    rd.speed_landscape(linear, A, *given, extent=1.0, resolution=7)
    before = compilations.count
    found = rd.speed_landscape(linear, other[1], other[0], given[1], extent=2.0, resolution=7)
    assert compilations.count == before
    assert float(found.speed[3, 3]) == pytest.approx(float(jnp.linalg.norm(2 * A @ jnp.ones(3) - 1)), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": jnp.eye(3)}, r"directions: got shapes \(3, 3\), expected \(2, 3\)"),
        ({"directions": jnp.ones((2, 3))}, "directions: got two along one line"),
        ({"directions": jnp.zeros((2, 3))}, "directions: got two along one line, or a direction of length 0"),
        ({"directions": jnp.full((2, 3), jnp.nan)}, "directions: got 6 non-finite"),
        ({"extent": (1.0, -1.0, 0.0, 1.0)}, r"extent: got \(1.0, -1.0, 0.0, 1.0\), expected"),
        ({"extent": -1.0}, "extent: got -1.0, expected a positive number"),
        ({"resolution": 1}, "resolution: got 1, expected a whole number of at least 2"),
        ({"origin": jnp.zeros(4)}, "dot_general|shape"),
    ],
)
def test_what_makes_no_plane_is_refused(change, message):
    given = {"origin": jnp.zeros(3), "directions": jnp.eye(3)[:2], "extent": 1.0} | change
    with pytest.raises((ValueError, TypeError), match=message):
        rd.speed_landscape(linear, A, given.pop("origin"), given.pop("directions"), **given)


def test_a_plane_through_three_states_holds_them(key):
    corners = {"c": jax.random.normal(key, (3, 4)), "h": jnp.arange(6.0).reshape(3, 2)}
    plane = rd.fixed_points.principal_plane(corners)
    relative = rows(corners) - np.concatenate([plane.origin["c"], plane.origin["h"]])
    directions = rows(plane.directions)
    places = relative @ directions.T
    np.testing.assert_allclose(places @ directions, relative, atol=1e-12)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    assert float(plane.shares.sum()) == pytest.approx(1)
    low_a, high_a, low_b, high_b = plane.extent
    assert ((low_a < places[:, 0]) & (places[:, 0] < high_a)).all()
    assert ((low_b < places[:, 1]) & (places[:, 1] < high_b)).all()
    assert float(high_a - low_a) == pytest.approx(float(high_b - low_b))
    assert "of the variance" in repr(plane)


@pytest.mark.parametrize("states", [jnp.eye(3)[:2], jnp.ones((5, 3)), jnp.outer(jnp.arange(6.0), jnp.ones(3))])
def test_states_on_a_line_span_no_plane(states):
    with pytest.raises(ValueError, match=r"states: got \d states on one line or in one point"):
        rd.fixed_points.principal_plane(states)


def test_components_are_those_of_the_covariance(key):
    vectors = np.asarray(jax.random.normal(key, (50, 4))) * [1.0, 5.0, 0.1, 2.0]
    found = principal_components(vectors, 2)
    sizes, directions = np.linalg.eigh(np.cov(vectors.T))
    np.testing.assert_allclose(found.shares, sizes[:1:-1] / sizes.sum(), rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.directions @ directions), np.eye(4)[:1:-1], atol=1e-8)
    assert (found.directions[np.arange(2), np.argmax(np.abs(found.directions), axis=1)] > 0).all()
    with_nan = np.concatenate([vectors, np.full((3, 4), np.nan)])
    np.testing.assert_allclose(principal_components(with_nan, 2).directions, found.directions)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_components_of_numbers_of_any_size(scale):
    found = principal_components(scale * np.array([[0.0, 1.0], [0.0, -1.0], [0.1, 0.0], [-0.1, 0.0]]), 2)
    np.testing.assert_allclose(found.directions, [[0, 1], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(found.shares, [100 / 101, 1 / 101])


def test_the_slowest_state_is_named_beside_states_that_are_nan():
    seen = rd.speed_landscape(lambda p, h, x: 0.5 * h, None, jnp.zeros(2), jnp.eye(2), extent=1.0, resolution=3)
    assert repr(seen._replace(speed=seen.speed.at[0, 0].set(jnp.nan))).endswith("slowest at (0, 0), 0")
