"""Singular values of long products against long arithmetic and closed forms."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from problems import every_kind, explicit_products, in_long_arithmetic, log, problem

import rnn_dynamics as rd


def given_matrix(params, h, x):
    return x @ h


def linear(W, h, x):
    return W @ h


def singular_values(P):
    return mpmath.svd_r(P, compute_uv=False)


@every_kind
def test_short_products_equal_a_singular_value_decomposition(cell, key):
    params, h0, xs = problem(cell, key, T=3)
    values = rd.log_singular_values(cell.step, params, h0, xs)
    products, _ = explicit_products(cell, params, h0, xs, 3)
    np.testing.assert_allclose(values, log(np.linalg.svd(products[-1])[1]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "T"), [(1, 5), (2, 300), (5, 400), (6, 60)])
def test_values_hundreds_of_digits_apart(n, T):
    Js = np.random.default_rng(n).normal(size=(T, n, n)) * np.logspace(0, -1, n)
    values = rd.log_singular_values(given_matrix, None, jnp.zeros(n), jnp.asarray(Js))
    truth = in_long_arithmetic(Js, 60 + 4 * T, singular_values)
    assert n < 5 or truth[0] - truth[-1] > 100
    np.testing.assert_allclose(values, truth, rtol=1e-8)


@pytest.mark.parametrize("name", ["elman", "rate"])
def test_saturated_nets(name, key):
    cell = rd.cells.CELLS[name]
    params = cell.init(key, inputs=0, hidden=5, gain=40.0)
    h0 = 3 * jax.random.normal(key, (5,))
    Js = np.asarray(rd.step_jacobians(cell.step, params, h0, None, length=12))
    truth = in_long_arithmetic(Js, 3000, singular_values)
    assert truth[0] - truth[-1] > 900
    np.testing.assert_allclose(rd.log_singular_values(cell.step, params, h0, None, length=12), truth, rtol=1e-8)


def test_equal_ones_and_exact_zeros(key):
    Q = 0.9 * rd.cells.initializers.orthogonal(key, 6)
    values = rd.log_singular_values(linear, Q, jnp.zeros(6), None, length=40)
    np.testing.assert_allclose(values, 40 * np.log(0.9), atol=1e-12)
    W = jnp.diag(jnp.array([2.0, 0.0, 1.0]))
    values = rd.log_singular_values(linear, W, jnp.zeros(3), None, length=10)
    np.testing.assert_allclose(values, [10 * np.log(2), 0, -np.inf])


def test_the_mean_square_is_the_frobenius_norm(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key, T=20)
    values = rd.log_singular_values(cell.step, params, h0, xs)
    flow = rd.gradient_flow(cell.step, params, h0, xs)
    np.testing.assert_allclose(rd.log_mean_square(values), 2 * flow.log_frobenius[-1] - np.log(3), atol=1e-11)


def test_a_batch_and_float32(dtype):
    xs = jax.random.normal(jax.random.key(0), (3, 30, 4, 4), dtype)
    many = jax.vmap(lambda xs: rd.log_singular_values(given_matrix, None, jnp.zeros(4, dtype), xs))(xs)
    truth = in_long_arithmetic(np.asarray(xs[1], float), 100, singular_values)
    np.testing.assert_allclose(many[1], truth, rtol=1e-4 if dtype == "float32" else 1e-9)


def test_zeros_that_are_exact_and_zeros_that_are_rounding():
    exact = rd.log_singular_values(given_matrix, None, jnp.ones(3), jnp.diag(jnp.array([2.0, 0.0, 1.0]))[None])
    np.testing.assert_allclose(exact, [np.log(2), 0, -np.inf])
    cancelled = rd.log_singular_values(given_matrix, None, jnp.ones(2), jnp.array([[[3.0, 1.0], [1.0, 1 / 3]]]))
    np.testing.assert_allclose(cancelled, [np.log(10 / 3), np.nan])


def test_values_two_thousand_nats_apart():
    Js = np.random.default_rng(0).normal(size=(1100, 3, 3)) * np.logspace(0, -1, 3)
    values = rd.log_singular_values(given_matrix, None, jnp.zeros(3), jnp.asarray(Js))
    truth = in_long_arithmetic(Js, 2500, singular_values)
    assert truth[0] - truth[-1] > 2000
    np.testing.assert_allclose(values, truth, rtol=1e-8)


@pytest.mark.parametrize(("n", "T", "windows"), [(1, 50, 7), (3, 1013, 16), (5, 400, 9)])
def test_windows_of_time_agree_with_one_step_after_the_other(n, T, windows):
    Js = np.random.default_rng(n).normal(size=(T, n, n)) * np.logspace(0, -1, n)
    given = given_matrix, None, jnp.zeros(n), jnp.asarray(Js)
    values = rd.log_singular_values(*given, windows=windows)
    np.testing.assert_allclose(values, rd.log_singular_values(*given, windows=1), rtol=1e-11, atol=1e-11)
    if T == 400:
        truth = in_long_arithmetic(Js, 60 + 4 * T, singular_values)
        np.testing.assert_allclose(values, truth, rtol=1e-11)


def test_windows_of_exactly_known_products(key):
    W = jnp.diag(jnp.exp(jnp.array([-3.0, 0.0, 3.0])))
    values = rd.log_singular_values(linear, W, jnp.zeros(3), None, length=100_000, windows=64)
    np.testing.assert_allclose(values, [3e5, 0, -3e5], rtol=1e-12, atol=1e-8)
    Q = 0.9 * rd.cells.initializers.orthogonal(key, 6)
    values = rd.log_singular_values(linear, Q, jnp.zeros(6), None, length=1001, windows=16)
    np.testing.assert_allclose(values, 1001 * np.log(0.9), rtol=1e-13)


def test_windows_that_cannot_see_a_value_leave_it_to_one_step_after_the_other(key):
    W = jnp.diag(jnp.array([2.0, 0.0, 1.0]))
    values = rd.log_singular_values(linear, W, jnp.zeros(3), None, length=40, windows=8)
    np.testing.assert_allclose(values, [40 * np.log(2), 0, -np.inf])
    cell = rd.cells.rate
    params = cell.init(key, inputs=0, hidden=5, gain=40.0)
    given = cell.step, params, 3 * jax.random.normal(key, (5,)), None
    saturated = [rd.log_singular_values(*given, length=12, windows=windows) for windows in (1, 4)]
    np.testing.assert_array_equal(*saturated)


def test_a_factor_on_every_jacobian_is_one_on_every_value():
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(60, 3, 3)))
    slopes = jax.jvp(partial(rd.log_singular_values, given_matrix, None, jnp.zeros(3)), (xs,), (xs,))[1]
    np.testing.assert_allclose(slopes, 60, rtol=1e-10)


def test_windows_in_a_batch_in_single_precision():
    xs = jax.random.normal(jax.random.key(0), (2, 60, 3, 3), jnp.float32)
    in_windows = partial(rd.log_singular_values, given_matrix, None, jnp.zeros(3, jnp.float32), windows=5)
    many, slopes = jax.jit(jax.vmap(lambda xs: jax.jvp(in_windows, (xs,), (xs,))))(xs)
    for found, x in zip(many, xs, strict=True):
        alone = rd.log_singular_values(given_matrix, None, jnp.zeros(3), x.astype(float), windows=1)
        np.testing.assert_allclose(found, alone, rtol=1e-4)
    np.testing.assert_allclose(slopes, 60, rtol=1e-3)
    assert many.dtype == jnp.float32


def test_auto_uses_windows_for_a_long_time_outside_of_transformations(monkeypatch):
    used = []
    module = sys.modules[rd.log_singular_values.__module__]

    def in_windows(*args, cut, **options):
        used.append(cut.windows)
        return jnp.zeros(2), True

    monkeypatch.setattr(module, "in_windows", in_windows)
    W = jnp.eye(2) / 2
    for length in (1000, 80_000):
        rd.log_singular_values(linear, W, jnp.zeros(2), None, length=length)
    jax.eval_shape(lambda W: rd.log_singular_values(linear, W, jnp.zeros(2), None, length=80_000), W)
    assert len(used) == 1 < used[0]


@pytest.mark.parametrize(("windows", "message"), [(6, "windows: got 6, expected at most T = 5"), (0, "windows: got 0")])
def test_windows_that_do_not_fit(windows, message):
    with pytest.raises(ValueError, match=message):
        rd.log_singular_values(linear, jnp.eye(2), jnp.zeros(2), None, length=5, windows=windows)
