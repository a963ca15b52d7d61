"""Every initializer has the property that it is named for, at gain 1, for one unit as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.cells import initializers as init

EVERY = {
    "gaussian": init.gaussian,
    "uniform": init.uniform,
    "orthogonal": init.orthogonal,
    "identity": init.identity,
    "normalised": init.make_normalised(),
    "block": init.make_block(1),
    "hollow": init.make_hollow(),
    "nonnormal": init.make_nonnormal(3.0),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY.keys())
@pytest.mark.parametrize("n", [1, 7])
def test_shape_dtype_and_finiteness(draw, n, dtype, key):
    W = jax.jit(lambda key: draw(key, n, dtype))(key)
    assert (W.shape, W.dtype) == ((n, n), dtype)
    assert jnp.isfinite(W).all()


def test_gaussian_and_uniform_have_their_variance(key):
    n = 600
    assert abs(float(jnp.var(init.gaussian(key, n)) * n) - 1) < 0.02
    W = init.uniform(key, n)
    assert abs(float(jnp.var(W) * n) - 1 / 3) < 0.01
    assert float(jnp.abs(W).max()) <= 1 / np.sqrt(n)


def test_orthogonal(key, dtype):
    W = init.orthogonal(key, 6, dtype)
    np.testing.assert_allclose(W.T @ W, np.eye(6), atol=20 * jnp.finfo(dtype).eps)


@pytest.mark.parametrize("base", [init.gaussian, init.uniform, init.make_nonnormal(0.3)])
@pytest.mark.parametrize("n", [1, 9, pytest.param(40, marks=pytest.mark.slow)])
def test_normalised_has_spectral_radius_one(base, n, dtype, key):
    W = jax.jit(lambda key: init.make_normalised(base)(key, n, dtype))(key)
    radius = np.abs(np.linalg.eigvals(np.asarray(W, float))).max()
    assert abs(radius - 1) < 5000 * jnp.finfo(dtype).eps


def test_nothing_to_normalise_is_said(key):
    with pytest.raises(ValueError, match=r"recurrent: drew a matrix with spectral radius 0"):
        init.make_normalised(init.make_hollow())(key, 1)


def test_block(key):
    W = np.asarray(init.make_block(3, init.orthogonal)(key, 6))
    mask = np.kron(np.eye(3), np.ones((2, 2)))
    np.testing.assert_array_equal(W * (1 - mask), 0)
    np.testing.assert_allclose(W.T @ W, np.eye(6), atol=1e-14)
    assert not np.allclose(W[:2, :2], W[2:4, 2:4])
    with pytest.raises(ValueError, match="hidden: got 7, expected a multiple of blocks = 3"):
        init.make_block(3)(key, 7)


def test_hollow(key):
    W, full = init.make_hollow()(key, 5), init.gaussian(key, 5)
    np.testing.assert_array_equal(jnp.diag(W), 0)
    np.testing.assert_array_equal(W, full * (1 - np.eye(5)))


@pytest.mark.parametrize("n", [1, 2, 7, 8])
@pytest.mark.parametrize("strength", [0.0, 1.0, 4.0])
def test_nonnormal_keeps_the_unit_circle_at_any_strength(n, strength, key):
    W = np.asarray(init.make_nonnormal(strength)(key, n))
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(W)), 1, atol=1e-6)
    departure = np.sqrt(max(np.linalg.norm(W) ** 2 - n, 0.0))  # Henrici: all |λ| are 1
    commutator = np.linalg.norm(W @ W.T - W.T @ W)
    if strength == 0 or n <= 2:
        np.testing.assert_allclose([departure, commutator], 0, atol=1e-6)
    else:
        plain = np.asarray(init.make_nonnormal(0.0)(key, n))
        np.testing.assert_allclose(departure, np.linalg.norm(W - plain), rtol=1e-10)
        assert commutator > 0.1


def test_strength_of_any_number_type_gives_the_dtype_asked_for(key):
    assert init.make_nonnormal(np.float64(2.25))(key, 4, "float32").dtype == jnp.float32
    assert init.make_nonnormal(2.25)(key, 4, "float32").dtype == jnp.float32


def test_chrono_time_constants_reach_the_longest(key):
    b = np.asarray(init.chrono(key, 5000, longest=101.0))
    times = np.exp(b)
    assert times.min() >= 1
    assert times.max() <= 100
    assert abs(times.mean() - 50.5) < 2
    with pytest.raises(ValueError, match="longest: got 1"):
        init.chrono(key, 3, longest=1)


def test_as_many_time_constants_for_each_factor_of_time(key):
    times = np.exp(np.asarray(init.time_scales(key, 5000, longest=101.0)))
    assert times.min() >= 1
    assert times.max() <= 100
    assert abs(np.mean(times < 10) - 0.5) < 0.03  # half of the factor of 100
    with pytest.raises(ValueError, match="longest: got 1"):
        init.time_scales(key, 3, longest=1)


def test_a_cell_takes_any_initializer(key):
    draw = init.make_nonnormal(2.0)
    params = rd.cells.gru.init(key, inputs=1, hidden=6, gain=0.5, recurrent=draw)
    for gate in params[:3]:
        np.testing.assert_allclose(np.abs(np.linalg.eigvals(np.asarray(gate.W))), 0.5, atol=1e-6)
    with pytest.raises(ValueError, match=r"recurrent: drew shape \(2, 2\), expected \(hidden, hidden\) = \(6, 6\)"):
        rd.cells.elman.init(key, inputs=1, hidden=6, recurrent=lambda key, n, dtype: jnp.eye(2))
    with pytest.raises(TypeError, match="recurrent: drew dtype float32, expected float64"):
        rd.cells.elman.init(key, inputs=1, hidden=2, recurrent=lambda key, n, dtype: jnp.eye(n, dtype="float32"))
    with pytest.raises(TypeError, match="recurrent"):
        rd.cells.elman.init(key, inputs=1, hidden=2, recurrent="orthogonal")
    assert jax.vmap(lambda k: draw(k, 4))(jax.random.split(key, 3)).shape == (3, 4, 4)
