"""What is said of fixed points whose eigenvalues are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ends import described_ends

import rnn_dynamics as rd
from rnn_dynamics.fixed_points import Ending
from rnn_dynamics.fixed_points.points.ends import Searched
from rnn_dynamics.fixed_points.points.slow_error import slow_error
from rnn_dynamics.fixed_points.problem import opened

ANGLE = 2 * np.pi / 12


def linear(W, h, x):
    return W @ h


def scaled_tanh(g, h, x):
    return jnp.tanh(g * h)


def turning(decay=0.9):
    """A rotation by a twelfth with decay, and a direction of eigenvalue -1.5."""
    turn = decay * np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
    return jnp.asarray(np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.full((1, 1), -1.5)]]))


def test_a_rotation_has_its_frequency_and_its_time_constant():
    found = described_ends(linear, turning(), np.zeros((1, 3)), candidates=np.eye(3))
    np.testing.assert_allclose(found.frequencies[0], [1 / 2, 1 / 12, 1 / 12], rtol=1e-13)
    times = [-1 / np.log(1.5), -1 / np.log(0.9), -1 / np.log(0.9)]
    np.testing.assert_allclose(found.time_constants[0], times, rtol=1e-13)
    assert times[0] < 0 < times[1]
    assert found.unstable.tolist() == [1]
    assert not found.stable[0]
    np.testing.assert_allclose(found.margin, [-0.5])
    np.testing.assert_allclose(found.jacobians[0], turning())


def test_eigenvalues_are_judged_by_their_magnitude():
    # the real part of -1.5 is small and that of 0.999 e^{i 30°} is large
    assert described_ends(linear, turning(0.999), np.zeros((1, 3))).unstable.tolist() == [1]
    assert described_ends(linear, turning(1.001), np.zeros((1, 3))).unstable.tolist() == [3]


@pytest.mark.parametrize(
    ("g", "stable", "undecided", "unstable"),
    [(1.0, False, True, 0), (1 - 1e-6, True, False, 0), (1 + 1e-6, False, False, 1)],
)
def test_stability_is_undecided_at_one_and_only_there(g, stable, undecided, unstable):
    found = described_ends(scaled_tanh, g, np.zeros((3, 1)), candidates=np.ones((3, 1)))
    assert (found.stable.tolist(), found.undecided.tolist()) == ([stable], [undecided])
    assert found.unstable.tolist() == [unstable]
    assert found.margin[0] == pytest.approx(1 - g, abs=1e-15)
    assert 0 < found.margin_error[0] < 1e-14


def test_float32_cannot_decide_what_float64_can():
    def at(g, dtype):
        return described_ends(scaled_tanh, dtype(g), np.zeros((1, 1), dtype), candidates=np.ones((2, 1), dtype))

    with jax.enable_x64(False):
        assert at(1 + 2e-7, np.float32).undecided[0]
        assert at(1 + 1e-4, np.float32).unstable[0] == 1
        found = at(0.5, np.float32)
        assert {field.dtype.name for field in found if np.asarray(field).dtype.kind in "fc" and np.ndim(field)} == {
            "float32",
            "complex64",
        }


def test_the_error_of_the_point_counts():
    """At a point of a tanh net that a badly conditioned I - J spoils, J moves as far as the point may have moved."""
    g = 1 + 1e-8
    root = np.sqrt(3e-8)
    found = described_ends(lambda g, h, x: jnp.tanh(g * h), g, [[root]], candidates=np.ones((2, 1)))
    # λ = 1 - 2 (g - 1); the point is known to eps root / 2e-8, and λ to 2 root times that
    moved = 2 * root * 2.2e-16 * root / 2e-8
    alone = 4 * 2.2e-16
    assert alone + moved < found.margin_error[0] < alone + 10 * moved
    assert found.margin[0] == pytest.approx(2e-8, rel=1e-6)


def test_shares_add_up_to_one_without_the_lost():
    ends = np.array([[0.0]] * 5 + [[1.0]] * 3 + [[np.nan]] * 2)
    ending = [Ending.FIXED] * 5 + [Ending.FIXED] * 3 + [Ending.NOT_CONVERGED] * 2
    found = described_ends(lambda p, h, x: h**2, None, ends, ending, candidates=np.linspace(-1, 1, 10)[:, None])
    np.testing.assert_allclose(found.share, [0.5, 0.3])
    assert found.share.sum() == pytest.approx(1 - np.mean(np.asarray(found.ending) == Ending.NOT_CONVERGED))
    assert found.ended_at.tolist() == [0] * 5 + [1] * 3 + [-1] * 2
    np.testing.assert_allclose(found.points[:, 0], [0, 1])


def test_each_input_has_its_points_and_its_shares():
    # h' = h / 2 + x rests at 2 x
    xs = jnp.array([0.0, 1.0])
    ends = np.array([[0.0]] * 4 + [[2.0]] * 4)
    inputs = np.repeat([0, 1], 4)
    found = described_ends(lambda p, h, x: 0.5 * h + x, None, ends, 2, np.ones((4, 1)), xs, inputs)
    np.testing.assert_allclose(found.points[:, 0], [0, 2])
    assert found.input.tolist() == [0, 1]
    np.testing.assert_allclose(found.share, [1, 1])
    np.testing.assert_allclose(found.residual, 0)
    assert found.ended_at.tolist() == [0] * 4 + [1] * 4
    assert "input" in found.summary()


def test_points_of_deflation_have_no_share():
    candidates = np.array([[0.1], [0.2], [-0.3]])
    found = described_ends(lambda p, h, x: h**2, None, np.zeros((3, 1)), 2, candidates, more=[[1.0]])
    np.testing.assert_allclose(found.points[:, 0], [0, 1])
    np.testing.assert_allclose(found.share, [1, 0])
    assert len(found.ended_at) == 3


def test_a_point_far_from_all_candidates_is_an_outlier():
    candidates = np.random.default_rng(0).normal(size=(100, 1)) * 0.01
    found = described_ends(lambda p, h, x: h**2, None, [[0.0]] * 99 + [[1.0]], candidates=candidates)
    assert found.outlier.tolist() == [False, True]
    spread = np.std(candidates)
    np.testing.assert_allclose(found.distance[1], (1 - candidates.max()) / spread)
    assert "outlier" in found.summary()


def test_states_of_any_tree():
    cell = rd.cells.lstm
    params = cell.init(jax.random.key(0), inputs=1, hidden=3, gain=0.1, forget_bias=-5.0)
    candidates = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (8, 3)), cell.initial_state(params))
    found = described_ends(cell.step, params, np.zeros((8, 6)), candidates=candidates)
    assert found.points.h.shape == found.points.c.shape == (1, 3)
    np.testing.assert_array_equal(found.points.c, 0)
    assert found.stable.tolist() == [True]
    nothing = described_ends(cell.step, params, np.full((8, 6), np.nan), Ending.NOT_CONVERGED, candidates=candidates)
    assert nothing.points.c.shape == (0, 3)
    assert nothing.eigenvalues.shape == (0, 6)
    assert repr(nothing) == "FixedPoints(n=6): 0 fixed (0 stable), 0 slow; 100% of 8 candidates lost"
    assert nothing.summary().startswith(repr(nothing))


def test_a_complex_state_comes_back():
    def step(p, h, x):
        return 0.5j * h + 1

    ends = np.array([[0.8, 0.4]] * 2)  # 1 / (1 - i/2)
    found = described_ends(step, None, ends, candidates=jnp.array([1.0 + 0j, 2.0]))
    np.testing.assert_allclose(found.points, [0.8 + 0.4j])
    np.testing.assert_allclose(found.frequencies[0], [0.25, 0.25])


def test_an_end_without_a_finite_jacobian_did_not_converge():
    def step(p, h, x):
        return jnp.sqrt(jnp.sum(h**2)) * h  # at 0 its derivative is NaN in JAX

    found = described_ends(step, None, [[0.0, 0.0], [1.0, 0.0]], candidates=np.eye(2))
    assert found.ending.tolist() == [Ending.NOT_CONVERGED, Ending.FIXED]
    assert found.ended_at.tolist() == [-1, 0]
    assert len(found.speed) == 1


@pytest.mark.parametrize(("other", "unstable"), [(0.5, 0), (-1.2, 1)])
def test_slow_points_are_merged_and_are_not_fixed(other, unstable):
    # h + 0.01 + h² / 10 has the least speed, 0.01, at 0, where its derivative is 1
    def step(p, h, x):
        return jnp.stack([h[0] + 0.01 + h[0] ** 2 / 10, other * h[1]])

    draw = np.random.default_rng(0).normal
    ends = 1e-7 * np.abs(draw(size=(20, 2))) * np.array([1, 1e-3])
    found = described_ends(step, None, ends, Ending.SLOW, draw(size=(20, 2)))
    assert found.fixed.tolist() == [False]
    np.testing.assert_allclose(found.speed, [0.01])
    np.testing.assert_allclose(found.share, [1])
    assert found.dimension.tolist() == [0]
    assert (found.undecided.tolist(), found.unstable.tolist()) == ([False], [unstable])
    assert found.stable.tolist() == [unstable == 0]
    assert found.margin_error[0] < 1e-6
    assert "slow" in found.summary()


def test_the_error_of_a_slow_point():
    # q = ½ (0.01 + h² / 10)² has the curvature 0.002 at 0
    def step(p, h, x):
        return h + 0.01 + h**2 / 10

    problem = opened(step, None, jnp.linspace(-1, 1, 11)[:, None], None)
    at = np.array([[0.0], [1e-5]])
    searched = Searched(problem, None, at, np.ones(2), np.zeros(2, int), 0.6, np.finfo(float).eps)
    error = slow_error(searched, at, np.zeros(2, int), *searched.near(at, np.zeros(2, int)))
    assert error.size[0] < 1e-11
    assert error.size[1] == pytest.approx(1e-5, rel=1e-2)


def test_curvature_of_the_step_holds_a_slow_point_across_its_slow_direction_too():
    # A maps both directions to little, but q = ½ (0.05 + x² / 10 + y²)² + ½ (y / 1000)² has the curvature 0.1 along y
    def step(p, h, x):
        return h + jnp.stack([0.05 + h[0] ** 2 / 10 + h[1] ** 2, 1e-3 * h[1]])

    candidates = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    with jax.enable_x64(False):
        found = described_ends(step, None, np.zeros((1, 2), np.float32), Ending.SLOW, candidates)
    assert found.margin_error[0] < 1e-4
    assert found.unstable.tolist() == [1]


def test_another_number_of_points_compiles_nothing(compilations):
    rng = np.random.default_rng(0)

    def described_at(count):
        ends = rng.normal(size=(count, 2))[np.arange(64) % count]
        return described_ends(
            lambda p, h, x: p * h, jnp.asarray(rng.normal()), ends, candidates=rng.normal(size=(64, 2))
        )

    described_at(3)
    before = compilations.count
    assert len(described_at(50).speed) == 50
    assert compilations.count == before


def test_a_summary_has_a_row_for_each_point():
    found = described_ends(linear, turning(), np.zeros((1, 3)), candidates=np.eye(3))
    assert repr(found) == "FixedPoints(n=3): 1 fixed (0 stable), 0 slow; 0% of 1 candidates lost"
    lines = found.summary().split("\n")
    assert lines[1].split() == ["point", "kind", "stability", "speed", "|λ_1|", "slowest", "candidates"]
    assert lines[2].split() == ["0", "fixed", "1", "unstable", "0", "1.5", "9.491", "33.3%"]


def test_copies_of_one_candidate_have_no_spread():
    # their mean differs from them by rounding
    found = described_ends(lambda p, h, x: h**2, None, [[0.0]], candidates=np.full((50, 1), 0.1))
    assert not found.outlier[0]
    assert found.distance.tolist() == [0.1]


@pytest.mark.parametrize("size", [1e-170, 1e150])
def test_squares_of_the_candidates_neither_overflow_nor_vanish(size):
    rng = np.random.default_rng(0)
    found = described_ends(lambda p, h, x: 0.5 * h, None, np.zeros((1, 2)), candidates=size * rng.normal(size=(9, 2)))
    assert 0 < found.distance[0] < 2


@pytest.mark.parametrize(
    ("candidates", "error", "words"),
    [
        (
            np.array([[1e200]]),
            ValueError,
            "candidates: got numbers as large as 1e\\+200, expected at most 1e\\+151 in float64",
        ),
        (np.array([[3]]), TypeError, "candidates: got dtype int64, expected a float dtype"),
    ],
)
def test_states_that_cannot_be_searched_are_refused(candidates, error, words):
    for search in (rd.find_fixed_points, rd.slow_manifolds):
        with pytest.raises(error, match=words):
            search(lambda p, h, x: h, None, jnp.asarray(candidates))
