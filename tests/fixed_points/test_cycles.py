"""Cycles of maps whose cycles are known: all of them, once each, with their true periods and multipliers."""

import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import rnn_dynamics as rd
from rnn_dynamics.fixed_points import Ending

LOGISTIC = {1: 2, 2: 1, 3: 2, 4: 3, 5: 6, 6: 9}
# on the attractor 1, 1, 0, 1, 0, 2, 4, 7, 6, 10, 14, 19, 32: Biham & Wenzel (1989), Davidchack & Lai (1999), Galias
# (2001). The second fixed point lies off the attractor, at x = -1.131
HENON = {1: 2, 2: 1, 3: 0, 4: 1, 5: 0, 6: 2, 7: 4, 8: 7, 9: 6, 10: 10, 11: 14, 12: 19, 13: 32}
HENON_PARAMS = np.array([1.4, 0.3])


def logistic(r, h, x):
    return r * h * (1 - h)


def henon(p, h, x):
    return jnp.stack([1 - p[0] * h[0] ** 2 + h[1], p[1] * h[0]])


def linear(W, h, x):
    return W @ h


def linear_in_tanh(W, h, x):
    return jnp.tanh(W @ h)


def flipping(g, h, x):
    return jnp.tanh(-g * h)


def grid():
    return jnp.stack(jnp.meshgrid(jnp.linspace(-1.5, 1.5, 12), jnp.linspace(-0.4, 0.4, 6)), -1).reshape(-1, 2)


def on_the_attractor(count):
    h, states = np.array([0.1, 0.1]), []
    for _ in range(count + 50):
        h = np.array([1 - 1.4 * h[0] ** 2 + h[1], 0.3 * h[0]])
        states.append(h)
    return jnp.asarray(np.array(states[50:]))


def rotation(turn, decay=1.0):
    angle = 2 * np.pi * turn
    return decay * jnp.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def periods(found):
    return dict(Counter(np.asarray(found.period).tolist()))


def expected(counts, period):
    return {q: counts[q] for q in range(1, period + 1) if period % q == 0 and counts[q]}


@pytest.mark.parametrize("period", range(1, 7))
def test_all_cycles_of_the_logistic_map(period):
    found = rd.find_cycles(logistic, 4.0, jnp.linspace(0.05, 0.95, 40), period)
    assert periods(found) == expected(LOGISTIC, period)
    # 4 at h = 0, else ±2^q with the sign of Π (1 - 2 h), which sin² turns into a product of cosines
    for points, q, multiplier in zip(found.points, found.period, found.multipliers[:, 0], strict=True):
        of_zero = bool(points[0] < 1e-9)
        exact = 4.0 if of_zero else 2.0**q * np.sign(np.prod(np.asarray(1 - 2 * points[:q])))
        np.testing.assert_allclose(multiplier, exact, rtol=1e-10)
    assert found.residual.max() <= 1e-14
    assert found.error.max() <= 1e-12
    np.testing.assert_array_equal(found.unstable, 1)
    assert not np.any(found.stable | found.undecided)
    assert found.share.sum() <= 1 + 1e-12


def test_points_of_the_logistic_map_are_squares_of_sines():
    # sin²(θ) goes to sin²(2 θ): a point of period p is at 2^p θ = θ + k π or -θ + k π
    found = rd.find_cycles(logistic, 4.0, jnp.linspace(0.05, 0.95, 40), 5)
    exact = {1: [0.0, 0.75], 5: []}
    for k in range(1, 16):
        exact[5] += [np.sin(np.pi * k / 31) ** 2, np.sin(np.pi * k / 33) ** 2]
    exact[5].append(np.sin(np.pi * 16 / 33) ** 2)
    exact[5] = sorted(set(exact[5]) - {np.sin(np.pi * 11 / 33) ** 2})
    for q in (1, 5):
        points = np.asarray(found.points)[found.period == q][:, :q]
        np.testing.assert_allclose(np.sort(points.ravel()), exact[q], atol=1e-13)


