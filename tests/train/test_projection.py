"""Spectral radii after an update, for matrices whose radius is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_dynamics as rd
from rnn_dynamics.train.net import init_net
from rnn_dynamics.train.orthogonality import recurrent_matrices
from rnn_dynamics.train.projection import project_spectral_radius
from rnn_dynamics.train.tasks import adding


def updated(optimizer, params, gradient):
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    return optax.apply_updates(params, updates)


def radii(params):
    return np.array([np.abs(np.linalg.eigvals(np.asarray(W))).max() for W in recurrent_matrices(params)])


def affine(W):
    return rd.cells.affine.Affine(jnp.asarray(W), jnp.ones((len(W), 1)), None)


def test_a_rotation_is_scaled_and_keeps_its_angle(dtype):
    W = np.array([[0.6, -0.8], [0.8, 0.6]], dtype)
    params = rd.cells.affine.Affine(jnp.asarray(3 * W), jnp.ones((2, 1)), None)
    new = updated(project_spectral_radius(0.5), params, jax.tree.map(jnp.zeros_like, params))
    np.testing.assert_allclose(new.W, 0.5 * W, rtol=1e-5 if dtype == jnp.float32 else 1e-14)


def test_a_matrix_of_large_norm_and_small_radius_is_left_alone():
    """A shear has ρ = 1 whatever its norm."""
    params = affine([[1.0, 50.0], [0.0, 1.0]])
    change = affine([[0.0, 1.0], [0.0, 0.0]])
    updates, _ = project_spectral_radius(1.01).update(change, optax.EmptyState(), params)
    jax.tree.map(np.testing.assert_array_equal, updates, change)


def test_the_radius_is_that_after_the_update():
    params = affine(np.diag([0.5, -0.2]))
    change = affine(np.diag([0.5, -1.8]))
    updates, _ = project_spectral_radius(1.0).update(change, optax.EmptyState(), params)
    np.testing.assert_allclose(params.W + updates.W, np.diag([0.5, -1.0]), rtol=1e-15)
    np.testing.assert_array_equal(updates.U, change.U)


@pytest.mark.parametrize("name", ["elman", "lstm"])
@pytest.mark.parametrize("whole", [True, False])
def test_last_in_a_chain_for_nets_and_bare_parameters(name, whole, key):
    net = init_net(rd.cells.CELLS[name], adding(4), key=key, hidden=6, gain=1.5)
    params = net if whole else net.params
    gradient = jax.tree.map(jnp.ones_like, params)
    new = jax.jit(lambda p, g: updated(optax.chain(optax.sgd(0.1), project_spectral_radius(0.9)), p, g))(
        params, gradient
    )
    plain = updated(optax.sgd(0.1), params, gradient)
    outside = radii(plain) > 0.9
    assert np.all(radii(new) <= 0.9 * (1 + 1e-12))
    np.testing.assert_allclose(radii(new)[outside], 0.9, rtol=1e-12)
    others = [leaf for leaf in jax.tree.leaves(new) if leaf.shape != (6, 6)]
    for left, right in zip(others, [leaf for leaf in jax.tree.leaves(plain) if leaf.shape != (6, 6)], strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_zero_matrix_and_one_that_is_not_finite_stay():
    projection = project_spectral_radius(0.5)
    zero, broken = affine(np.zeros((2, 2))), affine([[np.nan, 0.0], [0.0, 1.0]])
    for params in (zero, broken):
        still = jax.tree.map(jnp.zeros_like, params)
        updates, _ = projection.update(still, optax.EmptyState(), params)
        np.testing.assert_array_equal(updates.W, still.W)


def test_over_seeds_and_limits(key):
    cell = rd.cells.elman
    nets = jax.vmap(lambda key: cell.init(key, inputs=1, hidden=4, gain=2.0))(jax.random.split(key, 3))
    limits = jnp.array([0.5, 0.7, 9.0])

    @jax.jit
    @jax.vmap
    def together(limit, params):
        return updated(project_spectral_radius(limit), params, jax.tree.map(jnp.zeros_like, params))

    new = together(limits, nets)
    found = np.abs(np.linalg.eigvals(np.asarray(new.W))).max(axis=1)
    np.testing.assert_allclose(found[:2], limits[:2], rtol=1e-12)
    np.testing.assert_array_equal(new.W[2], nets.W[2])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="limit: got -1"):
        project_spectral_radius(-1.0)
    with pytest.raises(TypeError, match="limit: got '1'"):
        project_spectral_radius("1")
    projection, params = project_spectral_radius(1.0), affine(np.eye(2))
    with pytest.raises(ValueError, match="params: got None, expected the parameters"):
        projection.update(params, projection.init(params))
    with pytest.raises(ValueError, match="params: got dict, expected one with an Affine"):
        projection.init({"W": jnp.eye(2)})
