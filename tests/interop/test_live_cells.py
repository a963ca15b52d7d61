"""The lines of `help(rd.interop)` that make a live cell of another framework a step, run as they stand there."""

import os
import textwrap
import warnings

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_dynamics as rd

os.environ.setdefault("KERAS_BACKEND", "jax")
with warnings.catch_warnings(action="ignore"):  # they use names that JAX is about to remove
    import haiku as hk
    import keras

LINES = rd.interop.__doc__
INPUTS, UNITS = 3, 4


@pytest.fixture(autouse=True)
def _as_users_have_it():
    """The frameworks themselves promote and broadcast."""
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def documented(framework, **names):
    """The step that the line of this framework defines."""
    if framework == "Keras":
        code = textwrap.dedent("    def step(_, states" + LINES.split("def step(_, states")[1].split("\n\n")[0])
    else:
        (code,) = (line.strip() for line in LINES.splitlines() if f"# {framework};" in line)
    exec(code, names)
    return names["step"]


def equinox_gru(key):
    return documented("Equinox"), eqx.nn.GRUCell(INPUTS, UNITS, key=key), False


def equinox_lstm(key):
    return documented("Equinox"), eqx.nn.LSTMCell(INPUTS, UNITS, key=key), True


def linen(cell, two):
    def make(key):
        h = jnp.zeros(UNITS)
        return documented("Flax linen", cell=cell), cell.init(key, (h, h) if two else h, jnp.zeros(INPUTS)), two

    return make


def nnx_cell(kind, two):
    def make(key):
        graph, params = nnx.split(kind(INPUTS, UNITS, rngs=nnx.Rngs(0)))
        return documented("Flax nnx", nnx=nnx, graph=graph), params, two

    return make


def haiku_gru(key):
    line = LINES.split("core = ")[1].split("\n")[0].replace("64", str(UNITS))
    core = eval(line, {"hk": hk})
    return documented("Haiku", core=core), core.init(key, jnp.zeros(INPUTS), jnp.zeros(UNITS)), False


CELLS = {
    "equinox GRU": equinox_gru,
    "equinox LSTM": equinox_lstm,
    "linen GRU": linen(nn.GRUCell(UNITS), False),
    "linen LSTM": linen(nn.OptimizedLSTMCell(UNITS), True),
    "nnx GRU": nnx_cell(nnx.GRUCell, False),
    "nnx LSTM": nnx_cell(nnx.LSTMCell, True),
    "haiku GRU": haiku_gru,
}


def check(step, params, h0, key):
    """Outputs and the Jacobian of the measurement are those of the step itself, run by hand."""
    xs = jax.random.normal(key, (4, INPUTS))
    states = rd.unroll(step, params, h0, xs)
    h, by_hand = h0, jax.jit(lambda h, x: step(params, h, x))
    for t, x in enumerate(xs):
        before, h = h, by_hand(h, x)
        jax.tree.map(lambda all_, one, t=t: np.testing.assert_allclose(all_[t], one, atol=1e-6), states, h)
    J = rd.step_jacobian(step, params, before, xs[-1])
    n = sum(leaf.size for leaf in jax.tree.leaves(h0))
    assert J.shape == (n, n)
    assert jnp.abs(J).max() > 0.1


FAST = ("equinox GRU", "linen LSTM", "nnx GRU", "haiku GRU")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in CELLS])
def test_one_line_makes_a_live_cell_a_step(name, key):
    step, params, two = CELLS[name](key)
    h = jnp.full(UNITS, 0.3)
    check(step, params, (h, -h) if two else h, key)


@pytest.mark.parametrize("kind", [pytest.param("GRUCell", marks=pytest.mark.slow), "LSTMCell"])
def test_a_keras_cell_as_a_step(kind, key):
    cell = getattr(keras.layers, kind)(UNITS, seed=1)
    cell.build((None, INPUTS))
    h = jnp.full(UNITS, 0.3)
    check(documented("Keras", cell=cell), None, [h, -h] if kind == "LSTMCell" else [h], key)


def jacobian(step, h0):
    return rd.step_jacobian(step, None, h0, jnp.ones(INPUTS))


def test_weights_that_change_in_a_keras_cell_are_seen():
    cell = keras.layers.SimpleRNNCell(UNITS, seed=1)
    cell.build((None, INPUTS))
    step = documented("Keras", cell=cell)
    before = jacobian(step, [jnp.zeros(UNITS)])
    cell.recurrent_kernel.assign(2 * cell.recurrent_kernel.value)
    np.testing.assert_allclose(jacobian(step, [jnp.zeros(UNITS)]), 2 * before, rtol=1e-5)


def test_weights_that_change_in_an_nnx_cell_are_seen():
    cell = nnx.SimpleCell(INPUTS, UNITS, rngs=nnx.Rngs(0))
    before = jacobian(lambda _, h, x: cell(h, x)[0], jnp.zeros(UNITS))
    cell.dense_h.kernel[...] = 2 * cell.dense_h.kernel[...]
    np.testing.assert_allclose(jacobian(lambda _, h, x: cell(h, x)[0], jnp.zeros(UNITS)), 2 * before, rtol=1e-5)


def test_weights_that_change_in_a_captured_equinox_cell_are_seen(key):
    cell = eqx.nn.GRUCell(INPUTS, UNITS, key=key)

    def step(_, h, x):
        return cell(x, h)

    before = jacobian(step, jnp.zeros(UNITS))
    cell = eqx.tree_at(lambda cell: cell.weight_hh, cell, 2 * cell.weight_hh)
    after = jacobian(step, jnp.zeros(UNITS))
    assert jnp.abs(after - before).max() > 0.01
    np.testing.assert_allclose(
        after, rd.step_jacobian(documented("Equinox"), cell, jnp.zeros(UNITS), jnp.ones(INPUTS)), atol=1e-6
    )