@pytest.mark.parametrize("period", [2, 3, 6, 7])
def test_all_cycles_of_henons_map(period):
    found = rd.find_cycles(henon, HENON_PARAMS, grid(), period)
    assert periods(found) == expected(HENON, period)
    # each Jacobian has determinant -0.3: the small multiplier is right to all its digits
    product = np.prod(np.asarray(found.multipliers), axis=1)
    np.testing.assert_allclose(product, (-0.3) ** np.asarray(found.period), rtol=1e-12)
    assert found.residual.max() <= 1e-14


@pytest.mark.slow
@pytest.mark.parametrize("period", range(1, 14))
def test_all_cycles_of_henons_map_to_period_13(period):
    found = rd.find_cycles(henon, HENON_PARAMS, on_the_attractor(256), period, rounds=16)
    assert periods(found) == expected(HENON, period)


@pytest.mark.slow
def test_hundreds_of_cycles():
    # by Möbius inversion of 2^p points: 30 of period 8, 99 of period 10
    for period, count in ((8, 30), (10, 99)):
        found = rd.find_cycles(logistic, 4.0, jnp.linspace(0.001, 0.999, 400), period)
        assert periods(found)[period] == count


def test_candidates_that_escape_are_lost_and_nothing_warns():
    far = jnp.concatenate([grid(), jnp.array([[1e6, 0.0], [-1e100, 1e100]])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rd.find_cycles(henon, HENON_PARAMS, far, 7)
        lost = rd.find_cycles(lambda p, h, x: jnp.exp(h) + 1, None, jnp.array([[0.3], [700.0]]), 2)
    assert found.ending.shape == (74,)
    assert Ending.NOT_CONVERGED in found.ending
    np.testing.assert_array_equal(found.ended_at < 0, found.ending == Ending.NOT_CONVERGED)
    assert len(lost.period) == 0
    assert "no cycle; 100% of 2 candidates lost" in repr(lost)
    np.testing.assert_array_equal(lost.ending, Ending.NOT_CONVERGED)


def test_the_states_of_a_cycle_follow_each_other():
    found = rd.find_cycles(henon, HENON_PARAMS, grid(), 6)
    after = jax.vmap(jax.vmap(lambda h: henon(HENON_PARAMS, h, None)))(found.points)
    np.testing.assert_allclose(after, jnp.roll(found.points, -1, axis=1), atol=1e-14)
    # a cycle of period 2 stands there three times
    short = np.asarray(found.points)[found.period == 2]
    np.testing.assert_array_equal(short[:, :2], short[:, 2:4])


def test_a_two_cycle_is_not_four():
    # h = tanh(g h') with h' = -h: |h| solves h = tanh(g h)
    h = brentq(lambda h: np.tanh(2 * h) - h, 0.1, 1, xtol=1e-15)
    for period in (2, 4):
        found = rd.find_cycles(flipping, 2.0, jnp.linspace(-1, 1, 11)[:, None], period)
        assert found.period.tolist() == [1, 2]
        np.testing.assert_allclose(found.points[1, :2, 0], [-h, h], atol=1e-15)
        np.testing.assert_allclose(found.multipliers[:, 0], [-2, (2 * (1 - h**2)) ** 2], rtol=1e-12)
        assert found.stable.tolist() == [False, True]
        np.testing.assert_allclose(found.share.sum(), 1)


@pytest.mark.parametrize(("g", "undecided"), [(1.0, True), (1 - 1e-6, False), (1 + 1e-3, False)])
def test_at_a_period_doubling_stability_is_undecided(g, undecided):
    found = rd.find_cycles(flipping, g, jnp.linspace(-1, 1, 11)[:, None], 2)
    at_zero = np.flatnonzero(found.period == 1)
    assert len(at_zero) == 1
    assert found.undecided[at_zero[0]] == undecided
    np.testing.assert_allclose(found.points[at_zero[0]], 0, atol=1e-12)
    # the 2-cycle that is born there has h² = 3 (g - 1) / g³, to first order
    assert periods(found) == ({1: 1, 2: 1} if g > 1 else {1: 1})
    if g > 1:
        np.testing.assert_allclose(np.abs(found.points[1]), np.sqrt(3 * (g - 1)), rtol=5e-3)
        assert found.stable[1]


@pytest.mark.parametrize("period", [2, 4, 6])
def test_at_a_period_doubling_there_is_no_longer_cycle_yet(period, dtype):
    # at r = 3, f²(h) - h is a cube around h = 2/3, so 2-cycles as far from it as a cube root of rounding seem to exist
    found = rd.find_cycles(logistic, jnp.asarray(3.0, dtype), jnp.linspace(0.05, 0.95, 40, dtype=dtype), period)
    doubling = np.flatnonzero(np.abs(found.points.reshape(len(found.period), -1)[:, 0] - 2 / 3) < 0.1)
    assert found.period[doubling].tolist() == [1]
    np.testing.assert_allclose(found.points[doubling[0]], 2 / 3, atol=4 * jnp.finfo(dtype).eps)
    assert found.undecided[doubling[0]]
    assert not np.any(found.stable)
    assert np.all(found.period == 1)


def test_the_second_doubling_and_one_of_all_directions_at_once():
    found = rd.find_cycles(logistic, 1 + np.sqrt(6), jnp.linspace(0.05, 0.95, 40), 4)
    assert 4 not in found.period
    two = found.period.tolist().index(2)
    assert found.undecided[two]
    np.testing.assert_allclose(found.multipliers[two, 0], -1, atol=1e-12)
    found = rd.find_cycles(linear_in_tanh, -jnp.eye(2), jax.random.normal(jax.random.key(0), (20, 2)), 2)
    assert found.period.tolist() == [1]
    assert found.residual[0] <= 1e-15
    assert found.share[0] == 1


def test_a_cycle_just_after_its_birth_is_one():
    # the distance of its two states from the fixed point is about √(r - 3) / 3
    for r in (3 + 1e-4, 3 + 1e-6):
        found = rd.find_cycles(logistic, r, jnp.linspace(0.05, 0.95, 40), 2)
        assert periods(found) == {1: 2, 2: 1}
        np.testing.assert_allclose(found.multipliers[2, 0], 1 - 4 * (r - 3), atol=2e-8)
        assert found.stable[2]


def test_at_its_birth_a_cycle_is_one_and_undecided():
    # the two cycles of period 3 are born at r = 1 + √8, with multiplier 1
    for r, count in ((1 + np.sqrt(8) - 1e-6, 0), (1 + np.sqrt(8), 1), (1 + np.sqrt(8) + 1e-6, 2)):
        found = rd.find_cycles(logistic, r, jnp.linspace(0.05, 0.95, 40), 3)
        three = found.period == 3
        assert np.sum(three) == count
        assert np.all(found.undecided[three] == (count == 1))
        assert np.all(found.dimension[three] == int(count == 1))
        np.testing.assert_array_equal(found.family, 1)


def test_the_order_of_the_jacobians():
    # three units pass their sign on in a ring, and the other two have another matrix at each of its states. For two
    # matrices, or those of Hénon's map, the products in both orders would have equal eigenvalues
    M = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 2)))

    def step(M, h, x):
        a, z = h[:2], h[2:]
        return jnp.concatenate([jnp.tanh(jnp.einsum("k,kij,j->i", z, M, a) + 0.3), jnp.tanh(3 * jnp.roll(z, 1))])

    found = rd.find_cycles(step, M, jax.random.normal(jax.random.key(0), (10, 5)), 3)
    assert np.sum(found.period == 3) >= 2
    for i in np.flatnonzero(found.period == 3):
        J = [np.asarray(jax.jacfwd(lambda h: step(M, h, None))(h)) for h in found.points[i]]
        exact = np.linalg.eigvals(J[2] @ J[1] @ J[0])
        np.testing.assert_allclose(np.sort(np.abs(found.multipliers[i])), np.sort(np.abs(exact)), rtol=1e-6, atol=1e-12)


