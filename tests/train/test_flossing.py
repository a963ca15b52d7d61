"""Flossing of maps whose exponents are known, its gradient against finite differences, and what descent on it does."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import rnn_dynamics as rd
from rnn_dynamics.train.flossing import flossing
from rnn_dynamics.train.moment import Moment
from rnn_dynamics.train.net import init_net
from rnn_dynamics.train.prefloss import prefloss
from rnn_dynamics.train.task import Example, Task, squared_error


def sample(key, T=12):
    return Example(0.5 * jax.random.normal(key, (T, 2)), jnp.zeros((T, 1)), jnp.ones(T, bool))


TASK = Task("made", 2, 1, 12, sample, squared_error, lambda answer, target: answer[0] == target[0], 1.0, 0.0)


def made(cell, key, *, batch=3, hidden=4, updates=0, **options):
    net = init_net(cell, TASK, key=key, hidden=hidden, **options)
    net = net._replace(params=cell.prepare(net.params))
    return Moment(cell, TASK, net, jax.vmap(sample)(jax.random.split(key, batch)), key, jnp.int32(updates))


def test_scaled_orthogonal_linear_map(key, dtype):
    """All exponents are ln ρ."""
    moment = made(rd.cells.linear, key, recurrent=rd.cells.initializers.orthogonal)
    penalty = flossing(3.0, k=3)

    @jax.jit
    @jax.vmap
    def value_and_slope(rho):
        def value(rho):
            return penalty(moment._replace(net=net._replace(params=net.params._replace(W=rho * net.params.W))))

        net = moment.net
        return jax.value_and_grad(value)(rho)

    rho = jnp.asarray([1.0, 0.5, 2.0], dtype)
    value, slope = value_and_slope(rho)
    tolerance = 1e-12 if dtype == jnp.float64 else 1e-5
    np.testing.assert_allclose(value, 3 * np.log(rho) ** 2, atol=tolerance)
    np.testing.assert_allclose(slope, 3 * 2 * np.log(rho) / rho, atol=tolerance)


def test_the_mean_over_exponents_and_over_the_first_examples(key):
    moment = made(rd.cells.elman, key, gain=1.5)

    @jax.jit
    def both(net):
        now = moment._replace(net=net)
        spectra = [
            rd.lyapunov_spectrum(
                rd.cells.elman.step, net.params, jnp.zeros(4), moment.examples.xs[index, :9], k=2, key=key
            ).exponents
            for index, key in enumerate(jax.random.split(moment.key, 2))
        ]
        return flossing(1.0, k=2, examples=2, length=9)(now), jnp.mean(jnp.stack(spectra) ** 2)

    penalty, expected = both(moment.net)
    assert penalty > 1e-3
    np.testing.assert_allclose(penalty, expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("name", "k"),
    [("elman", 2), pytest.param("elman", 4, marks=pytest.mark.slow), pytest.param("gru", 2, marks=pytest.mark.slow)],
)
def test_the_gradient_against_finite_differences(name, k, key):
    moment = made(rd.cells.CELLS[name], key, gain=1.5)
    penalty = flossing(2.0, k=k, examples=2)
    vector, unravel = ravel_pytree(moment.net.params)
    direction = jax.random.normal(key, vector.shape)
    value = jax.jit(lambda vector: penalty(moment._replace(net=moment.net._replace(params=unravel(vector)))))
    slope = jax.jit(jax.grad(value))(vector) @ direction
    size = 2e-4
    near, far = (value(vector + j * size * direction) - value(vector - j * size * direction) for j in (1, 2))
    assert abs(slope) > 1e-2
    np.testing.assert_allclose(slope, (8 * near - far) / (12 * size), rtol=1e-6)


def test_only_every_so_many_updates(key):
    moment = made(rd.cells.elman, key)

    def at(updates, every):
        now, penalty = moment._replace(updates=updates), flossing(1.0, k=1, every=every)
        return jax.value_and_grad(lambda net: penalty(now._replace(net=net)))(moment.net)

    at = jax.jit(at, static_argnums=1)
    value, gradient = at(jnp.int32(1), 1)
    assert value > 1e-3
    for updates in (0, 3):
        seen, its_gradient = at(jnp.int32(updates), 3)
        np.testing.assert_allclose(seen, value, rtol=1e-12)
        np.testing.assert_allclose(its_gradient.params.W, gradient.params.W, rtol=1e-12)
    for updates in (1, 2, 4):
        seen, its_gradient = at(jnp.int32(updates), 3)
        assert seen == 0
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(its_gradient))


@pytest.mark.slow
def test_prefloss_brings_the_exponents_to_zero(key):
    cell, optimizer = rd.cells.elman, optax.adam(1e-2)
    for gain in (0.5, 1.5):
        net = init_net(cell, TASK, key=key, hidden=8, gain=gain)
        with jax.numpy_dtype_promotion("standard"):  # optax's own arithmetic is not strict
            flossed = prefloss(cell, net, TASK, key=key, k=2, updates=250, optimizer=optimizer, examples=2)
        assert flossed.exponents.shape == (250, 2)
        assert np.max(np.abs(flossed.exponents[0])) > 0.2
        # a few steps from a random frame measure an exponent to some 0.1
        assert np.max(np.abs(np.mean(flossed.exponents[-100:], axis=0))) < 0.06
        np.testing.assert_array_equal(flossed.net.readout.V, net.readout.V)


@pytest.mark.slow
def test_vmapped_nets_are_flossed_after_the_same_updates(key):
    """A net that has stopped after another number of updates neither asks for it nor keeps the others from it."""
    moment, penalty = made(rd.cells.elman, key), flossing(1.0, k=1, every=3)

    def value(updates):
        return penalty(moment._replace(updates=updates))

    together = jax.jit(jax.vmap(value))(jnp.asarray([3, 1, 2], jnp.int32))
    assert together[0] > 1e-3
    np.testing.assert_array_equal(together[1:], 0)
    np.testing.assert_allclose(together[0], jax.jit(value)(jnp.int32(3)), rtol=1e-12)


@pytest.mark.slow
def test_preflossing_stops_before_what_is_not_finite(key):
    """relu makes a Jacobian that is exactly singular, and an exponent of -inf."""
    cell = rd.cells.make_elman("relu")
    net = init_net(cell, TASK, key=key, hidden=6)
    flossed = prefloss(cell, net, TASK, key=key, k=6, updates=3, optimizer=optax.sgd(0.1))
    assert flossed.updates < 3
    assert np.isnan(flossed.exponents[int(flossed.updates) :]).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(flossed.net))
    whole = prefloss(rd.cells.elman, net, TASK, key=key, k=2, updates=3, optimizer=optax.sgd(0.1))
    assert whole.updates == 3


@pytest.mark.slow
def test_prefloss_of_bare_parameters_that_are_to_be_prepared(key):
    """A is changed, and g, which is no weight, is not."""
    cell = rd.cells.orthogonal
    params = cell.init(key, inputs=2, hidden=3)
    options = {"k": 2, "updates": 3, "optimizer": optax.sgd(0.1), "length": 4}
    flossed = prefloss(cell, params, TASK, key=key, **options)
    assert isinstance(flossed.net, type(params))
    assert flossed.net.gain == params.gain
    assert np.any(flossed.net.A != params.A)


def test_it_is_remembered_and_wrong_arguments_are_refused(key):
    assert flossing(0.1, k=2, every=5) is flossing(0.1, k=2, every=5, examples=1)
    for options in ({"k": 0}, {"k": 1, "every": 0}, {"k": 1, "length": 0}, {"k": 1, "examples": 0}):
        with pytest.raises(ValueError, match=f"{list(options)[-1]}: got 0, expected a whole number of at least 1"):
            flossing(1.0, **options)
    with pytest.raises(ValueError, match="weight: got"):
        flossing(-1.0, k=1)
    moment = made(rd.cells.elman, key)
    for options, message in (
        ({"k": 5}, "k: got 5, expected at most n = 4"),
        ({"k": 1, "examples": 4}, "examples: got 4, expected at most the 3"),
        ({"k": 1, "length": 13}, "length: got 13, expected at most the 12"),
    ):
        with pytest.raises(ValueError, match=message):
            flossing(1.0, **options)(moment)
    good = {"key": key, "k": 1, "updates": 1, "optimizer": optax.sgd(0.1)}
    for wrong, kind in (
        ({"key": 3}, TypeError),
        ({"optimizer": 3}, TypeError),
        ({"k": 0}, ValueError),
        ({"updates": 0}, ValueError),
    ):
        with pytest.raises(kind, match=next(iter(wrong))):
            prefloss(rd.cells.elman, moment.net, TASK, **{**good, **wrong})
