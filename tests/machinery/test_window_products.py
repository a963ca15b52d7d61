"""Products and flows in windows of time, against one long loop and against products that are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import problem

import rnn_dynamics as rd
from rnn_dynamics.machinery.window_products import LONGEST, number_of_windows, window_length

# two stretches of 3 windows, which are not full: the first stretch begins with spare steps
WINDOWS, T = 3, 97


def step(p, h, x):
    """A linear map with a Jacobian of one's own; a negative number makes it NaN."""
    return jnp.sqrt(x["one"]) * (x["J"] @ h)


def product(Js, one=None):
    xs = {"J": jnp.asarray(Js), "one": jnp.ones(len(Js)) if one is None else one}
    return rd.jacobian_product(step, None, jnp.ones(2), xs, windows=WINDOWS)


def flow(Js, one=None):
    xs = {"J": jnp.asarray(Js), "one": jnp.ones(len(Js)) if one is None else one}
    return rd.gradient_flow(step, None, jnp.ones(2), xs, windows=WINDOWS)


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_twos_are_exact_exponents():
    Js = np.broadcast_to(2 * np.eye(2), (T, 2, 2))
    found = product(Js)
    np.testing.assert_array_equal(found.direction, np.eye(2) / 2)
    np.testing.assert_allclose(found.log_scale, (T + 1) * np.log(2), rtol=1e-15)
    np.testing.assert_allclose(flow(Js).log_norm, np.arange(T + 1) * np.log(2), rtol=1e-15)


def test_later_times_stand_on_the_left():
    """Two shears that do not commute, and whose order and transpose therefore show in every product."""
    draw = np.random.default_rng(0)
    Js = np.array([[[1, 1], [0, 1]], [[1, 0], [1, 1]]])[draw.integers(0, 2, T)].astype(float)
    curve, P = [0.0], np.eye(2)
    for J in Js[::-1]:
        P = P @ J
        curve.append(np.log(np.linalg.norm(P, 2)))
    np.testing.assert_allclose(product(Js).to_array(), P, rtol=1e-13)
    np.testing.assert_allclose(flow(Js).log_norm, curve, atol=1e-13)


def test_rotations_stay_orthogonal_and_scales_cancel():
    angles = np.cos(np.arange(T))
    signs = np.where(np.arange(T) % 2, -3.0, 3.0)
    Js = np.exp(signs)[:, None, None] * np.array(list(map(turn, angles)))
    found = product(Js).to_array()
    np.testing.assert_allclose(found, np.exp(signs.sum()) * turn(angles.sum()), rtol=1e-12)
    expected = np.concatenate([[0], np.cumsum(signs[::-1])])
    np.testing.assert_allclose(flow(Js).log_norm, expected, atol=1e-12)


@pytest.mark.parametrize("at", [0, 40, T - 1])
def test_a_zero_is_exact_and_a_nan_stays(at):
    ordinary = np.broadcast_to(turn(0.3), (T, 2, 2)).copy()
    zero = ordinary.copy()
    zero[at] = 0
    assert not product(zero).direction.any()
    curve = flow(zero).log_norm
    np.testing.assert_array_equal(np.isneginf(curve), np.arange(T + 1) >= T - at)
    one = jnp.ones(T).at[at].set(-1)
    assert jnp.isnan(product(ordinary, one).direction).all()
    found = flow(ordinary, one)  # every later state is NaN too
    assert jnp.isnan(found.log_norm[1:]).all()
    assert not found.converged[1:].any()


@pytest.mark.parametrize(
    "part",
    [{"path": "c"}, *(pytest.param(part, marks=pytest.mark.slow) for part in ({}, {"block": ("h", "c")}))],
    ids=str,
)
def test_a_flow_equals_that_of_one_lag_after_the_other(part, key):
    cell = rd.cells.lstm
    params, h0, xs = problem(cell, key, hidden=2, T=11)
    one, many = (rd.gradient_flow(cell.step, params, h0, xs, windows=windows, **part) for windows in (1, 4))
    for name, before, now in zip(one._fields, one, many, strict=True):
        np.testing.assert_allclose(now, before, rtol=0, atol=1e-12, err_msg=name)


