"""Every cell computes its documented equation: values and gradients against plain numpy, to 1e-12 in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

import rnn_dynamics as rd
from rnn_dynamics.cells import initializers

CASES = {
    "linear": (rd.cells.linear, reference.linear),
    "elman": (rd.cells.elman, reference.elman),
    "leaky_logistic": (rd.cells.make_elman("logistic", leak=0.3), reference.leaky_logistic),
    "rate": (rd.cells.rate, reference.rate),
    "rate_flow": (rd.cells.make_rate_flow(0.1), reference.rate_flow),
    **{
        f"gru_{update}_{reset}": (rd.cells.make_gru(update, reset), reference.make_gru(update, reset))
        for update in ("keep", "replace")
        for reset in ("before", "after")
    },
    "lstm": (rd.cells.lstm, reference.lstm),
    "projected_lstm": (rd.cells.projected_lstm, reference.projected_lstm),
    "mgu": (rd.cells.mgu, reference.mgu),
    "janet": (rd.cells.janet, reference.janet),
    "antisymmetric": (rd.cells.antisymmetric, reference.antisymmetric),
    "cornn": (rd.cells.cornn, reference.cornn),
}


def as_dicts(tree):
    """NamedTuples as dicts of numpy arrays, absent leaves left out."""
    if hasattr(tree, "_asdict"):
        return {name: as_dicts(child) for name, child in tree._asdict().items() if child is not None}
    return np.asarray(tree)


def with_random_biases(params, key):
    """Every leaf moved off its initial value, so that no bias is zero and no two gates are alike."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    moved = [leaf + 0.5 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def output_of(state):
    return state.get("h", state.get("y")) if isinstance(state, dict) else state


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_equal_plain_numpy(name, key):
    cell, numpy_step = CASES[name]
    params = with_random_biases(cell.init(key, inputs=2, hidden=3), key)
    xs = jax.random.normal(key, (4, 2))
    h0 = jax.tree.map(lambda leaf: leaf + 0.3, cell.initial_state(params))
    weights = np.linspace(1, 2, cell.output(h0).size)

    def loss(params):
        states = rd.unroll(cell.step, params, h0, xs)
        return jax.vmap(cell.output)(states)[-1] @ jnp.asarray(weights)

    def numpy_loss(p):
        state = as_dicts(h0)
        for x in np.asarray(xs):
            state = numpy_step(p, state, x)
        return output_of(state) @ weights

    plain = as_dicts(params)
    np.testing.assert_allclose(loss(params), numpy_loss(plain), rtol=1e-12)
    ours = as_dicts(jax.grad(loss)(params))
    theirs = reference.complex_step_gradient(numpy_loss, plain)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for left, right in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)


def test_threshold_is_a_hard_step(key):
    params = rd.cells.Affine(W=jnp.eye(2), U=jnp.eye(2), b=jnp.array([-0.5, 0.5]))
    np.testing.assert_array_equal(rd.cells.threshold.step(params, jnp.zeros(2), jnp.array([0.5, -0.4])), [0, 1])


def test_indrnn(key):
    params = rd.cells.indrnn.init(key, inputs=2, hidden=3, bias=0.1)
    h, x = jnp.array([0.2, -0.4, 1.0]), jnp.array([1.0, 2.0])
    expected = np.maximum(np.asarray(params.w) * h + np.asarray(params.U) @ x + 0.1, 0)
    np.testing.assert_allclose(rd.cells.indrnn.step(params, h, x), expected, rtol=1e-14)


def test_lru_is_a_diagonal_complex_map_within_the_ring(key):
    params = rd.cells.lru.init(key, inputs=2, hidden=200, r_min=0.5, r_max=0.9)
    eigenvalues = np.exp(-np.exp(np.asarray(params.nu)) + 1j * np.exp(np.asarray(params.theta)))
    assert np.all((np.abs(eigenvalues) >= 0.5) & (np.abs(eigenvalues) <= 0.9))
    h, x = np.arange(200) * (1 + 0.5j), np.array([1.0, -2.0])
    grads = jax.grad(lambda p: jnp.abs(rd.cells.lru.step(p, jnp.ones(200, complex), jnp.ones(2))).sum())(params)
    assert grads.gain == 0
    assert jnp.linalg.norm(grads.nu) > 0
    scale = np.sqrt(1 - np.abs(eigenvalues) ** 2)
    expected = eigenvalues * h + scale * ((np.asarray(params.B_re) + 1j * np.asarray(params.B_im)) @ x)
    np.testing.assert_allclose(rd.cells.lru.step(params, jnp.asarray(h), jnp.asarray(x)), expected, rtol=1e-12)
    np.testing.assert_allclose(rd.cells.lru.output(jnp.asarray(h)), np.concatenate([h.real, h.imag]))


