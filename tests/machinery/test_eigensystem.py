"""The QR iteration for devices without a nonsymmetric eigensolver agrees with LAPACK, under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery import eigensystem
from rnn_dynamics.machinery.eigensystem import by_qr_iteration

N = 6


def cases():
    generator = np.random.default_rng(0)
    W = generator.normal(size=(N, N))
    return {
        "gaussian": W,
        "symmetric": W + W.T,
        "orthogonal": np.linalg.qr(W)[0],
        "cycle": np.roll(np.eye(N), 1, axis=0),  # a QR step without a shift leaves it as it is
        "turns": np.kron(np.eye(N // 2), [[0, 1], [-1, 0]]),
        "Jordan block": np.eye(N) + np.eye(N, k=1),
        "its transpose": np.eye(N) + np.eye(N, k=-1),
        "identity": np.eye(N),
        "zero": np.zeros((N, N)),
        "large": 1e30 * W,
        "tiny": 1e-30 * W,
    }


CASES = cases()


def distance(some, others):
    """The largest distance between paired values, each paired with the nearest that is left."""
    left, worst = list(np.asarray(others)), 0.0
    for value in np.asarray(some):
        nearest = int(np.argmin(np.abs(np.array(left) - value)))
        worst = max(worst, abs(left.pop(nearest) - value))
    return worst


@pytest.mark.parametrize("name", CASES)
def test_it_agrees_with_lapack(name, dtype):
    W = jnp.asarray(CASES[name], dtype)
    size, eps = max(float(np.abs(W).max()), 1e-300), float(jnp.finfo(dtype).eps)
    values, V = compiled(W)
    assert distance(values, np.linalg.eigvals(W)) <= 100 * eps * size
    np.testing.assert_allclose(W.astype(V.dtype) @ V, V * values[None], atol=100 * eps * size)
    np.testing.assert_allclose(np.linalg.norm(V, axis=0), 1, rtol=100 * eps)


compiled = jax.jit(by_qr_iteration)


def test_eigenvectors_of_a_defective_matrix_are_parallel():
    for name in ("Jordan block", "its transpose"):
        _, V = compiled(jnp.asarray(CASES[name]))
        assert np.linalg.cond(V) > 1e15
    assert np.linalg.cond(compiled(jnp.asarray(CASES["turns"]))[1]) < 1.001


def test_what_is_not_finite_gives_nan():
    for bad in (np.nan, np.inf):
        values, V = compiled(jnp.asarray(CASES["gaussian"]).at[1, 2].set(bad))
        assert np.isnan(values).all()
        assert np.isnan(V).all()


def test_a_batch_gives_what_each_gives_alone():
    batch = jnp.stack([jnp.asarray(CASES[name]) for name in ("gaussian", "cycle", "zero")])
    together = jax.jit(jax.vmap(by_qr_iteration))(batch)[0]
    for values, W in zip(together, batch, strict=True):
        assert distance(values, compiled(W)[0]) < 1e-13
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    over = jax.sharding.PartitionSpec("d")
    shard = jax.shard_map(lambda W: by_qr_iteration(W[0])[0][None], mesh=mesh, in_specs=over, out_specs=over)
    np.testing.assert_allclose(jax.jit(shard)(batch[:1])[0], together[0], rtol=1e-12)


def test_derivatives_are_those_of_lapack(monkeypatch):
    """On this device, and with a table that leaves nothing to LAPACK, so that the iteration runs here.

    Only this test has a matrix of 7 rows: its program with the other table stays in JAX's cache.
    """
    W = jnp.asarray(np.random.default_rng(1).normal(size=(7, 7)))

    def radius(by):
        return jax.grad(lambda W: jnp.max(jnp.abs(by(W))))

    expected = radius(jnp.linalg.eigvals)(W)
    small = W[:N, :N]
    np.testing.assert_allclose(radius(eigensystem.eigenvalues)(small), radius(jnp.linalg.eigvals)(small), rtol=1e-12)
    monkeypatch.setattr(eigensystem, "WAYS", {"": eigensystem.WAYS[""]})
    assert eigensystem.way("cpu") == "QR iteration in JAX"
    assert "geev" not in jax.jit(eigensystem.eigenvalues).lower(W).as_text()
    np.testing.assert_allclose(radius(eigensystem.eigenvalues)(W), expected, rtol=1e-10)


def test_each_platform_has_the_way_that_its_name_says():
    W = jnp.asarray(CASES["gaussian"])
    traced = jax.jit(eigensystem.eigenvalues).trace(W)
    for platform, mark in (("cpu", "lapack"), ("cuda", "custom_call"), ("tpu", "while")):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert mark in text, eigensystem.way(platform)
        assert ("while" in text) == (platform == "tpu")
