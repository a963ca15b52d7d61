"""Ω of maps for which it is known, against the sum written out, and its two gradients against finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import rnn_dynamics as rd
from rnn_dynamics.measure.gradients import state_gradients
from rnn_dynamics.train.moment import Moment, loss_along, problem
from rnn_dynamics.train.net import init_net
from rnn_dynamics.train.norm_preserving import norm_preserving
from rnn_dynamics.train.task import Example, Task, squared_error


def made(cell, key, *, T=6, batch=3, hidden=4, scored=None, **options):
    """A moment of a task with two inputs and outputs, scored at these steps."""
    mask = jnp.zeros(T, bool).at[jnp.array(scored or [T - 1])].set(True)

    def sample(key):
        for_xs, for_targets = jax.random.split(key)
        return Example(jax.random.normal(for_xs, (T, 2)), jax.random.normal(for_targets, (T, 2)), mask)

    task = Task("made", 2, 2, T, sample, squared_error, lambda answer, target: answer[0] == target[0], 1.0, 0.0)
    net = init_net(cell, task, key=key, hidden=hidden, **options)
    net = net._replace(params=cell.prepare(net.params))
    examples = jax.vmap(sample)(jax.random.split(key, batch))
    return Moment(cell, task, net, examples, key, jnp.int32(0))


def written_out(moment, index=0):
    """Ω of one example from stacked Jacobians and the adjoints that are measured elsewhere."""
    step, params, h0, xs = problem(moment, index)
    gradients = state_gradients(step, params, h0, xs, loss_along(moment, index))
    flat = np.asarray(jax.vmap(lambda a: rd.machinery.state_vector.flatten(a)[0])(gradients))
    Js = np.asarray(rd.step_jacobians(step, params, h0, xs))
    total = 0.0
    for a, J in zip(flat[1:], Js[1:], strict=True):
        size = np.linalg.norm(a)
        total += (np.linalg.norm(a @ J) / size - 1) ** 2 if size > np.finfo(a.dtype).tiny else 0.0
    return total


def value_and_gradient(moment, penalty):
    """The penalty and its derivative in the net."""
    return jax.jit(jax.value_and_grad(lambda net: penalty(moment._replace(net=net))))(moment.net)


def scaled(moment, rho):
    """The net with W times ρ."""
    return moment.net._replace(params=moment.net.params._replace(W=rho * moment.net.params.W))


@pytest.mark.parametrize("immediate", [False, True])
def test_scaled_orthogonal_linear_map(immediate, key, dtype):
    """Every ratio is ρ: Ω = (T-1) (ρ-1)², which is 0 for an orthogonal one; its slope in ρ is 2 (T-1) (ρ-1)."""
    moment = made(rd.cells.linear, key, scored=[2, 5], recurrent=rd.cells.initializers.orthogonal)
    penalty = norm_preserving(3.0, immediate=immediate)

    @jax.jit
    @jax.vmap
    def value_and_slope(rho):
        return jax.value_and_grad(lambda rho: penalty(moment._replace(net=scaled(moment, rho))))(rho)

    rho = jnp.asarray([1.0, 0.9, 1.5], dtype)
    value, slope = value_and_slope(rho)
    tolerance = 1e-12 if dtype == jnp.float64 else 3e-5
    np.testing.assert_allclose(value, 3 * 5 * (rho - 1) ** 2, atol=tolerance)
    np.testing.assert_allclose(slope, 3 * 10 * (rho - 1), atol=tolerance)


@pytest.mark.parametrize("name", ["elman", "lstm", "lru"])
def test_as_written_out_and_averaged_over_examples(name, key):
    moment = made(rd.cells.CELLS[name], key, scored=[1, 5])
    both = [norm_preserving(0.5, immediate=immediate) for immediate in (False, True)]
    expected = 0.5 * np.mean([written_out(moment, index) for index in range(3)])
    assert expected > 1e-3
    values = jax.jit(lambda net: [penalty(moment._replace(net=net)) for penalty in both])(moment.net)
    np.testing.assert_allclose(values, expected, rtol=1e-11)


def differences(function, vector, direction, size=2e-4):
    """Along one direction, central differences of fourth order."""
    near, far = (function(vector + k * size * direction) - function(vector - k * size * direction) for k in (1, 2))
    return (8 * near - far) / (12 * size)


@pytest.mark.parametrize("name", ["elman", pytest.param("gru", marks=pytest.mark.slow)])
def test_the_whole_gradient_against_finite_differences(name, key):
    moment = made(rd.cells.CELLS[name], key, scored=[1, 5])
    penalty = norm_preserving(2.0)
    vector, unravel = ravel_pytree(moment.net)
    direction = jax.random.normal(key, vector.shape)
    value = jax.jit(lambda vector: penalty(moment._replace(net=unravel(vector))))
    slope = ravel_pytree(value_and_gradient(moment, penalty)[1])[0] @ direction
    assert abs(slope) > 1e-2
    np.testing.assert_allclose(slope, differences(value, vector, direction), rtol=1e-6)


def test_the_immediate_gradient_against_differences_with_states_and_errors_frozen(key):
    moment = made(rd.cells.elman, key, scored=[1, 5])
    step, params, h0, xs = problem(moment)
    before = rd.unroll(step, params, h0, xs)[:-1]
    errors = state_gradients(step, params, h0, xs, loss_along(moment))[1:]
    vector, unravel = ravel_pytree(params)
    direction = jax.random.normal(key, vector.shape)

    @jax.jit
    def frozen(vector):
        Js = jax.vmap(lambda h, x: jax.jacfwd(lambda h: step(unravel(vector), h, x))(h))(before, xs[1:])
        ratios = jnp.linalg.norm(jnp.einsum("ti,tij->tj", errors, Js), axis=1) / jnp.linalg.norm(errors, axis=1)
        return jnp.sum((ratios - 1) ** 2)

    first = moment._replace(examples=jax.tree.map(lambda leaf: leaf[:1], moment.examples))
    _, gradient = value_and_gradient(first, norm_preserving(1.0, immediate=True))
    assert not any(np.any(leaf) for leaf in gradient.readout)
    slope = ravel_pytree(gradient.params)[0] @ direction
    np.testing.assert_allclose(slope, differences(frozen, vector, direction), rtol=1e-6)
    whole = ravel_pytree(value_and_gradient(first, norm_preserving(1.0))[1].params)[0] @ direction
    assert abs(whole - slope) > 1e-3 * abs(slope)


@pytest.mark.parametrize("immediate", [False, True])
def test_vanished_gradients_count_as_nothing(immediate, key, dtype):
    """ρ^-lag leaves the type after some steps; and nothing comes back from steps after the last one scored."""
    T, rho = 40, 1e-4 if dtype == jnp.float32 else 1e-30
    options = {"T": T, "scored": [T - 3], "recurrent": rd.cells.initializers.orthogonal}
    moment = made(rd.cells.linear, key, gain=rho, **options)
    penalty = norm_preserving(1.0, immediate=immediate)
    of_net = jax.jit(jax.value_and_grad(lambda net: penalty(moment._replace(net=net))))
    value, gradient = of_net(moment.net)
    reached = -math.log(float(jnp.finfo(dtype).tiny)) / -math.log(rho)
    assert reached - 3 < value < reached + 2
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))
    value, gradient = of_net(jax.tree.map(jnp.zeros_like, moment.net))
    assert value == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_small_gradients_are_not_vanished_ones(key, dtype):
    """The squares of these are beyond the type, but their ratios are exact."""
    moment = made(rd.cells.linear, key, gain=0.9, recurrent=rd.cells.initializers.orthogonal)
    small = moment.net.readout.V * jnp.asarray(1e-30 if dtype == jnp.float32 else 1e-200, dtype)
    moment = moment._replace(net=moment.net._replace(readout=moment.net.readout._replace(V=small)))
    value, gradient = value_and_gradient(moment, norm_preserving(1.0))
    np.testing.assert_allclose(value, 5 * 0.1**2, rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(gradient.params.W * moment.net.params.W), -10 * 0.1 * 0.9, rtol=1e-4)


def test_dead_units_have_no_derivative_and_no_nan(key):
    moment = made(rd.cells.make_elman("relu"), key, bias=-100.0)
    value, gradient = value_and_gradient(moment, norm_preserving(1.0))
    # a gradient that a dead step sends to 0: one term is 1, those before it have nothing left to judge
    assert value == 1
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_a_gradient_that_is_not_finite_is_seen(key):
    moment = made(rd.cells.linear, key)
    broken = moment.net._replace(readout=moment.net.readout._replace(V=moment.net.readout.V * jnp.inf))
    assert np.isnan(norm_preserving(1.0)(moment._replace(net=broken)))


def test_one_step_has_nothing_to_judge(key):
    moment = made(rd.cells.elman, key, T=1)
    assert norm_preserving(1.0)(moment) == 0


def test_over_weights(key):
    moment, weights = made(rd.cells.elman, key, batch=2), jnp.array([1.0, 2.0])
    values = jax.jit(jax.vmap(lambda weight, net: norm_preserving(weight)(moment._replace(net=net)), (0, None)))(
        weights, moment.net
    )
    np.testing.assert_allclose(
        values, weights * np.mean([written_out(moment, index) for index in range(2)]), rtol=1e-11
    )


def test_descent_makes_gradients_keep_their_norm(key):
    moment = made(rd.cells.elman, key, gain=0.5, T=10)
    penalty, optimizer = norm_preserving(1.0), optax.adam(1e-2)

    def update(carry, _):
        net, state = carry
        value, gradient = jax.value_and_grad(lambda net: penalty(moment._replace(net=net)))(net)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(net, updates), state), value

    with jax.numpy_dtype_promotion("standard"):  # optax's own arithmetic is not strict
        start = moment.net, optimizer.init(moment.net)
        values = jax.jit(lambda start: jax.lax.scan(update, start, length=100)[1])(start)
    assert values[0] > 1
    assert values[-1] < 0.1 * values[0]


def test_it_is_remembered_and_wrong_weights_are_refused():
    assert norm_preserving(0.1, immediate=True) is norm_preserving(0.1, immediate=True)
    assert norm_preserving(0.1) is not norm_preserving(0.1, immediate=True)
    for weight in (-1.0, float("nan"), jnp.ones(2)):
        with pytest.raises(ValueError, match="weight: got"):
            norm_preserving(weight)
    with pytest.raises(TypeError, match="weight: got"):
        norm_preserving("1")