def test_orthogonal_stays_orthogonal_however_it_is_trained(key):
    params = rd.cells.orthogonal.init(key, inputs=2, hidden=5, gain=1.3)
    grads = jax.grad(lambda p: rd.cells.orthogonal.step(p, jnp.ones(5), jnp.ones(2)).sum())(params)
    assert grads.gain == 0
    assert jnp.linalg.norm(grads.A) > 0
    trained = jax.tree.map(lambda p, g: p - 10 * g, params, grads)
    W = rd.cells.as_affine(trained).W
    np.testing.assert_allclose(W.T @ W, 1.3**2 * np.eye(5), atol=1e-13)
    h, x = jnp.linspace(-1, 1, 5), jnp.ones(2)
    once = rd.cells.elman.step(rd.cells.as_affine(trained), h, x)
    np.testing.assert_allclose(rd.cells.orthogonal.step(trained, h, x), once, rtol=1e-14)


def test_absent_biases_and_absent_input_leave_their_terms_out(key):
    none = {"input_bias": None, "forget_bias": None, "cell_bias": None, "output_bias": None}
    params = rd.cells.lstm.init(key, inputs=2, hidden=3, **none)
    zero = rd.cells.lstm.init(key, inputs=2, hidden=3, forget_bias=0.0)
    assert params.cell.b is None
    state = rd.cells.LSTMState(h=jnp.ones(3), c=jnp.ones(3))
    with_none = rd.cells.lstm.step(params, state, None)
    with_zero = rd.cells.lstm.step(zero, state, jnp.zeros(2))
    np.testing.assert_allclose(with_none.h, with_zero.h, rtol=1e-15)


def test_default_forget_bias_is_one(key):
    np.testing.assert_array_equal(rd.cells.lstm.init(key, inputs=1, hidden=2).forget.b, [1, 1])
    np.testing.assert_array_equal(rd.cells.janet.init(key, inputs=1, hidden=2).forget.b, [1, 1])


def test_chrono_biases_fit_the_lstm(key):
    b = initializers.chrono(key, 4, longest=50)
    params = rd.cells.lstm.init(key, inputs=1, hidden=4, forget_bias=b, input_bias=-b)
    np.testing.assert_array_equal(params.input.b, -params.forget.b)


def test_a_projected_lstm_is_an_lstm_whose_recurrent_matrices_are_products(key):
    """With c as it is and h = P m, the gates read W P m: an LSTM in m."""
    p = with_random_biases(rd.cells.projected_lstm.init(key, inputs=2, hidden=4, projected=3), key)
    gates = {name: getattr(p, name) for name in ("input", "forget", "cell", "output")}
    lstm = rd.cells.LSTMParams(**{name: rd.cells.Affine(gate.W @ p.P, gate.U, gate.b) for name, gate in gates.items()})
    xs = jax.random.normal(key, (5, 2))
    ours = rd.unroll(rd.cells.projected_lstm.step, p, rd.cells.projected_lstm.initial_state(p), xs)
    states = rd.unroll(rd.cells.lstm.step, lstm, rd.cells.lstm.initial_state(lstm), xs)
    np.testing.assert_allclose(ours.h, states.h @ p.P.T, rtol=1e-12)
    np.testing.assert_allclose(ours.c, states.c, rtol=1e-12)
    open_, expected = rd.cells.gates(p, ours.h[0], xs[1]), rd.cells.gates(lstm, states.h[0], xs[1])
    assert open_.keys() == expected.keys() == {"input", "forget", "output"}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), open_, expected)
