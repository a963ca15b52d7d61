"""Dimensions and entropies from spectra whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        ([0.42, -1.62], 1 + 0.42 / 1.62),
        ([0.9056, 0.0, -14.572], 2 + 0.9056 / 14.572),
        ([-0.1, -0.2], 0),
        ([0.5, -np.inf], 1),
        ([0.0, -1.0], 1),
        ([-1.0, 0.5], 0.5 / 1.0 + 1),  # not in order
        ([0.3, 0.2], np.nan),  # more exponents are needed
        ([np.nan, -1.0], np.nan),
    ],
)
def test_kaplan_yorke(exponents, dimension):
    np.testing.assert_allclose(rd.kaplan_yorke_dimension(jnp.array(exponents)), dimension)


def test_volumes_that_never_shrink_fill_the_space():
    for exponents in ([0.3, 0.2], [0.0, 0.0]):
        assert rd.kaplan_yorke_dimension(jnp.array(exponents), full=True) == 2
    assert rd.kaplan_yorke_dimension(jnp.array([0.42, -1.62]), full=True) < 2


def test_entropy_rate():
    np.testing.assert_allclose(rd.entropy_rate(jnp.array([0.5, 0.25, 0.0, -3.0, -jnp.inf])), 0.75)


def test_participation_ratio(key):
    orthogonal = rd.cells.initializers.orthogonal(key, 8)
    points = jnp.concatenate([jnp.eye(8), -jnp.eye(8)]) @ orthogonal
    np.testing.assert_allclose(rd.participation_ratio(points), 8)
    line = jnp.linspace(-1, 1, 30)[:, None] * orthogonal[:1]
    np.testing.assert_allclose(rd.participation_ratio(line), 1)
    np.testing.assert_allclose(rd.participation_ratio({"a": points[:, :4], "b": points[:, 4:]}), 8)
    assert jnp.isnan(rd.participation_ratio(jnp.ones((5, 3))))
    wide = jax.random.normal(key, (4, 50))
    values = np.linalg.svd(np.asarray(wide - wide.mean(axis=0, keepdims=True)))[1] ** 2
    np.testing.assert_allclose(rd.participation_ratio(wide), values.sum() ** 2 / (values**2).sum())


def test_the_largest_exponent_alone_is_the_first_of_the_spectrum(key):
    cell = rd.cells.elman
    params = cell.init(key, inputs=0, hidden=12, gain=2.0)
    h0 = jnp.full(12, 0.1)
    options = {"length": 3000, "burn_in": 200, "frame_burn_in": 200}
    largest = rd.largest_exponent(cell.step, params, h0, None, key=key, **options)
    spectrum = rd.lyapunov_spectrum(cell.step, params, h0, None, k=2, **options)
    np.testing.assert_allclose(largest.exponent, spectrum.exponents[0], atol=1e-3)
    assert largest.exponent.shape == ()
    assert largest.history.shape == largest.steps.shape
    assert largest.reliable


def test_the_largest_exponent_of_a_large_linear_net_needs_no_matrix():
    n = 20_000
    decay = jnp.linspace(0.1, 0.9, n)
    run = jax.jit(
        lambda decay: rd.largest_exponent(
            lambda p, h, x: p * h, decay, jnp.ones(n), None, length=2000, frame_burn_in=1900, key=jax.random.key(0)
        )
    )
    assert run.lower(decay).compile().memory_analysis().temp_size_in_bytes < 100 * 8 * n
    np.testing.assert_allclose(run(decay).exponent, np.log(0.9), atol=1e-3)
