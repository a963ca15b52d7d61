"""Lines and surfaces of fixed points are said, not listed a thousand times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ends import described_ends

from rnn_dynamics.fixed_points import Ending

N = 6


def linear(W, h, x):
    return W @ h


def ring(a, h, x):
    r = jnp.sqrt(jnp.sum(h**2))
    return h * (1 + a * (1 - r**2))


def towards(params, h, x):
    W, point = params
    return point + W @ (h - point)


@pytest.fixture
def axes():
    return np.linalg.qr(np.random.default_rng(0).normal(size=(N, N)))[0]


def with_eigenvalues(axes, values):
    return jnp.asarray(axes * np.array(values) @ axes.T)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_linear_map_with_eigenvalue_one(axes, dimension):
    W = with_eigenvalues(axes, [1.0] * dimension + [0.5, 0.3, 0.2, -0.1, 0.0, 0.1][: N - dimension])
    ends = np.random.default_rng(1).normal(size=(1024, dimension)) @ axes[:, :dimension].T
    found = described_ends(linear, W, ends)
    assert len(found.speed) <= 16
    assert set(found.dimension.tolist()) == {dimension}
    assert set(found.manifold.tolist()) == {0}
    assert found.share.sum() == pytest.approx(1)
    assert np.all(found.undecided)
    kind = {1: "fixed line", 2: "fixed surface", 3: "fixed 3-dim."}[dimension]
    assert kind in found.summary()
    assert len(found.summary().split("\n")) == 3


def test_the_listed_points_are_spread_over_the_line_and_its_ends_are_among_them(axes):
    W = with_eigenvalues(axes, [1.0, 0.5, 0.3, 0.2, 0.1, 0.0])
    places = np.random.default_rng(2).uniform(size=1000)
    found = described_ends(linear, W, places[:, None] * axes[:, 0])
    listed = np.sort(np.asarray(found.points) @ axes[:, 0])
    assert listed[0] == pytest.approx(places.min())
    assert listed[-1] == pytest.approx(places.max())
    assert np.diff(listed).max() < 0.15
    # each candidate is counted at the nearest of them
    nearest = np.argmin(np.abs(np.asarray(found.points) @ axes[:, 0] - places[:, None]), axis=1)
    assert np.array_equal(found.ended_at, nearest)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_ring_of_fixed_points(dtype):
    with jax.enable_x64(dtype == "float64"):
        angle = np.random.default_rng(3).uniform(0, 2 * np.pi, 300)
        ends = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(dtype)
        found = described_ends(ring, np.dtype(dtype).type(0.2), ends)
    assert found.dimension.tolist() == [1] * 16
    assert set(found.manifold.tolist()) == {0}
    np.testing.assert_allclose(found.eigenvalues[:, 0].real, 1, atol=1e-6)
    np.testing.assert_allclose(found.eigenvalues[:, 1].real, 0.6, atol=1e-6)


def test_two_lines_are_two_and_a_point_beside_them_is_alone():
    # h_1' = h_1 + h_1 (1 - h_1) (h_1 + 1) / 10 rests at -1, 0, 1; along h_2 nothing moves if |h_1| = 1
    def step(p, h, x):
        a, b = h
        return jnp.stack([a + a * (1 - a**2) / 10, b * (1 - (1 - a**2) / 2)])

    b = np.random.default_rng(4).normal(size=40)
    ends = [[1.0, each] for each in b] + [[-1.0, each] for each in b[:20]] + [[0.0, 0.0]] * 4
    found = described_ends(step, None, ends)
    assert np.unique(found.manifold[np.asarray(found.dimension) == 1]).tolist() == [0, 1]
    assert np.sum(np.asarray(found.dimension) == 0) == 1
    for manifold, share in ((found.manifold[0], 40 / 64), (found.manifold[20], 20 / 64)):
        members = np.asarray(found.manifold) == manifold
        assert len({*np.asarray(found.points)[members, 0].tolist()}) == 1
        assert np.sum(np.asarray(found.share)[members]) == pytest.approx(share)
    assert "2 lines or surfaces" in repr(found)


def test_a_line_of_slow_points_moves():
    def step(p, h, x):
        return jnp.stack([h[0] + 0.01, 0.5 * h[1]])

    ends = np.stack([np.linspace(-1, 1, 100), np.zeros(100)], axis=1)
    found = described_ends(step, None, ends, Ending.SLOW)
    assert found.dimension.tolist() == [1] * 16
    assert not np.any(found.fixed)
    np.testing.assert_allclose(found.speed, 0.01)
    assert "slow line" in found.summary()


def test_a_bifurcation_is_no_line():
    # at h = 1 the eigenvalue is 1, so rounding leaves the place open; but (h - 1)³ moves its neighbours
    ends = 1 + 1e-7 * np.random.default_rng(5).normal(size=(40, 1))
    found = described_ends(lambda p, h, x: h - (h - 1) ** 3, None, ends, candidates=np.linspace(0, 2, 40)[:, None])
    assert found.dimension.tolist() == [0]
    assert found.undecided.tolist() == [True]
    assert found.points[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("apart", [1e-1, 1e-3, 1e-5])
def test_a_point_near_which_all_candidates_lie_is_no_line(dtype, apart):
    # candidates from a trajectory that has settled: rounding moves the ends by more than a thousandth of their spread
    rng = np.random.default_rng(6)
    axes = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    W = axes * np.concatenate([[0.995], np.linspace(-0.9, 0.9, 63)]) @ axes.T
    point = rng.choice([-0.9, 0.9], 64)
    eps = float(np.finfo(dtype).eps)
    ends = point + 100 * eps * rng.normal(size=(256, 1)) * axes[:, 0]
    candidates = point + apart / 8 * rng.normal(size=(256, 64))
    with jax.enable_x64(dtype == "float64"):
        params = jnp.asarray(W, dtype), jnp.asarray(point, dtype)
        found = described_ends(towards, params, ends.astype(dtype), candidates=candidates.astype(dtype))
    assert found.dimension.tolist() == [0]
    assert found.stable.tolist() == [True]
    assert found.share.tolist() == [1]


def test_points_of_a_line_far_from_all_candidates_are_not_listed(axes):
    W = with_eigenvalues(axes, [1.0, 0.5, 0.3, 0.2, 0.1, 0.0])
    places = np.random.default_rng(2).uniform(size=100)
    ends, far = places[:, None] * axes[:, 0], np.array([[-50.0], [70.0]]) * axes[:, 0]
    found = described_ends(linear, W, ends, more=far)
    assert not np.any(found.outlier)
    assert np.all(np.asarray(found.share) > 0)
    assert set(found.manifold.tolist()) == {0}


def test_where_every_state_is_fixed_nothing_is_attracted():
    found = described_ends(lambda p, h, x: h, None, np.random.default_rng(0).normal(size=(50, 2)))
    assert "fixed surface" in found.summary()
    assert "neutral" in found.summary()
