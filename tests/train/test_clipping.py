"""Clipping of ordinary and of special gradients, by numbers known beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_dynamics as rd
from rnn_dynamics.train.clipping import clip_by_norm, clip_by_value, clip_each_step

both = pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])


def clipped(clip, limit, gradient):
    transformation = clip(limit)
    return jax.jit(transformation.update)(gradient, transformation.init(gradient))


def test_the_norm_is_that_of_all_leaves_together():
    gradient = {"W": jnp.array([[3.0, 0.0], [0.0, 0.0]]), "b": jnp.array([0.0, -4.0])}
    update, state = clipped(clip_by_norm, 1.0, gradient)
    np.testing.assert_allclose(update["W"], [[0.6, 0], [0, 0]], rtol=1e-15)
    np.testing.assert_allclose(update["b"], [0, -0.8], rtol=1e-15)
    assert state.skipped == 0


@both
def test_within_the_limit_every_bit_is_kept(clip, dtype):
    gradient = jnp.asarray([0.3, -0.4], dtype)
    np.testing.assert_array_equal(clipped(clip, 0.5000001, gradient)[0], gradient)


def test_by_value_each_entry_alone():
    update, _ = clipped(clip_by_value, 1.0, [jnp.array([3.0, -0.5]), jnp.array(-4.0)])
    np.testing.assert_array_equal(update[0], [1, -0.5])
    assert update[1] == -1


@both
def test_zero_stays_zero(clip, dtype):
    for limit in (1.0, 0.0):
        update, state = clipped(clip, limit, [jnp.zeros(3, dtype), jnp.zeros((), dtype)])
        assert not any(np.any(leaf) for leaf in update)
        assert state.skipped == 0


def test_huge_gradients_keep_their_direction(dtype):
    """Where squares overflow, optax's own clipping returns zero."""
    size = float(jnp.finfo(dtype).max) / 2
    gradient = [jnp.asarray([0.6, 0.0], dtype) * size, jnp.asarray([-0.8], dtype) * size]
    update, state = clipped(clip_by_norm, 2.0, gradient)
    np.testing.assert_allclose(np.concatenate(update), [1.2, 0, -1.6], rtol=1e-6)
    assert state.skipped == 0
    theirs = optax.clip_by_global_norm(2.0)
    assert not np.any(theirs.update(gradient, theirs.init(gradient))[0][0])
    by_value, _ = clipped(clip_by_value, 2.0, gradient)
    np.testing.assert_array_equal(np.concatenate(by_value), [2, 0, -2])
    # the norm itself is beyond the type here
    many, _ = clipped(clip_by_norm, 1.0, jnp.full(100, 1.9 * size, dtype))
    np.testing.assert_allclose(many, 0.1, rtol=1e-6)


def test_huge_gradients_below_a_huge_limit(dtype):
    gradient = jnp.asarray([3e30, 4e30], dtype)
    np.testing.assert_allclose(clipped(clip_by_norm, 1e30, gradient)[0], [6e29, 8e29], rtol=1e-6)
    np.testing.assert_array_equal(clipped(clip_by_norm, 1e31, gradient)[0], gradient)


@both
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_one_entry_that_is_not_finite_makes_the_update_zero_and_is_counted(clip, bad, dtype):
    transformation = clip(1.0)
    transform = jax.jit(transformation.update)
    good = [jnp.asarray([0.1, 0.2], dtype), jnp.asarray(0.3, dtype)]
    state = transformation.init(good)
    update, state = transform([good[0], jnp.asarray(bad, dtype)], state)
    assert not any(np.any(leaf) for leaf in update)
    assert state.skipped == 1
    update, state = transform(good, state)
    np.testing.assert_array_equal(update[0], good[0])
    assert state.skipped == 1


@both
@pytest.mark.parametrize("fraction", [1.0, 4.0, 2.0**-10])
def test_tiny_gradients_pass(clip, fraction, dtype):
    """Around the smallest normal number; below it XLA may flush to zero, and nothing else may come out."""
    gradient = jnp.asarray(np.array([1.0, -1.0], dtype) * np.finfo(dtype).tiny * dtype.type(fraction))
    update, state = clipped(clip, 1.0, gradient)
    if fraction < 1:
        assert np.all((np.asarray(update) == 0) | (np.asarray(update) == np.asarray(gradient)))
    else:
        np.testing.assert_array_equal(np.asarray(update), np.asarray(gradient))
    assert state.skipped == 0


def test_a_tiny_limit(dtype):
    limit = 1e-30
    update, _ = clipped(clip_by_norm, limit, jnp.asarray([3e10, 4e10], dtype))
    np.testing.assert_allclose(update, [0.6e-30, 0.8e-30], rtol=1e-6)


def test_leaves_of_different_kinds_keep_them():
    gradient = [jnp.array([3e30], jnp.float32), jnp.array([-4e30]), jnp.array([0.0], jnp.bfloat16)]
    update, _ = clipped(clip_by_norm, 1.0, gradient)
    assert [leaf.dtype for leaf in update] == [leaf.dtype for leaf in gradient]
    np.testing.assert_allclose([float(leaf[0]) for leaf in update], [0.6, -0.8, 0], rtol=1e-6)


def test_complex_entries():
    update, _ = clipped(clip_by_norm, 1.0, jnp.array([3.0 - 4.0j]))
    np.testing.assert_allclose(update, [0.6 - 0.8j], rtol=1e-15)
    update, _ = clipped(clip_by_value, 1.0, jnp.array([3.0 - 0.5j]))
    np.testing.assert_array_equal(update, [1 - 0.5j])


