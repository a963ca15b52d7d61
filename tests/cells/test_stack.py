"""Layers feed one another within a time step, and a stack is a Cell like any other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

LSTM, GRU, LRU = rd.cells.lstm, rd.cells.gru, rd.cells.lru
DEEP = rd.cells.stack(LSTM, LRU, GRU)


def test_each_layer_is_fed_the_new_output_of_the_one_below(key):
    params = DEEP.init(key, inputs=2, hidden=(3, 4, 5), gain=0.9)
    states = jax.tree.map(lambda leaf: leaf + 0.1, DEEP.initial_state(params))
    x = jnp.array([1.0, -1.0])
    first = LSTM.step(params[0], states[0], x)
    second = LRU.step(params[1], states[1], first.h)
    third = GRU.step(params[2], states[2], LRU.output(second))
    new = DEEP.step(params, states, x)
    jax.tree.map(np.testing.assert_array_equal, new, (first, second, third))
    np.testing.assert_array_equal(DEEP.output(new), third)
    assert params[2].candidate.U.shape == (5, 8)  # two reals for each complex number of the layer below


def test_a_stack_of_one_is_the_cell(key):
    alone = rd.cells.stack(GRU)
    params = alone.init(key, inputs=2, hidden=3)
    h, x = jnp.linspace(-1, 1, 3), jnp.ones(2)
    np.testing.assert_array_equal(alone.step(params, (h,), x)[0], GRU.step(params[0], h, x))


def test_stacks_nest(key):
    nested = rd.cells.stack(rd.cells.stack(GRU, GRU), GRU)
    params = nested.init(key, inputs=2, hidden=3)
    assert nested.step(params, nested.initial_state(params), jnp.ones(2))[1].shape == (3,)


def test_a_wrong_layer_is_named(key):
    params = DEEP.init(key, inputs=2, hidden=3)
    states = DEEP.initial_state(params)
    with pytest.raises(ValueError, match=r"state: got shape \(2,\)") as caught:
        DEEP.step(params, (*states[:2], jnp.ones(2)), jnp.ones(2))
    assert caught.value.__notes__ == ["in layer 2 of the stack, counted from the input"]
    with pytest.raises(TypeError, match="params: got 2 layers, expected a tuple of 3"):
        DEEP.step(params[:2], states, jnp.ones(2))
    with pytest.raises(ValueError, match=r"hidden: got \(3, 4\), expected one size or 3"):
        DEEP.init(key, inputs=2, hidden=(3, 4))
    with pytest.raises(TypeError, match="cells"):
        rd.cells.stack()
