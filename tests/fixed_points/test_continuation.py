"""Continuation on maps whose bifurcations are known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

EXACT = 1e-8  # what the bifurcations must be located to; in float64 they are found to 1e-12


def logistic(r, h, x):
    return r * h * (1 - h)


def tanh_net(W, h, x):
    return jnp.tanh(W @ h)


def itself(value):
    return value


def henon(a, h, x):
    return jnp.stack([1 - a * h[0] ** 2 + h[1], 0.3 * h[0]])


def values(first, last, count):
    return jnp.linspace(first, last, count)


def found(branch):
    return [(each.kind, each.value) for each in branch.bifurcations]


def is_near(got, expected, error=EXACT):
    assert [kind for kind, _ in got] == [kind for kind, _ in expected]
    np.testing.assert_allclose([value for _, value in got], [value for _, value in expected], rtol=0, atol=error)
    return True


# the zero state of h' = tanh(g W h): its Jacobian is g W


def test_the_zero_state_of_a_tanh_net_bifurcates_where_an_eigenvalue_of_its_weights_passes_the_unit_circle():
    W = np.random.default_rng(3).normal(size=(12, 12)) / np.sqrt(12)
    branch = rd.continuation(tanh_net, lambda g: g * jnp.asarray(W), jnp.zeros(12), values(0.5, 4.0, 9))
    eigenvalues = np.linalg.eigvals(W)
    expected = [
        (1 / abs(each), "neimark_sacker" if each.imag else "branch" if each.real > 0 else "flip", each / abs(each))
        for each in eigenvalues
        if each.imag >= 0 and 0.5 < 1 / abs(each) < 4.0
    ]
    expected.sort(key=lambda each: each[0])
    assert {kind for _, kind, _ in expected} == {"neimark_sacker", "branch", "flip"}
    assert is_near(found(branch), [(kind, value) for value, kind, _ in expected], 1e-12)
    np.testing.assert_allclose([b.multiplier for b in branch.bifurcations], [m for *_, m in expected], atol=1e-12)
    assert np.abs(branch.points).max() == 0.0
    np.testing.assert_array_equal(branch.values, values(0.5, 4.0, 9))
    assert branch.unstable.tolist() == [int(np.sum(g * np.abs(eigenvalues) > 1)) for g in branch.values]


def test_a_rotation_has_a_neimark_sacker_point_at_its_angle():
    R = 0.8 * jnp.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    branch = rd.continuation(tanh_net, lambda g: g * R, jnp.zeros(2), values(0.5, 2.0, 16))
    assert is_near(found(branch), [("neimark_sacker", 1.25)], 1e-12)
    assert np.angle(branch.bifurcations[0].multiplier) == pytest.approx(0.7, abs=1e-12)
    assert branch.stable.tolist() == [value < 1.25 for value in branch.values]


def test_all_eigenvalues_of_an_orthogonal_matrix_cross_at_once():
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))
    branch = rd.continuation(tanh_net, lambda g: g * jnp.asarray(Q), jnp.zeros(8), values(0.5, 1.5, 10))
    expected = sorted(np.angle(each) for each in np.linalg.eigvals(Q) if each.imag >= 0)
    assert sorted(np.angle(each.multiplier) for each in branch.bifurcations) == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose([each.value for each in branch.bifurcations], 1.0, rtol=0, atol=1e-12)
    assert sorted(each.kind for each in branch.bifurcations) == ["branch", "flip", *["neimark_sacker"] * 3]


def test_a_multiple_crossing_says_its_multiplicity():
    branch = rd.continuation(tanh_net, lambda g: g * jnp.eye(3), jnp.zeros(3), values(0.5, 1.5, 10))
    assert is_near(found(branch), [("branch", 1.0)])
    assert branch.bifurcations[0].multiplicity == 3


def test_a_neutral_saddle_is_no_bifurcation():
    # the product of both eigenvalues is 1 at g = 1, where nothing crosses
    branch = rd.continuation(
        tanh_net, lambda g: g * jnp.diag(jnp.array([2.0, 0.5])), jnp.zeros(2), values(0.8, 1.3, 12)
    )
    assert branch.bifurcations == ()


def test_multipliers_that_come_in_and_go_out_within_one_step_are_all_seen():
    def swapping(mu, h, x):
        pair = (0.955 + 0.1 * mu) * jnp.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
        return jnp.tanh(jnp.concatenate([(1.2 - 0.4 * mu) * h[:1], -(1.3 - 0.5 * mu) * h[1:2], pair @ h[2:]]))

    branch = rd.continuation(swapping, itself, jnp.zeros(4), values(0.0, 1.0, 2))
    assert branch.unstable.tolist() == [2, 2]
    assert is_near(found(branch), [("neimark_sacker", 0.45), ("branch", 0.5), ("flip", 0.6)], 1e-12)


# folds


def test_an_s_shaped_curve_is_followed_through_both_of_its_folds():
    w = 2.0
    h = np.sqrt(1 - 1 / w)
    tip = w * h - np.arctanh(h)
    branch = rd.continuation(
        lambda mu, h, x: jnp.tanh(w * h + mu), itself, jnp.array(-1.0), values(-1.0, 1.0, 21), most_points=200
    )
    assert is_near(found(branch), [("fold", tip), ("fold", -tip)], 1e-12)
    assert [float(each.state) for each in branch.bifurcations] == pytest.approx([-h, h], abs=1e-7)
    assert branch.ended == "reached the last of the values"
    np.testing.assert_allclose(branch.values, np.arctanh(branch.points) - w * branch.points, atol=1e-12)
    # each value that was asked for is passed once outside the folds and three times between them
    times = [int(np.sum(np.asarray(branch.values) == value)) for value in values(-1.0, 1.0, 21)]
    assert times == [3 if abs(value) < tip else 1 for value in values(-1.0, 1.0, 21)]
    order = np.argsort(branch.points)
    assert order.tolist() == list(range(order.size))  # it never turns back
    assert branch.stable.tolist() == [abs(value) > h for value in branch.points]


def test_past_a_fold_the_branch_comes_back_to_the_first_value():
    a, first = values(-0.05, -0.5, 10), -0.05
    h, other = sorted(np.roots([first, 0.7, -1.0]))
    branch = rd.continuation(henon, itself, jnp.array([h, 0.3 * h]), a)
    assert is_near(found(branch), [("fold", -(0.7**2) / 4)], 1e-12)
    assert branch.ended == "came back past the first of the values"
    assert branch.values[-1] == first
    assert float(branch.points[-1, 0]) == pytest.approx(other, rel=1e-12)


def test_the_cycle_of_period_3_of_the_logistic_map_begins_in_a_fold():
    branch = rd.continuation(
        logistic, itself, jnp.array(np.sin(np.pi / 7) ** 2), values(4.0, 3.7, 13), period=3, most_points=500
    )
    assert [kind for kind, _ in found(branch)] == ["fold", "flip"]
    assert branch.bifurcations[0].value == pytest.approx(1 + np.sqrt(8), abs=1e-12)
    assert branch.points.shape == (branch.values.size, 3)
    after = logistic(branch.values[:, None], branch.points, None)
    np.testing.assert_allclose(after, np.roll(branch.points, -1, axis=1), atol=1e-14)
    slopes = (branch.values[:, None] * (1 - 2 * branch.points)).prod(axis=1)
    np.testing.assert_allclose(branch.multipliers[:, 0], slopes, atol=1e-11)


def test_multipliers_of_a_cycle_are_those_of_the_composed_map():
    def coupled(r, h, x):
        return jnp.stack([r * h[0] * (1 - h[0]) + 0.05 * h[1], 0.2 * h[1] + h[0] ** 3])

    branch = rd.continuation(coupled, itself, jnp.array([0.16, 0.05]), values(3.9, 4.0, 3), period=3)

    def three_times(h):
        return coupled(3.9, coupled(3.9, coupled(3.9, h, None), None), None)

    expected = np.linalg.eigvals(jax.jacfwd(three_times)(branch.points[0, 0]))
    np.testing.assert_allclose(np.sort(branch.multipliers[0].real), np.sort(expected), atol=1e-12)
    np.testing.assert_allclose(three_times(branch.points[0, 0]), branch.points[0, 0], atol=1e-13)
    assert branch.residual.max() < 1e-14


def test_units_that_fold_together_are_one_fold():
    grid = values(-1.0, 1.0, 21)
    branch = rd.continuation(lambda mu, h, x: jnp.tanh(2 * h + mu), itself, -jnp.ones(2), grid)
    tip = np.sqrt(2) - np.arctanh(np.sqrt(0.5))
    assert is_near(found(branch), [("fold", tip), ("fold", -tip)])
    assert [each.multiplicity for each in branch.bifurcations] == [2, 2]


@pytest.mark.parametrize(("sign", "last"), [(1, 1.0), (-1, -1.0)])
def test_a_start_at_a_fold_is_followed_into_the_range(sign, last):
    # mu = ± h², and the curve is vertical at the first value
    branch = rd.continuation(
        lambda mu, h, x: h + 0.3 * (mu - sign * h**2), itself, jnp.array(0.0), values(0.0, last, 11)
    )
    assert branch.ended == "reached the last of the values"
    np.testing.assert_allclose(branch.values, sign * branch.points**2, atol=1e-14)
    assert set(np.asarray(values(0.0, last, 11)).tolist()) <= set(branch.values.tolist())


def test_a_fold_that_opens_out_of_the_range_ends_at_once():
    branch = rd.continuation(lambda mu, h, x: h + 0.3 * (mu - h**2), itself, jnp.array(0.0), values(0.0, -1.0, 11))
    assert branch.ended == "came back past the first of the values"


# flips, and switching


def test_henon_flips_and_its_cycle_is_followed():
    h = (-0.7 + np.sqrt(0.49 + 0.8)) / 0.4
    diagram = rd.bifurcation_diagram(
        henon, itself, jnp.array([[h, 0.3 * h]]), values(0.2, 1.0, 17), depth=1, most_points=500
    )
    assert [branch.period for branch in diagram] == [1, 2]
    assert is_near(found(diagram[0]), [("flip", 3 * 0.7**2 / 4)], 1e-12)
    # the 2-cycle: a h² - (1 - b) h + (1 - b)² / a - 1 = 0 for both of its states; its flip at a = (1 - b)² + (1 + b)²/4
    assert is_near(found(diagram[1]), [("flip", 0.7**2 + 1.3**2 / 4)], 1e-12)
    a, cycle = np.asarray(diagram[1].values), np.asarray(diagram[1].points[..., 0])
    np.testing.assert_allclose(cycle.sum(axis=1), 0.7 / a, atol=1e-9)
    np.testing.assert_allclose(cycle.prod(axis=1), 0.7**2 / a**2 - 1 / a, atol=1e-9)
    assert diagram[1].parent == 0
    assert diagram.left_out == 1


def test_the_cascade_of_the_logistic_map():
    diagram = rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), values(0.5, 4.0, 36))
    assert [branch.period for branch in diagram] == [1, 1, 1, 2, 4]
    assert [branch.parent for branch in diagram] == [-1, 0, 0, 1, 3]
    assert is_near(found(diagram[0]), [("branch", 1.0)])
    assert is_near(found(diagram[1]), [("flip", 3.0)])
    assert is_near(found(diagram[3]), [("flip", 1 + np.sqrt(6))], 1e-12)
    assert is_near(found(diagram[4]), [("flip", 3.544090359551922)], 1e-12)
    r = diagram[1].values
    np.testing.assert_allclose(diagram[1].points, 1 - 1 / r, atol=1e-9)
    # a branch begins with the bifurcation, where its stability is undecided
    assert diagram[1].undecided[0]
    assert diagram[3].values[0] == pytest.approx(3.0, abs=EXACT)


@pytest.mark.parametrize(("first", "last"), [(0.5, 2.0), (2.0, 0.5)])
def test_a_transcritical_point_is_located_from_either_branch_and_either_side(first, last):
    grid = values(first, last, 31)  # 1 is one of them
    for start in (0.0, 1 - 1 / first):
        branch = rd.continuation(logistic, itself, jnp.array(start), grid)
        assert is_near(found(branch), [("branch", 1.0)])
        expected = 0.0 * branch.values if start == 0.0 else 1 - 1 / branch.values
        np.testing.assert_allclose(branch.points, expected, atol=1e-6)  # at the crossing itself a residual is squared


def test_a_pitchfork_leads_to_both_of_its_branches():
    W = jnp.diag(jnp.array([1.0, -0.8, 0.5]))
    diagram = rd.bifurcation_diagram(tanh_net, lambda g: g * W, jnp.zeros((1, 3)), values(0.5, 1.5, 21))
    assert is_near(found(diagram[0]), [("branch", 1.0), ("flip", 1.25)])
    for branch, sign in zip(diagram[1:3], (1, -1), strict=True):
        h = np.asarray(branch.points[:, 0])
        assert np.all(sign * h[1:] > 0)
        np.testing.assert_allclose(np.tanh(branch.values * h), h, atol=1e-12)
        assert branch.values[-1] == 1.5
    # the 2-cycles of the second unit, whose state changes its sign at each step, beside each of the three
    for cycle in diagram[3:]:
        np.testing.assert_allclose(cycle.points[1:, 0, 1], -cycle.points[1:, 1, 1], atol=1e-12)
    assert [branch.period for branch in diagram] == [1, 1, 1, 2, 2, 2]


def test_a_subcritical_pitchfork_turns_back_in_a_fold():
    diagram = rd.bifurcation_diagram(
        lambda mu, h, x: h + 0.3 * (mu * h + h**3 - h**5), itself, jnp.array([0.0]), values(-1.0, 0.5, 31)
    )
    assert is_near(found(diagram[0]), [("branch", 0.0)])
    assert is_near(found(diagram[1]), [("fold", -0.25)], 1e-12)
    assert is_near(found(diagram[2]), [("fold", -0.25)], 1e-12)


def test_a_loop_of_two_pitchforks_is_followed_once():
    def bubble(mu, h, x):
        return h + 0.5 * h * (mu * (1 - mu) - h**2)

    diagram = rd.bifurcation_diagram(bubble, itself, jnp.array([0.0]), values(-1.0, 2.0, 61))
    assert is_near(found(diagram[0]), [("branch", 0.0), ("branch", 1.0)])
    assert len(diagram) == 2
    assert diagram[1].ended == "closed: came back to its first point"
    assert is_near(found(diagram[1])[:1], [("branch", 1.0)])


def test_a_cycle_that_shrinks_to_a_fixed_point_ends_there():
    def bubble(mu, h, x):
        return -(1 + mu * (1 - mu)) * h + h**3

    diagram = rd.bifurcation_diagram(bubble, itself, jnp.array([0.0]), values(-1.0, 2.0, 61))
    assert is_near(found(diagram[0]), [("flip", 0.0), ("flip", 1.0)])
    assert len(diagram) == 2
    assert diagram[1].ended == "shrank at 1 to a cycle of period 1"
    assert diagram[1].values[-1] == pytest.approx(1.0, abs=EXACT)


def test_starts_on_one_branch_are_followed_once():
    starts = jnp.array([0.0, 1 - 1 / 0.5, 1e-12])
    diagram = rd.bifurcation_diagram(logistic, itself, starts, values(0.5, 2.5, 21), switch=())
    assert len(diagram) == 2
    assert [branch.parent for branch in diagram] == [-1, -1]
    # with switching, the branches that cross are known already
    assert len(rd.bifurcation_diagram(logistic, itself, starts, values(0.5, 2.5, 21))) == 2


def test_the_limits_of_a_diagram_say_what_they_left_out():
    grid = values(0.5, 4.0, 36)
    shallow = rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), grid, depth=0)
    assert (len(shallow), shallow.left_out) == (1, 2)
    few = rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), grid, most_branches=2)
    assert (len(few), few.left_out) == (2, 2)
    assert rd.continuation(logistic, itself, jnp.array(0.0), grid, most_points=5).ended.startswith("reached 5 points")


def test_branches_stay_within_the_range():
    # the flip is at the last value, and just before it; the other half of the transcritical crossing is outside
    flips = rd.bifurcation_diagram(logistic, itself, jnp.array([0.5]), values(2.0, 3.0, 11))
    assert [branch.period for branch in flips] == [1]
    flips = rd.bifurcation_diagram(logistic, itself, jnp.array([0.5]), values(2.0, 3.0001, 11))
    assert [branch.period for branch in flips] == [1, 2]
    assert flips[1].values[-1] == 3.0001
    assert flips[1].stable[-1]
    np.testing.assert_allclose(flips[1].points[-1].sum(), (1 + 3.0001) / 3.0001, rtol=1e-12)
    crossing = rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), values(1.0, 2.5, 16))
    assert len(crossing) == 2
    assert min(float(branch.values.min()) for branch in crossing) >= 1 - 1e-12


def test_multipliers_that_stay_on_the_unit_circle_cross_nothing():
    # Hénon's map with determinant 1 keeps areas, and a whole line of points is fixed by a projection
    def conservative(a, h, x):
        return jnp.stack([1 - a * h[0] ** 2 + h[1], -h[0]])

    branch = rd.continuation(conservative, itself, jnp.array([0.6, -0.6]), values(0.1, 2.8, 30))
    assert branch.undecided.sum() > 20
    assert branch.bifurcations == ()
    R = jnp.array([[0.6, 0.8], [-0.8, 0.6]])
    line = rd.continuation(lambda mu, h, x: R.T @ (jnp.array([1.0, 0.5]) * (R @ h)), itself, R[0], values(0, 1, 11))
    assert line.bifurcations == ()


# corners, trees, precision


def test_a_corner_at_which_the_multiplier_jumps_is_a_border_collision():
    branch = rd.continuation(
        lambda mu, h, x: jnp.maximum(-1.5 * h + mu, 0.0), itself, jnp.array(0.0), values(-1.0, 1.0, 10)
    )
    assert is_near(found(branch), [("border_collision", 0.0)])
    np.testing.assert_allclose(branch.points, np.maximum(branch.values / 2.5, 0), atol=1e-12)


def test_a_curve_may_turn_back_in_a_corner():
    branch = rd.continuation(
        lambda mu, h, x: h + 0.5 * (mu - jnp.abs(h)), itself, jnp.array(1.0), values(1.0, -1.0, 10), most_points=100
    )
    assert is_near(found(branch), [("border_collision", 0.0)])
    assert branch.ended == "came back past the first of the values"
    np.testing.assert_allclose(np.abs(branch.points), branch.values, atol=1e-12)


def test_a_branch_ends_where_the_step_is_not_finite():
    branch = rd.continuation(logistic, lambda r: jnp.sqrt(3 - r), jnp.array(0.0), values(2.0, 3.5, 10))
    assert branch.ended == "no step from 3 converges, however short: an end, a corner, or numbers that are not finite"
    assert float(branch.values[-1]) == pytest.approx(3.0, abs=1e-6)


def test_a_branch_that_runs_off_ends():
    h = (-0.7 + np.sqrt(0.49 + 0.8)) / 0.4
    branch = rd.continuation(henon, itself, jnp.array([h, 0.3 * h]), values(0.2, -0.5, 15))
    assert branch.ended.startswith("diverged at -")
    assert is_near(found(branch), [("fold", -0.1225)], 1e-12)


def test_states_are_trees_and_driven():
    cell = rd.cells.lstm
    params = cell.init(jax.random.key(0), inputs=2, hidden=3)
    x = jnp.ones(2)

    def params_of(g):
        return jax.tree.map(lambda leaf: g * leaf if leaf.shape == (3, 3) else leaf, params)

    h = rd.unroll(cell.step, params_of(jnp.array(0.1)), cell.initial_state(params), jnp.ones((200, 2)))
    branch = rd.continuation(cell.step, params_of, jax.tree.map(lambda leaf: leaf[-1], h), values(0.1, 1.0, 7), x)
    assert branch.points.c.shape == (branch.values.size, 3)
    for value, state, multipliers in zip(
        branch.values, zip(*branch.points, strict=True), branch.multipliers, strict=True
    ):
        state = type(branch.points)(*state)
        after = cell.step(params_of(value), state, x)
        assert max(float(jnp.abs(a - b).max()) for a, b in zip(after, state, strict=True)) < 1e-14
        J = rd.step_jacobian(cell.step, params_of(value), state, x)
        expected = np.linalg.eigvals(J)
        np.testing.assert_allclose(np.sort(np.abs(multipliers)), np.sort(np.abs(expected)), atol=1e-10)


def test_a_complex_state():
    def step(mu, h, x):
        return h * jnp.asarray(1 + mu - jnp.abs(h) ** 2, h.dtype) * jnp.exp(jnp.asarray(0.5j, h.dtype))

    branch = rd.continuation(step, itself, jnp.zeros((), jnp.complex128), values(-0.5, 0.5, 12))
    assert is_near(found(branch), [("neimark_sacker", 0.0)])
    assert np.angle(branch.bifurcations[0].multiplier) == pytest.approx(0.5, abs=1e-12)
    assert branch.points.dtype == jnp.complex128


def test_both_precisions(dtype):
    W = np.random.default_rng(1).normal(size=(8, 8)) / np.sqrt(8)
    grid = jnp.linspace(0.5, 3.0, 11)
    branch = rd.continuation(tanh_net, lambda g: g * jnp.asarray(W), jnp.zeros(8), grid)
    expected = sorted(1 / abs(each) for each in np.linalg.eigvals(W.astype(dtype)) if each.imag >= 0)
    expected = [each for each in expected if each < 3]
    error = 1e-12 if dtype == jnp.float64 else 1e-5
    np.testing.assert_allclose([each.value for each in branch.bifurcations], expected, rtol=0, atol=error)
    fold = rd.continuation(lambda mu, h, x: jnp.tanh(2 * h + mu), itself, jnp.array(-1.0), grid - 1.5)
    h = np.sqrt(0.5)
    assert is_near(found(fold), [("fold", 2 * h - np.arctanh(h)), ("fold", np.arctanh(h) - 2 * h)], error)
    other = rd.continuation(logistic, itself, jnp.array(-1.0), grid)
    assert is_near(found(other), [("branch", 1.0), ("flip", 3.0)][: len(found(other))], error)
    assert branch.values.dtype == fold.points.dtype == dtype


# compiled once, printed, checked


def test_new_arrays_and_functions_compile_nothing_again(compilations):
    def follow(seed):
        W = jnp.asarray(np.random.default_rng(seed).normal(size=(5, 5)) / np.sqrt(5))
        bias = jnp.asarray(np.random.default_rng(seed + 1).normal(size=5))
        return rd.continuation(
            lambda p, h, x: jnp.tanh(p[0] @ h + p[1]), lambda g: (g * W, bias), bias, values(0.0, 1.5, 12)
        )

    follow(0)
    before = compilations.count
    branch = follow(2)
    assert compilations.count == before
    assert branch.values.size >= 12


def test_results_print():
    diagram = rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), values(0.5, 3.4, 30))
    assert repr(diagram) == "Diagram(4 branches, 2 bifurcations)"
    rows = diagram.summary().split("\n")
    assert len(rows) == 6
    assert "flip at 3" in rows[3]
    assert isinstance(diagram, tuple)
    assert repr(diagram[1]).startswith("Branch(")
    assert "flip at 3; reached the last of the values" not in repr(diagram[1])
    assert "flip" in diagram[1].summary()
    assert repr(diagram[1].bifurcations[0]) == "Bifurcation(flip at 3, multiplier -1+0j)"
    assert "<table>" in diagram._repr_html_()
    assert "<table>" in diagram[1]._repr_html_()


GRID = values(0.5, 2.0, 4)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((logistic, itself, jnp.array(0.0), values(0.5, 0.5, 1)), ValueError, "values: got shape (1,)"),
        ((logistic, itself, jnp.array(0.0), jnp.array([0.5, jnp.nan])), ValueError, "values: got 1 non-finite of 2"),
        ((logistic, itself, jnp.array(0.0), jnp.array([0.5, 2.0, 1.0])), ValueError, "values: got 2, 1 at 1"),
        ((logistic, itself, jnp.array(0.0), jnp.array([0.5, 0.5])), ValueError, "values: got 0.5, 0.5 at 0"),
        ((logistic, itself, jnp.array(jnp.nan), GRID), ValueError, "start: got 1 non-finite"),
        ((lambda r, h, x: jnp.exp(h) + r, itself, jnp.array(0.0), GRID), ValueError, "start: got a state from which"),
        ((tanh_net, lambda g: g * jnp.eye(3), jnp.zeros(2), GRID), TypeError, "dot_general"),
        ((lambda r, h, x: jnp.zeros(3), itself, jnp.zeros(2), GRID), ValueError, "start: got shape (2,)"),
        ((logistic, lambda r: float(r), jnp.array(0.0), GRID), TypeError, "raised by params_of"),
        ((logistic, lambda r: r * jnp.nan, jnp.array(0.0), GRID), ValueError, "params: got 1 non-finite"),
    ],
)
def test_bad_input_is_named(arguments, error, text):
    with pytest.raises(error) as caught:
        rd.continuation(*arguments)
    notes = "".join(getattr(caught.value, "__notes__", []))
    assert text in str(caught.value) + notes


def test_more_bad_input_is_named():
    with pytest.raises(ValueError, match=r"start: got a state near a cycle of period 1, with period=2"):
        rd.continuation(logistic, itself, jnp.array(0.0), GRID, period=2)
    for period in (0, True):
        with pytest.raises(ValueError, match=f"period: got {period}, expected a whole number of at least 1"):
            rd.continuation(logistic, itself, jnp.array(0.0), GRID, period=period)
    with pytest.raises(ValueError, match=r"switch: got 'neimark_sacker'"):
        rd.bifurcation_diagram(logistic, itself, jnp.array([0.0]), GRID, switch=("neimark_sacker",))
    with pytest.raises(ValueError, match=r"starts\[1\]: got a state from which"):
        rd.bifurcation_diagram(
            lambda r, h, x: jnp.where(h > 5, h + 1.0, r * h), itself, jnp.array([0.0, 9.0]), values(0.1, 0.9, 3)
        )
    with pytest.raises(TypeError, match=r"values: got an array that is being traced"):
        jax.jit(lambda grid: rd.continuation(logistic, itself, jnp.array(0.0), grid).values)(GRID)


def test_params_of_must_be_a_function():
    with pytest.raises(Exception, match="params_of"):
        rd.continuation(logistic, jnp.array(1.0), jnp.array(0.0), GRID)


@pytest.mark.parametrize("K", [1.0, 1e4])
def test_large_jacobians_whose_product_is_small_leave_nothing_undecided(K):
    # two steps are the logistic map in each number; its 2-cycle has the multiplier 4 + 2 r - r²
    def step(r, h, x):
        return jnp.stack([K * r * h[1] * (1 - h[1]), h[0] / K])

    r = 3.2
    low = (r + 1 - np.sqrt((r - 3) * (r + 1))) / (2 * r)
    branch = rd.continuation(step, lambda r: r, jnp.array([K * low, low]), jnp.linspace(r, 3.3, 5), period=4)
    np.testing.assert_allclose(branch.multipliers[:, 0], 4 + 2 * branch.values - branch.values**2, atol=1e-6)
    assert np.all(branch.stable)
    assert not np.any(branch.undecided)
