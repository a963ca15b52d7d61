"""Step Jacobians on cases whose answer is exact, and the faults that these cases catch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd


def random_params(cell, key, inputs=2, hidden=3):
    return cell.init(key, inputs=inputs, hidden=hidden, gain=1.5)


def test_linear_net_has_W_not_its_transpose(key):
    params = random_params(rd.cells.linear, key)
    J = rd.step_jacobian(rd.cells.linear.step, params, jnp.ones(3), jnp.ones(2))
    np.testing.assert_array_equal(J, params.W)
    assert not np.allclose(J, params.W.T)


def test_tanh_net_has_slope_times_W(key):
    params = random_params(rd.cells.elman, key)
    h, x = jnp.linspace(-1, 1, 3), jnp.ones(2)
    new = rd.cells.elman.step(params, h, x)
    np.testing.assert_allclose(
        rd.step_jacobian(rd.cells.elman.step, params, h, x), (1 - new**2)[:, None] * params.W, rtol=1e-12
    )


def test_lstm_differentiates_h_and_c(key):
    """Block by block against the derivatives done by hand."""
    params = random_params(rd.cells.lstm, key)
    h, c, x = jnp.linspace(-1, 1, 3), jnp.array([0.5, -1.0, 2.0]), jnp.ones(2)
    J = np.asarray(rd.step_jacobian(rd.cells.lstm.step, params, rd.cells.LSTMState(h, c), x))

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    z = {name: np.asarray(gate.W @ h + gate.U @ x + gate.b) for name, gate in params._asdict().items()}
    i, f, o, g = sigma(z["input"]), sigma(z["forget"]), sigma(z["output"]), np.tanh(z["cell"])
    W = {name: np.asarray(gate.W) for name, gate in params._asdict().items()}
    c_by_h = (
        (c * f * (1 - f))[:, None] * W["forget"]
        + (g * i * (1 - i))[:, None] * W["input"]
        + (i * (1 - g**2))[:, None] * W["cell"]
    )
    c_new = f * c + i * g
    h_by_c_new = o * (1 - np.tanh(c_new) ** 2)
    h_by_h = (np.tanh(c_new) * o * (1 - o))[:, None] * W["output"] + h_by_c_new[:, None] * c_by_h
    expected = np.block([[h_by_h, np.diag(h_by_c_new * f)], [c_by_h, np.diag(np.asarray(f))]])
    np.testing.assert_allclose(J, expected, rtol=1e-12, atol=1e-15)


def test_complex_state_counts_as_real_pairs(key):
    params = random_params(rd.cells.lru, key)
    J = rd.step_jacobian(rd.cells.lru.step, params, jnp.ones(3, complex), jnp.ones(2))
    eigenvalues = np.exp(-np.exp(np.asarray(params.nu)) + 1j * np.exp(np.asarray(params.theta)))
    re, im = np.diag(eigenvalues.real), np.diag(eigenvalues.imag)
    np.testing.assert_allclose(J, 1.5 * np.block([[re, -im], [im, re]]), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["elman", "lstm", "lru"])
def test_jacobians_along_the_trajectory_and_their_product(name, key):
    """J_t is taken at (h_{t-1}, x_t), and J_T ... J_1 is ∂h_T/∂h_0."""
    cell = rd.cells.CELLS[name]
    params = random_params(cell, key)
    h0 = jax.tree.map(lambda leaf: leaf + 0.3, cell.initial_state(params))
    xs = jax.random.normal(key, (4, 2))
    Js = rd.step_jacobians(cell.step, params, h0, xs)
    h, product = h0, np.eye(Js.shape[-1])
    for t in range(4):
        J = rd.step_jacobian(cell.step, params, h, xs[t])
        np.testing.assert_allclose(Js[t], J, rtol=1e-12, atol=1e-15)
        h, product = cell.step(params, h, xs[t]), J @ product

    def whole(params, h, xs):
        return jax.tree.map(lambda leaf: leaf[-1], rd.unroll(cell.step, params, h, xs))

    direct = rd.step_jacobian(whole, params, h0, xs)
    np.testing.assert_allclose(product, direct, rtol=1e-11, atol=1e-14)


def test_autonomous_scalar_map_with_python_numbers():
    def logistic_map(r, h, x):
        return r * h * (1 - h)

    Js = rd.step_jacobians(logistic_map, 3.5, 0.25, None, length=3)
    h, expected = 0.25, []
    for _ in range(3):
        expected.append(3.5 * (1 - 2 * h))
        h = logistic_map(3.5, h, None)
    np.testing.assert_allclose(Js[:, 0, 0], expected, rtol=1e-14)


def test_saturated_units_keep_a_small_but_right_jacobian(dtype):
    """At |x| = 20 the textbook 1 - tanh² is 0 in both precisions."""
    params = rd.cells.Affine(W=jnp.ones((1, 1), dtype), U=jnp.zeros((1, 0), dtype), b=jnp.full((1,), 19.0, dtype))
    J = rd.step_jacobian(rd.cells.elman.step, params, jnp.ones(1, dtype), None)
    np.testing.assert_allclose(J, 1 / np.cosh(20.0) ** 2, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_differentiable_in_params_and_vmappable(key):
    params = random_params(rd.cells.linear, key)
    gradient = jax.grad(lambda p: rd.step_jacobian(rd.cells.linear.step, p, jnp.ones(3), jnp.ones(2)).sum())(params)
    np.testing.assert_array_equal(gradient.W, np.ones((3, 3)))
    hs = jnp.ones((5, 3))
    many = jax.vmap(lambda h: rd.step_jacobian(rd.cells.linear.step, params, h, jnp.ones(2)))(hs)
    assert many.shape == (5, 3, 3)


def test_a_counter_in_the_state_is_refused():
    def step(params, state, x):
        return {"h": state["h"] * 0.5, "count": state["count"] + 1}

    with pytest.raises(TypeError, match=r"state\['count'\]: got dtype int64, expected a floating or complex one"):
        rd.step_jacobian(step, None, {"h": jnp.ones(2), "count": 0}, None)