@both
def test_a_limit_may_be_swept_and_the_clipping_batched(clip):
    gradients = jnp.array([[3.0, -4.0], [0.3, -0.4], [jnp.nan, 1.0]])
    limits = jnp.array([1.0, 2.0, 3.0])
    update, state = jax.jit(jax.vmap(lambda limit, g: clipped(clip, limit, g)))(limits, gradients)
    for row, gradient, limit in zip(update, gradients, limits, strict=True):
        np.testing.assert_allclose(row, clipped(clip, float(limit), gradient)[0], rtol=1e-14)
    np.testing.assert_array_equal(state.skipped, [0, 0, 1])


def test_in_a_chain():
    optimizer = optax.chain(clip_by_value(2.0), clip_by_norm(1.0), optax.sgd(0.5))
    params = jnp.zeros(2)
    update, _ = optimizer.update(jnp.array([1e200, 0.0]), optimizer.init(params), params)
    np.testing.assert_allclose(update, [-0.5, 0], rtol=1e-15)


@both
def test_wrong_limits_are_refused(clip):
    for limit in (-1.0, float("nan"), float("inf"), jnp.ones(2)):
        with pytest.raises(ValueError, match="limit: got"):
            clip(limit)
    for limit in ("1", None, True):
        with pytest.raises(TypeError, match="limit: got"):
            clip(limit)


def scalar_step(a, h, x):
    return {"u": a * h["u"] + x, "v": a * h["v"]}


SCALAR = rd.cells.linear._replace(step=scalar_step)


def test_each_step_a_recursion_done_by_hand():
    """L = w u_T + w' v_T with a > 1: (w, w') clipped, times a, clipped, ... so ‖g‖ = limit at every step."""
    cell = clip_each_step(SCALAR, 1.0)
    h0 = {"u": jnp.array(1.0), "v": jnp.array(2.0)}
    xs = jnp.zeros(4)

    def loss(step, a, h0):
        last = jax.tree.map(lambda leaf: leaf[-1], rd.unroll(step, a, h0, xs))
        return 30 * last["u"] + 40 * last["v"]

    a = jnp.array(2.0)
    assert loss(cell.step, a, h0) == loss(SCALAR.step, a, h0)
    with_a, with_h0 = jax.grad(loss, (1, 2))(cell.step, a, h0)
    # after the last clipping it is pulled through one more step
    np.testing.assert_allclose([with_h0["u"], with_h0["v"]], [2 * 0.6, 2 * 0.8], rtol=1e-14)
    # Σ_t (0.6, 0.8) · h_{t-1}, and h_{t-1} = 2^{t-1} (1, 2)
    np.testing.assert_allclose(with_a, (0.6 + 1.6) * (1 + 2 + 4 + 8), rtol=1e-14)


@pytest.mark.slow
def test_each_step_with_a_large_limit_changes_nothing(key):
    for cell in (rd.cells.lstm, rd.cells.lru):
        params = cell.init(key, inputs=2, hidden=3)
        xs = jax.random.normal(key, (5, 2))

        def loss(cell, params, xs=xs):
            states = rd.unroll(cell.step, params, cell.initial_state(params), xs)
            return jnp.sum(jax.vmap(cell.output)(states) ** 2)

        left, right = (jax.grad(loss, 1)(one, params) for one in (cell, clip_each_step(cell, 1e9)))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), left, right)


def test_each_step_each_example_alone():
    cell = clip_each_step(SCALAR, 1.0)

    def gradient(scale):
        def loss(u):
            return scale * cell.step(jnp.array(3.0), {"u": u, "v": u}, jnp.array(0.0))["u"]

        return jax.grad(loss)(jnp.array(1.0))

    np.testing.assert_allclose(jax.jit(jax.vmap(gradient))(jnp.array([0.5, 1e300])), [1.5, 3.0], rtol=1e-14)


def test_each_step_a_gradient_that_is_not_finite_is_seen():
    step = clip_each_step(SCALAR, 1.0).step

    def gradients(size):
        h = {"u": jnp.array(1.0), "v": jnp.array(1.0)}
        pull = jax.vjp(lambda h: step(jnp.array(2.0), h, jnp.array(0.0)), h)[1]
        return pull({"u": size, "v": jnp.array(0.0)})[0]

    for bad in (jnp.inf, jnp.nan):
        assert all(np.isnan(leaf) for leaf in jax.tree.leaves(gradients(jnp.array(bad))))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradients(jnp.array(0.0))))


def test_each_step_is_remembered_and_no_measurement_takes_it(key):
    cell = clip_each_step(rd.cells.elman, 1.0)
    assert clip_each_step(rd.cells.elman, limit=1.0) is cell
    params = cell.init(key, inputs=1, hidden=2)
    for measure in (rd.jacobian_product, rd.lyapunov_spectrum):
        with pytest.raises(TypeError, match="custom_vjp"):
            measure(cell.step, params, cell.initial_state(params), jnp.ones((9, 1)))


def test_each_step_wrong_arguments():
    with pytest.raises(TypeError, match="cell"):
        clip_each_step("elman", 1.0)
    for limit in (0.0, -1.0, float("inf")):
        with pytest.raises(ValueError, match="limit: got"):
            clip_each_step(rd.cells.elman, limit)
    with pytest.raises(TypeError, match="limit"):
        clip_each_step(rd.cells.elman, "1")
