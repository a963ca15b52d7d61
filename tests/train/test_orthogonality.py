"""The distance from orthogonality of matrices for which it is known, and which matrices are judged."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_dynamics as rd
from rnn_dynamics.train.moment import Moment
from rnn_dynamics.train.net import init_net
from rnn_dynamics.train.orthogonality import recurrent_matrices, soft_orthogonality
from rnn_dynamics.train.tasks import adding


def made(cell, key, *, hidden=5, **options):
    task = adding(4)
    net = init_net(cell, task, key=key, hidden=hidden, **options)
    net = net._replace(params=cell.prepare(net.params))
    return Moment(cell, task, net, jax.vmap(task.sample)(key[None]), key, jnp.int32(0))


@pytest.mark.parametrize("hidden", [1, 5])
@pytest.mark.parametrize("rho", [1.0, 0.5, 2.0])
def test_scaled_orthogonal_matrices(rho, hidden, key, dtype):
    moment = made(rd.cells.elman, key, hidden=hidden, gain=rho, recurrent=rd.cells.initializers.orthogonal)
    penalty = soft_orthogonality(0.5)
    tolerance = 1e-14 if dtype == jnp.float64 else 1e-5
    np.testing.assert_allclose(penalty(moment), 0.5 * (rho**2 - 1) ** 2, atol=tolerance)
    gradient = jax.grad(lambda net: penalty(moment._replace(net=net)))(moment.net)
    exact = 0.5 * 4 * (rho**2 - 1) / hidden * moment.net.params.W  # d/dW ‖WᵀW - I‖²/n = 4 W (WᵀW - I)/n
    np.testing.assert_allclose(gradient.params.W, exact, atol=tolerance)
    assert not np.any(gradient.params.U)
    assert not np.any(gradient.readout.V)


@pytest.mark.parametrize(("name", "count"), [("elman", 1), ("gru", 3), ("lstm", 4), ("orthogonal", 1)])
def test_all_gates_count(name, count, key):
    moment = made(rd.cells.CELLS[name], key)
    matrices = recurrent_matrices(moment.net.params)
    assert len(matrices) == count
    expected = sum(np.linalg.norm(W.T @ W - np.eye(5)) ** 2 / 5 for W in map(np.asarray, matrices))
    np.testing.assert_allclose(soft_orthogonality(1.0)(moment), expected, atol=1e-13)
    if name == "orthogonal":
        assert expected < 1e-20


def test_layers_of_different_sizes(key):
    cell = rd.cells.stack(rd.cells.elman, rd.cells.indrnn, rd.cells.gru)
    params = cell.init(key, inputs=2, hidden=(2, 3, 4))
    assert [W.shape for W in recurrent_matrices(params)] == [(2, 2), (4, 4), (4, 4), (4, 4)]


def test_descent_makes_a_matrix_orthogonal(key):
    moment = made(rd.cells.elman, key)
    penalty, optimizer = soft_orthogonality(1.0), optax.sgd(0.3)

    def update(net, _):
        gradient = jax.grad(lambda net: penalty(moment._replace(net=net)))(net)
        return optax.apply_updates(net, optimizer.update(gradient, optimizer.init(net))[0]), None

    net, _ = jax.jit(lambda net: jax.lax.scan(update, net, length=200))(moment.net)
    np.testing.assert_allclose(net.params.W.T @ net.params.W, np.eye(5), atol=1e-2)


def test_over_weights(key):
    moment = made(rd.cells.elman, key)
    weights = jnp.array([1.0, 2.0])
    values = jax.jit(jax.vmap(lambda weight: soft_orthogonality(weight)(moment)))(weights)
    np.testing.assert_allclose(values, weights * soft_orthogonality(1.0)(moment), rtol=1e-12)


def test_a_cell_without_recurrent_matrices_is_refused(key):
    for name in ("indrnn", "lru"):
        with pytest.raises(ValueError, match=r"params: got \w+Params, expected one with an Affine"):
            soft_orthogonality(1.0)(made(rd.cells.CELLS[name], key))


def test_it_is_remembered_and_wrong_weights_are_refused():
    assert soft_orthogonality(0.1) is soft_orthogonality(0.1)
    with pytest.raises(ValueError, match="weight: got -1"):
        soft_orthogonality(-1.0)
    with pytest.raises(TypeError, match="weight: got True"):
        soft_orthogonality(True)


def test_the_recipes_of_gate_biases_are_options_of_init(key):
    """Forget-gate and chrono initialisation need nothing here: they are how a net is drawn."""
    task, chrono = adding(4), rd.cells.initializers.chrono(key, 5, longest=50.0)
    net = init_net(rd.cells.lstm, task, key=key, hidden=5, forget_bias=chrono, input_bias=-chrono)
    np.testing.assert_array_equal(net.params.forget.b, -net.params.input.b)
    assert np.all((net.params.forget.b > 0) & (net.params.forget.b < np.log(49)))
    net = init_net(rd.cells.gru, task, key=key, hidden=5, update_bias=chrono)
    np.testing.assert_array_equal(net.params.update.b, chrono)