def test_a_plane_full_of_cycles_is_listed_once(dtype):
    W = rotation(1 / 5).astype(dtype)
    found = rd.find_cycles(linear, W, jax.random.normal(jax.random.key(0), (100, 2), dtype), 5)
    assert found.period.tolist() == [5]
    assert found.dimension.tolist() == [2]
    assert found.family[0] >= 100
    assert found.undecided[0]
    np.testing.assert_allclose(np.abs(found.multipliers), 1, rtol=1e-5)
    np.testing.assert_allclose(found.share, 1)
    assert "(family)" in found.summary()


def test_a_turning_fixed_point_is_isolated():
    found = rd.find_cycles(linear, rotation(1 / 5), jax.random.normal(jax.random.key(0), (20, 2)), 3)
    assert found.period.tolist() == [1]
    assert (found.dimension.tolist(), found.family.tolist()) == ([0], [1])
    assert found.undecided[0]
    found = rd.find_cycles(linear, rotation(1 / 5, 0.9), jax.random.normal(jax.random.key(0), (20, 2)), 5)
    assert found.period.tolist() == [1]
    assert found.stable[0]
    np.testing.assert_allclose(np.abs(found.multipliers), 0.9, rtol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "lru"])
def test_any_state_tree(cell, key):
    # (h, c), and complex numbers, with a constant input
    cell, x = rd.cells.CELLS[cell], jnp.ones(2)
    params = cell.init(key, inputs=2, hidden=3)
    zeros = cell.initial_state(params)
    candidates = jax.tree.map(lambda leaf: jnp.stack([leaf + 0.1 * i for i in range(6)]), zeros)
    found = rd.find_cycles(cell.step, params, candidates, 2, x)
    assert found.period[0] == 1
    assert jax.tree.structure(found.points) == jax.tree.structure(zeros)
    h = jax.tree.map(lambda leaf: leaf[0, 0], found.points)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-13), cell.step(params, h, x), h)
    exact = np.linalg.eigvals(np.asarray(rd.step_jacobian(cell.step, params, h, x)))
    np.testing.assert_allclose(np.sort(np.abs(found.multipliers[0])), np.sort(np.abs(exact)), atol=1e-12)
    assert found.residual[0] <= 1e-14


