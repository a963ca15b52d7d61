"""Covariant vectors: eigenvectors where the Jacobian is constant, carried into each other by the flow elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import every_kind, problem

import rnn_dynamics as rd


def linear(W, h, x):
    return W @ h


def henon(params, h, x):
    return jnp.stack([1 - 1.4 * h[0] ** 2 + h[1], 0.3 * h[0]])


def as_lines(vectors):
    """Unit columns with a positive first entry."""
    vectors = np.asarray(vectors)
    return vectors / np.linalg.norm(vectors, axis=-2, keepdims=True) * np.sign(vectors[..., :1, :])


@pytest.fixture
def skew(key):
    Q = jax.random.normal(key, (4, 4)) + 2 * jnp.eye(4)
    values = jnp.array([1.5, -1.1, 0.6, 0.3])
    return Q * values[None] @ jnp.linalg.inv(Q), Q, values


@pytest.mark.parametrize("k", [4, 2])
def test_those_of_a_constant_matrix_are_its_eigenvectors(skew, k):
    W, Q, values = skew
    found = rd.covariant_vectors(linear, W, jnp.zeros(4), None, k=k, length=305, frame_burn_in=150, tail=140)
    expected = as_lines(Q)[:, :k]
    assert len(found.times) == 3
    for vectors, rates in zip(as_lines(found.vectors), found.rates, strict=True):
        np.testing.assert_allclose(vectors, expected, atol=1e-11)
        np.testing.assert_allclose(rates, np.log(np.abs(values))[:k], atol=1e-11)
    cosines = np.abs(expected.T @ expected)
    off = ~np.eye(k, dtype=bool)
    np.testing.assert_allclose(np.cos(found.angles[0])[off], cosines[off], atol=1e-11)
    np.testing.assert_allclose(np.diag(found.angles[0]), 0, atol=1e-14)
    assert found.reliable.all()


def test_a_periodic_driven_net_has_the_eigenvectors_of_its_monodromy_matrix():
    cell = rd.cells.elman
    key = jax.random.key(6)
    params = cell.init(key, inputs=2, hidden=3, gain=1.0)
    xs = jnp.tile(jax.random.normal(key, (3, 2)), (400, 1))
    states = rd.unroll(cell.step, params, jnp.zeros(3), xs)
    Js = rd.step_jacobians(cell.step, params, states[596], xs[597:600])
    values, Q = np.linalg.eig(Js[2] @ Js[1] @ Js[0])
    assert np.isreal(values).all()
    order = np.argsort(-np.abs(values))
    found = rd.covariant_vectors(cell.step, params, jnp.zeros(3), xs, frame_burn_in=597, tail=597, samples=6)
    assert found.times[0] == 597
    np.testing.assert_allclose(as_lines(found.vectors[0]), as_lines(Q[:, order]), atol=1e-9)
    np.testing.assert_allclose(as_lines(found.vectors[3]), as_lines(Q[:, order]), atol=1e-9)
    np.testing.assert_allclose(found.rates[:3].mean(axis=0), np.log(np.abs(values[order])) / 3, atol=1e-9)


@every_kind
@pytest.mark.slow
def test_each_is_carried_into_the_next(cell, key):
    params, h0, xs = problem(cell, key, T=20)
    found = rd.covariant_vectors(cell.step, params, h0, xs, k=2, frame_burn_in=5, tail=7, samples=8)
    # no direction comes back from a step without a derivative, or from relu units that are off
    assert found.reliable.sum() == {rd.cells.threshold: 0, rd.cells.indrnn: 0}.get(cell, 2)
    np.testing.assert_array_equal(found.reliable, jnp.isfinite(found.vectors).all(axis=(0, 1)))
    kept = int(found.reliable.sum())
    found = found._replace(vectors=found.vectors[..., :kept], rates=found.rates[..., :kept])
    Js = rd.step_jacobians(cell.step, params, h0, xs)
    for i, t in enumerate(found.times[:-1]):
        carried = Js[t] @ found.vectors[i]
        np.testing.assert_allclose(as_lines(carried), as_lines(found.vectors[i + 1]), atol=1e-8)
        np.testing.assert_allclose(np.log(np.linalg.norm(carried, axis=0)), found.rates[i], atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-12)


def test_rates_of_henon_are_its_exponents_and_the_vectors_nearly_touch():
    h0 = jnp.array([0.1, 0.1])
    found = rd.covariant_vectors(henon, None, h0, None, length=20_300, frame_burn_in=150, tail=150, samples=20_000)
    spectrum = rd.lyapunov_spectrum(henon, None, h0, None, length=20_150, frame_burn_in=150)
    np.testing.assert_allclose(found.rates.mean(axis=0), spectrum.exponents, atol=1e-3)
    angles = found.angles[:, 0, 1]
    assert angles.min() < 1e-3  # its homoclinic tangencies
    assert angles.max() > 1.5


@pytest.mark.slow
def test_the_same_whatever_the_stretches_and_after_a_longer_tail(key):
    params, h0, xs = problem(rd.cells.gru, key, T=600)

    def found(**options):
        return rd.covariant_vectors(rd.cells.gru.step, params, h0, xs, frame_burn_in=250, **options)

    # 600 - 250 - 250 = 100 = 4 · 25; 4 · 23 + 8 with the tail in stretches of 23
    base = found(tail=250, samples=4)
    other = found(tail=250, samples=100)
    np.testing.assert_array_equal(base.times, other.times[::25])
    np.testing.assert_allclose(as_lines(base.vectors), as_lines(other.vectors[::25]), atol=1e-10)
    longer = found(tail=300, samples=2)
    np.testing.assert_array_equal(base.times[:2], longer.times)
    np.testing.assert_allclose(as_lines(base.vectors[:2]), as_lines(longer.vectors), atol=1e-8)


@pytest.mark.slow
def test_memory_is_that_of_the_samples_and_one_stretch():
    W = jnp.eye(16)

    def temporary(window, tail):
        options = {"length": window + tail, "frame_burn_in": 0, "tail": tail}
        call = jax.jit(lambda W: rd.covariant_vectors(linear, W, jnp.zeros(16), None, **options).vectors)
        return call.lower(W).compile().memory_analysis().temp_size_in_bytes

    assert temporary(16_000, 1000) < 6 * temporary(1000, 1000)  # √16 = 4
    assert temporary(1000, 16_000) < 6 * temporary(1000, 1000)


@pytest.mark.slow
def test_a_batch_in_both_precisions(dtype):
    cell = rd.cells.elman
    gains = jnp.array([0.9, 1.5], dtype)

    def at(gain):
        params = cell.init(jax.random.key(0), inputs=0, hidden=4, gain=gain)
        h0 = jnp.full(4, 0.1, dtype)
        return rd.covariant_vectors(cell.step, params, h0, None, length=90, frame_burn_in=40, tail=40, k=2)

    together = jax.vmap(at)(gains)
    for i, gain in enumerate(gains):
        np.testing.assert_allclose(together.angles[i], at(gain).angles, atol=2e-3 if dtype == "float32" else 1e-9)
    assert together.vectors.dtype == dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "k: got 4, expected at most n = 3"),
        ({"frame_burn_in": 3, "tail": 2}, "frame_burn_in, tail: got 3 and 2, expected fewer than T = 5 steps together"),
        ({"samples": 4}, "samples: got 4, expected at most 3, the steps between frame_burn_in and tail"),
        ({"tail": -1}, "tail: got -1"),
    ],
)
def test_options_that_do_not_fit(options, message, key):
    params, h0, xs = problem(rd.cells.elman, key)
    with pytest.raises(ValueError, match=message):
        rd.covariant_vectors(rd.cells.elman.step, params, h0, xs, **{"frame_burn_in": 1, "tail": 1, **options})