def test_derivatives_and_batches_are_those_of_one_long_loop(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key, T=13)
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, 1.3 * leaf]), params)

    def measured(params, windows):
        flow = rd.gradient_flow(cell.step, params, h0, xs, windows=windows)
        log_norm = rd.jacobian_product(cell.step, params, h0, xs, windows=windows).log_norm()
        return log_norm + flow.log_norm[9] + flow.log_frobenius[11] + flow.log_bound[12]

    one, other = (jax.jit(jax.vmap(jax.value_and_grad(partial(measured, windows=w))))(many) for w in (1, 5))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11), one, other)


@pytest.mark.parametrize("T", [2, 3, LONGEST, LONGEST + 1, 4 * LONGEST + 1, 1009])
@pytest.mark.parametrize("windows", [2, 4])
def test_stretches_exceed_the_time_as_little_as_possible(T, windows):
    every = windows * window_length(T, windows)
    assert every <= windows * LONGEST
    spare = -T % every
    assert spare < windows * -(-T // every)


@pytest.mark.parametrize("n", [1, 2])
def test_two_steps(n):
    Js = jnp.arange(1.0, 2 * n * n + 1).reshape(2, n, n)
    for windows in (2, 10):
        found = rd.jacobian_product(lambda p, h, J: J @ h, None, jnp.ones(n), Js, windows=windows)
        np.testing.assert_allclose(found.to_array(), Js[1] @ Js[0], rtol=1e-15)


def test_short_times_are_one_loop_unless_windows_are_asked_for():
    assert number_of_windows("auto", 200, 8, False) == 1
    assert number_of_windows("auto", 10**6, 8, False) > 1
    assert number_of_windows("auto", 10**6, 8, True) == 1
    assert number_of_windows("auto", 10**6, 1000, False) == 1
    assert number_of_windows(4, 200, 8, False) == 4
    assert number_of_windows(400, 200, 8, False) == 200
    for measure in (rd.jacobian_product, rd.gradient_flow):
        with pytest.raises(ValueError, match="windows: got 0, expected a whole number of at least 1"):
            measure(step, None, jnp.ones(2), None, length=3, windows=0)
        with pytest.raises(TypeError, match="windows: got 'many', expected a whole number"):
            measure(step, None, jnp.ones(2), None, length=3, windows="many")


@pytest.mark.slow
@pytest.mark.parametrize("exponents", [(3.0, 3.0), (-3.0, -3.0), (3.0, -3.0)])
def test_a_million_factors(exponents, dtype, key):
    """Factors e^{±3} Q with Q orthogonal: ln ‖product‖_F is the sum of the exponents + ½ ln n."""
    steps, n = 10**6 + 3, 4
    Q = rd.cells.initializers.orthogonal(key, n).astype(dtype)
    scales = jnp.exp(jnp.resize(jnp.array(exponents, dtype), steps))
    found = rd.jacobian_product(lambda Q, h, x: x * (Q @ h), Q, jnp.zeros(n, dtype), scales, windows=64)
    expected = np.resize(np.array(exponents), steps).sum() + np.log(n) / 2
    # the rounding of e^3 itself, and of Q, adds up
    assert abs(float(found.log_norm()) - expected) < 1e6 * 3 * float(jnp.finfo(dtype).eps)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elman", "lru", "threshold"])
@pytest.mark.parametrize("options", [{}, {"anchors": (30, 37)}, {"directions": 3, "key": jax.random.key(1)}], ids=str)
def test_any_flow_in_windows(name, options, key):
    cell = rd.cells.CELLS[name]
    params, h0, xs = problem(cell, key, hidden=40, T=37)
    one, many = (rd.gradient_flow(cell.step, params, h0, xs, windows=windows, **options) for windows in (1, 6))
    for field, before, now in zip(one._fields, one, many, strict=True):
        np.testing.assert_allclose(now, before, rtol=0, atol=1e-10, err_msg=field)