def test_a_cycle_of_an_lstm(key):
    # c' = -c / 2 + …: strong negative feedback from h through the cell candidate makes an lstm alternate
    params = rd.cells.lstm.init(key, inputs=1, hidden=1, gain=0.0, forget_bias=-9.0, input_bias=9.0, output_bias=9.0)
    params = params._replace(cell=params.cell._replace(W=jnp.array([[-4.0]]), U=jnp.zeros((1, 1))))
    start = rd.cells.lstm.initial_state(params)
    candidates = jax.tree.map(lambda leaf: jnp.linspace(-0.7, 0.7, 8)[:, None] + leaf[None], start)
    found = rd.find_cycles(rd.cells.lstm.step, params, candidates, 2, jnp.zeros(1))
    assert found.period.tolist() == [1, 2]
    assert found.stable.tolist() == [False, True]
    assert found.points.h.shape == (2, 2, 1)
    np.testing.assert_allclose(found.points.h[1, 0], -found.points.h[1, 1], atol=1e-13)


def test_both_float_types(dtype):
    candidates = jnp.linspace(0.05, 0.95, 40, dtype=dtype)
    found = rd.find_cycles(logistic, jnp.asarray(4.0, dtype), candidates, 6)
    assert periods(found) == expected(LOGISTIC, 6)
    assert found.points.dtype == dtype
    assert found.residual.max() <= (1e-6 if dtype == jnp.float32 else 1e-14)
    assert np.all(found.unstable == 1)


