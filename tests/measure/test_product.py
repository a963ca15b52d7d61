"""The streamed product against the explicit one, and a million factors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import every_cell, explicit_products, problem

import rnn_dynamics as rd
from rnn_dynamics.machinery.scaled import from_exponent, rescaled


def as_array(result):
    return np.asarray(result.to_array())


def scaled(array):
    return from_exponent(*rescaled(array))


@every_cell
def test_equals_the_explicit_product(cell, key):
    params, h0, xs = problem(cell, key)
    products, _ = explicit_products(cell, params, h0, xs, 5)
    result = rd.jacobian_product(cell.step, params, h0, xs)
    np.testing.assert_allclose(as_array(result), products[-1], rtol=1e-10, atol=1e-13)


@pytest.mark.slow
@given(
    name=st.sampled_from(["elman", "lstm", "lru", "rate"]),
    hidden=st.integers(1, 6),
    inputs=st.integers(0, 2),
    T=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_any_size_and_length(name, hidden, inputs, T, seed):
    cell = rd.cells.CELLS[name]
    params, h0, xs = problem(cell, jax.random.key(seed), hidden=hidden, inputs=inputs, T=T)
    products, _ = explicit_products(cell, params, h0, xs, T)
    result = rd.jacobian_product(cell.step, params, h0, xs, length=T)
    scale = np.abs(products[-1]).max()
    np.testing.assert_allclose(as_array(result), products[-1], rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [3.0, -3.0])
def test_a_million_factors(exponent, dtype, key):
    """Factors e^{±3} Q with Q orthogonal: ln ‖product‖_F = ±3·10⁶ + ½ ln n exactly."""
    T, n = 10**6, 4
    Q = rd.cells.initializers.orthogonal(key, n)

    def step(Q, h, x):
        return jnp.asarray(np.exp(exponent), h.dtype) * (Q @ h)  # h stays at the fixed point 0

    result = rd.jacobian_product(step, Q, jnp.zeros(n, dtype), None, length=T)
    error = float(result.log_norm()) / (exponent * T + np.log(n) / 2) - 1
    assert abs(error) < (1e-9 if dtype == "float64" else 1e-5)


def test_a_singular_step_gives_an_exact_zero(key):
    params, h0, xs = problem(rd.cells.threshold, key)
    result = rd.jacobian_product(rd.cells.threshold.step, params, h0, xs)
    assert not result.direction.any()
    assert result.log_norm() == -jnp.inf


def test_a_diverging_trajectory_gives_nan_not_a_number():
    result = rd.jacobian_product(lambda p, h, x: h**3 - p * h, 2.0, jnp.array([10.0]), None, length=30)
    assert jnp.isnan(result.direction).all()


def test_order_is_forward_in_time_and_not_transposed():
    """J_t = W_t with W_1 ≠ W_2 non-symmetric: the later one stands on the left."""
    Ws = jnp.array([[[1.0, 2.0], [0.0, 1.0]], [[1.0, 0.0], [3.0, 1.0]]])
    result = rd.jacobian_product(lambda p, h, W: W @ h, None, jnp.zeros(2), Ws)
    np.testing.assert_allclose(as_array(result), Ws[1] @ Ws[0], rtol=1e-15)


def test_differentiable_vmappable_and_compiled_once(key, compilations):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)

    def log_norm(params):
        return rd.jacobian_product(cell.step, params, h0, xs).log_norm()

    gradient = jax.grad(log_norm)(params).W[0, 1]
    nudge = jnp.zeros((3, 3)).at[0, 1].set(1e-5)
    difference = log_norm(params._replace(W=params.W + nudge)) - log_norm(params._replace(W=params.W - nudge))
    np.testing.assert_allclose(gradient, difference / 2e-5, rtol=1e-7)
    others = [params._replace(W=gain * params.W) for gain in (0.5, 2.0)]
    before = compilations.count
    for other in others:
        log_norm(other)
    assert compilations.count == before
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
    np.testing.assert_allclose(jax.vmap(log_norm)(many)[0], log_norm(params), rtol=1e-12)


def test_scaled_products_and_norms(dtype):
    A = scaled(jnp.full((2, 2), 3e30, dtype))
    product = A @ A @ A
    np.testing.assert_allclose(product.log_norm(), 3 * np.log(3e30) + np.log(8), rtol=1e-6)
    above = jnp.array([[0.0, 1], [0, 0]], dtype)  # e₁e₂ᵀ, whose product with its transpose tells left from right
    left = scaled(above) @ scaled(above.T)
    np.testing.assert_allclose(left.to_array(), above @ above.T, rtol=1e-6)
    zero = scaled(jnp.zeros((2, 2), dtype))
    assert (A @ zero).log_norm() == -jnp.inf
    np.testing.assert_allclose(scaled(jnp.array([0.1, -7.0], dtype)).to_array(), [0.1, -7.0], rtol=1e-6)
    extremes = jnp.array([jnp.finfo(dtype).tiny, jnp.finfo(dtype).max], dtype)
    for value in extremes:
        np.testing.assert_allclose(scaled(value[None]).log_norm(), np.log(float(value)), rtol=1e-6)


def test_a_batch_of_products_has_one_scale_each():
    W = jnp.array([[0.0, 2], [1, 0]])
    many = jax.vmap(lambda gain: rd.jacobian_product(lambda W, h, x: W @ h, gain * W, jnp.ones(2), None, length=4))(
        jnp.array([1.0, 3.0])
    )
    np.testing.assert_allclose(many.log_norm(), np.log([4 * 2**0.5, 81 * 4 * 2**0.5]), rtol=1e-6)
    np.testing.assert_allclose(many.to_array(), [4 * np.eye(2), 324 * np.eye(2)], rtol=1e-6)
    np.testing.assert_allclose((many @ many).log_norm(), np.log([16.0, 324.0**2]) + np.log(2) / 2, rtol=1e-6)
    growths = many @ many
    for _ in range(9):  # each has its own scale: one of a batch may vanish while another explodes
        growths = growths @ many._replace(log_scale=many.log_scale + jnp.array([-300.0, 300.0]))
    np.testing.assert_allclose(growths.log_norm(), 11 * np.log([4, 324]) + np.log(2) / 2 + [-2700, 2700], rtol=1e-6)
    with pytest.raises(ValueError, match=r"right: got a batch of shape \(\), expected \(2,\)"):
        many @ jax.tree.map(lambda leaf: leaf[0], many)
    with pytest.raises(TypeError, match="unsupported operand"):
        many @ jnp.eye(2)
    assert repr(many) == "Scaled(2, 2, 2): ln of the Frobenius norm = 1.733 .. 6.127"
