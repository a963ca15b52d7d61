"""Candidates drawn from the states that a trajectory visits."""

import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd


def shift(p, h, x):
    return h + p if x is None else h + x


def test_without_noise_they_are_states_of_the_trajectory(key, dtype):
    one = jnp.asarray(1, dtype)
    drawn = rd.visited_states(shift, one, jnp.zeros(2, dtype), None, length=9, count=400, key=key, noise=0.0)
    assert drawn.dtype == dtype
    assert np.array_equal(np.unique(drawn[:, 0]), np.arange(10))
    assert np.array_equal(drawn[:, 0], drawn[:, 1])


def test_the_first_states_are_left_out(key):
    drawn = rd.visited_states(shift, 1.0, jnp.zeros(2), None, length=9, count=400, key=key, noise=0.0, burn_in=4)
    assert np.array_equal(np.unique(drawn), np.arange(4, 10))


def test_noise_is_relative_to_the_spread_of_each_number(key):
    speeds = jnp.array([1.0, 100.0])
    drawn = rd.visited_states(shift, speeds, jnp.zeros(2), None, length=99, count=20_000, key=key, noise=3.0)
    spread = np.std(np.arange(100))
    expected = spread * np.array([1.0, 100.0]) * np.sqrt(1 + 9)
    expected[0] = spread * np.hypot(1, 3 * 0.1 * np.sqrt((1 + 100**2) / 2))  # at least a tenth of the mean spread
    np.testing.assert_allclose(np.std(drawn, axis=0), expected, rtol=0.03)


def test_a_trajectory_that_rests_gets_noise_of_its_own_size(key):
    rests = rd.visited_states(shift, 0.0, jnp.full(3, 4.0), None, length=5, count=5000, key=key, noise=0.5)
    np.testing.assert_allclose(np.std(rests), 2.0, rtol=0.05)
    at_zero = rd.visited_states(shift, 0.0, jnp.zeros(3), None, length=5, count=5000, key=key, noise=0.5)
    np.testing.assert_allclose(np.std(at_zero), 0.5, rtol=0.05)


def test_trees_and_inputs(key):
    step = lambda p, h, x: {"a": h["a"] + x, "b": 1j * h["b"]}  # noqa: E731
    h0 = {"a": jnp.zeros(2), "b": jnp.ones((1, 3), complex)}
    drawn = rd.visited_states(step, None, h0, jnp.ones(8), count=7, key=key)
    assert {name: leaf.shape for name, leaf in drawn.items()} == {"a": (7, 2), "b": (7, 1, 3)}
    assert drawn["b"].dtype == complex


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 0}, "count: got 0"),
        ({"noise": -1.0}, "noise: got -1.0"),
        ({"burn_in": 10}, "burn_in: got 10, expected at most the number of steps, 9"),
        ({"length": None}, "xs: got no array and length=None"),
    ],
)
def test_bad_arguments_are_named(change, words, key):
    arguments = {"count": 3, "key": key, "length": 9} | change
    with pytest.raises(ValueError, match=words):
        rd.visited_states(shift, 1.0, jnp.zeros(2), None, **arguments)


def test_a_trajectory_that_overflows_is_refused(key):
    with pytest.raises(ValueError, match="visited"):
        rd.visited_states(lambda p, h, x: h * h, None, jnp.full(1, 10.0), None, length=12, count=3, key=key)