def test_known_cycles_are_divided_out():
    candidates = jnp.linspace(0.05, 0.95, 40)
    first = rd.find_cycles(logistic, 4.0, candidates[:3], 6, rounds=0)
    assert 0 < len(first.period) < 14
    more = rd.find_cycles(logistic, 4.0, candidates, 6, known=first.points)
    together = Counter(periods(first)) + Counter(periods(more))
    assert together == expected(LOGISTIC, 6)
    nothing = rd.find_cycles(logistic, 4.0, candidates, 2, known=rd.find_cycles(logistic, 4.0, candidates, 2).points)
    assert len(nothing.period) == 0
    np.testing.assert_array_equal(nothing.ended_at, -1)


def test_one_candidate_is_enough_for_a_small_map():
    found = rd.find_cycles(logistic, 4.0, jnp.array([0.3]), 3)
    assert periods(found) == expected(LOGISTIC, 3)


def test_new_parameters_compile_nothing(compilations):
    candidates = jnp.linspace(0.05, 0.95, 40)
    rd.find_cycles(logistic, jnp.asarray(4.0), candidates, 3)
    r, others = jnp.asarray(3.83), candidates**2
    before = compilations.count
    found = rd.find_cycles(logistic, r, others, 3)
    assert compilations.count == before
    # within the window of period 3 one of its two cycles is stable
    assert found.stable.tolist().count(True) == 1
    assert periods(found) == {1: 2, 3: 2}


@pytest.mark.parametrize(
    ("period", "error"), [(0, ValueError), (-1, ValueError), (True, ValueError), (2.5, TypeError), ("2", TypeError)]
)
def test_a_period_that_is_none(period, error):
    with pytest.raises(error, match="period"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3]), period)


def test_other_arguments_are_checked():
    with pytest.raises(ValueError, match="candidates: got 1 non-finite"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3, np.nan]), 2)
    with pytest.raises(ValueError, match=r"known: got shape \(1, 3\), expected \(cycles, 2\)"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3]), 2, known=jnp.zeros((1, 3)))
    with pytest.raises(TypeError, match="known: got a tree"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3]), 2, known=(jnp.zeros((1, 2)),))
    with pytest.raises(ValueError, match="tolerance: got 0"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3]), 2, tolerance=0)
    with pytest.raises(ValueError, match="rounds: got -1"):
        rd.find_cycles(logistic, 4.0, jnp.array([0.3]), 2, rounds=-1)
    gru = rd.cells.gru
    params = gru.init(jax.random.key(0), inputs=2, hidden=3)
    with pytest.raises(ValueError, match="state: got shape"):
        rd.find_cycles(gru.step, params, jnp.zeros((4, 2)), 2, jnp.zeros(2))


def test_known_cycles_may_be_none_and_must_be_finite():
    candidates = jnp.linspace(0.05, 0.95, 40)
    nothing = rd.find_cycles(lambda p, h, x: h + 1, None, candidates, 2)
    found = rd.find_cycles(logistic, 4.0, candidates, 2, known=nothing.points)
    assert periods(found) == {1: 2, 2: 1}
    with pytest.raises(ValueError, match="known: got 2 non-finite of 2"):
        rd.find_cycles(logistic, 4.0, candidates, 2, known=jnp.full((1, 2), jnp.nan))


def test_it_prints_on_one_screen():
    found = rd.find_cycles(logistic, 4.0, jnp.linspace(0.05, 0.95, 40), 3)
    assert repr(found).startswith("Cycles(n=1): 2 of period 1, 2 of period 3 (0 stable); 0% of 40 candidates lost")
    assert "1 unstable" in found.summary()
    assert len(found.summary().splitlines()) == 6
