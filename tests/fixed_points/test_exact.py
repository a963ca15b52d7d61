"""All cycles of piecewise-linear nets, against nets whose cycles are known and a plain loop over all regions."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.fixed_points import (
    ExactCycles,
    PiecewiseLinear,
    exact_cycles,
    piecewise_linear_of,
    piecewise_linear_step,
)
from rnn_dynamics.fixed_points.exact.dual_simplex import System, begun, settled


def net_of(A, V, C, d, c, dtype=float):
    return PiecewiseLinear(*(jnp.asarray(part, dtype) for part in (A, V, C, d, c)))


def relu_net(W, b):
    """h' = relu(W h + b)"""
    W = np.atleast_2d(W)
    return net_of(np.zeros_like(W), np.eye(len(W)), W, b, np.zeros(len(W)))


def plrnn(A, W, c):
    """h' = A h + W relu(h) + c"""
    return net_of(np.diag(A), W, np.eye(len(A)), np.zeros(len(A)), c)


def tent(dtype=float):
    """h' = 1 - 2 |h - 1/2|"""
    return net_of([[2]], [[-4]], [[1]], [-0.5], [0], dtype)


def bistable(n):
    """Each of n units by itself: h' = clip(3 h - 1, 0, 1), at rest at 0, 1/2 and 1."""
    one = np.eye(n)
    offsets = np.concatenate([np.full(n, -1.0), np.full(n, -2.0)])
    return net_of(0 * one, np.hstack([one, -one]), np.vstack([3 * one, 3 * one]), offsets, np.zeros(n))


def random_net(draw, n, m, kind):
    gain = draw.choice([1.0, 2.0, 4.0])
    W = draw.normal(size=(n, m)) * gain / np.sqrt(n)
    if kind == "relu":
        return relu_net(W, draw.normal(size=n))
    if kind == "nearly neutral":  # states of up to 1e7
        return plrnn(draw.choice([1 - 1e-4, 1 - 1e-6, 1 + 1e-5, 0.5, -1 + 1e-5], n), W, draw.normal(size=n))
    if kind == "plrnn":
        return plrnn(draw.uniform(-0.9, 0.9, n), W, draw.normal(size=n))
    return net_of(np.diag(draw.uniform(-0.9, 0.9, n)), W, draw.normal(size=(m, n)), draw.normal(size=m), np.ones(n))


def all_by_brute_force(net, period):
    """All states on cycles of this period or a divisor: solve in every sequence of regions."""
    A, V, C, d, c = (np.asarray(part) for part in net)
    n, m = V.shape
    regions = np.array([*itertools.product([False, True], repeat=m * period)]).reshape(-1, period, m)
    M = A + (V * regions[..., None, :]) @ C
    b = (V * regions[..., None, :]) @ d + c
    product, constant = np.broadcast_to(np.eye(n), M[:, 0].shape), np.zeros((len(M), n))
    for i in range(period):
        product, constant = M[:, i] @ product, (M[:, i] @ constant[..., None])[..., 0] + b[:, i]
    first = h = np.linalg.solve(np.eye(n) - product, constant[..., None])[..., 0]
    there = np.ones(len(M), bool)
    for i in range(period):
        there &= ((h @ C.T + d > 0) == regions[:, i]).all(axis=1)
        h = (M[:, i] @ h[..., None])[..., 0] + b[:, i]
    return first[there]


def states_of(found: ExactCycles):
    """Each state of each cycle once."""
    parts = [points[:period] for points, period in zip(found.points, np.asarray(found.period), strict=True)]
    return np.concatenate([np.zeros((0, found.points.shape[-1])), *parts])


def same_states(these, those):
    if len(these) != len(those):
        return False
    return all(np.abs(those - one).max(axis=1).min() <= 1e-8 * (1 + np.abs(one).max()) for one in these)


@pytest.mark.parametrize(
    ("n", "m", "period", "kind"),
    [
        (3, 3, 1, "relu"),
        (6, 6, 1, "relu"),
        (6, 6, 1, "plrnn"),
        (2, 2, 3, "relu"),
        (3, 3, 3, "plrnn"),
        (2, 5, 2, "shallow"),
        (6, 6, 1, "nearly neutral"),
        (4, 4, 2, "nearly neutral"),
        (1, 3, 3, "shallow"),
        (4, 2, 4, "shallow"),
    ],
)
def test_all_that_a_loop_over_all_regions_finds(n, m, period, kind):
    draw = np.random.default_rng(n + 10 * m + 100 * period)
    counts = []
    for _ in range(12):
        net = random_net(draw, n, m, kind)
        found, expected = exact_cycles(net, period), all_by_brute_force(net, period)
        assert found.complete
        assert same_states(states_of(found), expected)
        assert (found.residual <= 1e-14 * (1 + jnp.abs(found.points).max(axis=(1, 2)))).all()
        counts.append(len(expected))
    assert sum(counts) > 5


@pytest.mark.parametrize("seed", [0, 19, 22, 30])
def test_rounding_excludes_no_cycle_with_large_states(seed):
    net = random_net(np.random.default_rng(seed), 5, 5, "nearly neutral")
    found = exact_cycles(net, 2)
    assert same_states(states_of(found), all_by_brute_force(net, 2))
    assert np.abs(found.points).max() > 1e5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["relu", "plrnn"])
@pytest.mark.parametrize(("period", "nets"), [(2, 20), (3, 2)])
def test_all_that_a_loop_over_all_regions_finds_with_six_units(period, nets, kind):
    draw = np.random.default_rng(period)
    for _ in range(nets):
        net = random_net(draw, 6, 6, kind)
        assert same_states(states_of(exact_cycles(net, period)), all_by_brute_force(net, period))


@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize("kind", ["relu", "plrnn"])
def test_a_search_finds_the_same(period, kind, key):
    draw = np.random.default_rng(period)
    for n in (2, 4, 6):
        net = random_net(draw, n, n, kind)
        all_, searched = exact_cycles(net, period), exact_cycles(net, period, limit=0, key=key, starts=3000)
        assert all_.complete
        assert not searched.complete
        assert same_states(states_of(searched), states_of(all_))
        assert np.array_equal(searched.regions, all_.regions)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "period", "seed"), [(4, 2, 1), (6, 3, 1), (6, 2, 9)])
def test_find_cycles_finds_the_same(n, period, seed):
    draw = np.random.default_rng(seed)
    net = random_net(draw, n, n, "plrnn")
    found = exact_cycles(net, period)
    searched = rd.find_cycles(piecewise_linear_step, net, jnp.asarray(draw.normal(size=(400, n)) * 10), period)
    assert len(found.points) > 0
    assert same_states(states_of(searched), states_of(found))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["relu", "plrnn", "bistable"])
def test_find_fixed_points_finds_the_same(kind):
    draw = np.random.default_rng(4)
    net = bistable(3) if kind == "bistable" else random_net(draw, 6, 6, kind)
    candidates = jnp.asarray(draw.normal(size=(600, len(net.c))) * (0.5 if kind == "bistable" else 5))
    found = exact_cycles(net, 1)
    searched = rd.find_fixed_points(piecewise_linear_step, net, candidates)
    assert same_states(np.asarray(searched.points)[np.asarray(searched.fixed)], states_of(found))


def test_the_tent_map_has_as_many_cycles_as_the_logistic_map():
    for period, count in zip(range(1, 9), [2, 1, 2, 3, 6, 9, 18, 30], strict=True):
        found = exact_cycles(tent(), period)
        own = np.asarray(found.period) == period
        assert own.sum() == count
        assert (period % np.asarray(found.period) == 0).all()
        assert (np.abs(np.asarray(found.multipliers)[:, 0]) == 2.0 ** np.asarray(found.period)).all()
        assert found.complete
        assert not found.stable.any()
        assert (found.unstable == 1).all()
        assert found.residual.max() < 1e-14
    assert sorted(exact_cycles(tent(), 1).multipliers.real.ravel().tolist()) == [-2, 2]
    np.testing.assert_allclose(exact_cycles(tent(), 2).points[2].ravel(), [0.4, 0.8], atol=1e-15)


def test_as_many_points_as_planned_by_index():
    found = exact_cycles(bistable(4), 1)
    assert len(found.points) == 3**4
    assert np.bincount(found.unstable).tolist() == [16, 32, 24, 8, 1]
    assert found.stable.sum() == 16
    assert set(np.unique(np.asarray(found.points)).tolist()) == {0, 0.5, 1}
    # 0 in the regions where a unit is off or saturated, 3 between
    assert set(np.asarray(found.multipliers).real.ravel().tolist()) == {0, 3}
    assert len({tuple(region) for region in np.asarray(found.regions)[:, 0].tolist()}) == 81


def test_planned_points_of_a_plrnn():
    draw = np.random.default_rng(0)
    A = draw.uniform(-0.5, 0.5, 5)
    first, second = draw.normal(size=(2, 5))
    difference = np.maximum(first, 0) - np.maximum(second, 0)
    W = np.outer((1 - A) * (first - second), difference) / (difference @ difference)
    c = (1 - A) * first - W @ np.maximum(first, 0)
    found = exact_cycles(plrnn(A, W, c), 1)
    for planned in (first, second):
        place = int(np.argmin(np.abs(np.asarray(found.points)[:, 0] - planned).max(axis=1)))
        np.testing.assert_allclose(found.points[place, 0], planned, atol=1e-12)
        assert np.array_equal(found.regions[place, 0], planned > 0)
        M = np.diag(A) + W * (planned > 0)
        expected = np.linalg.eigvals(M)
        np.testing.assert_allclose(np.sort_complex(found.multipliers[place]), np.sort_complex(expected), atol=1e-12)


def test_nets_without_a_fixed_point():
    for net in (
        net_of([[0]], [[1]], [[1]], [0], [1]),  # h' = relu(h) + 1
        net_of(np.eye(2), np.zeros((2, 1)), [[1, 1]], [0], [0, 1]),  # a shift
        net_of([[1]], [[-1]], [[1]], [-1], [2]),  # grows until 1, then rests at no fixed point: h' = 3
    ):
        found = exact_cycles(net, 1)
        assert found.complete
        expected = 1 if net.V[0, 0] == -1 else 0
        assert len(found.points) == expected
    assert found.points[0, 0, 0] == 3


def test_a_line_is_said_and_not_listed_point_by_point():
    # h₁ keeps its value, h₂ follows 2 relu(h₁)
    net = net_of(np.diag([1.0, 0.5]), [[0], [1]], [[1, 0]], [0], [0, 0])
    found = exact_cycles(net, 1)
    assert found.dimension.tolist() == [1, 1]
    assert sorted(np.asarray(found.regions).ravel().tolist()) == [False, True]
    for h in np.asarray(found.points)[:, 0]:
        assert h[1] == pytest.approx(2 * max(h[0], 0), abs=1e-12)
        assert abs(h[0]) > 0.01
    assert found.undecided.all()
    assert not found.stable.any()
    assert "2 of them on lines" in repr(found)
    # its kinks at ±1: the two outer pieces do not touch
    net = net_of(np.diag([1.0, 0.5]), [[0, 0], [1, 1]], [[1, 0], [-1, 0]], [-1, -1], [0, 0])
    found = exact_cycles(net, 1)
    assert found.dimension.tolist() == [1, 1, 1]
    assert sorted(np.asarray(found.regions)[:, 0].tolist()) == [[False, False], [False, True], [True, False]]


def test_planes_lines_of_cycles_and_the_ends_of_a_line():
    # relu(h) keeps the whole quadrant, its edges and its corner
    found = exact_cycles(relu_net(np.eye(2), np.zeros(2)), 1)
    assert found.dimension.tolist() == [2]
    # 1 - h turns the line around 1/2
    turned = relu_net([[-1]], [1])
    assert exact_cycles(turned, 1).dimension.tolist() == [0]
    assert exact_cycles(turned, 1).points.ravel().tolist() == [0.5]
    found = exact_cycles(turned, 2)
    assert found.dimension.tolist() == [1]
    assert found.period.tolist() == [2]
    assert found.points.sum() == pytest.approx(1)
    # a linear part that is the identity, and one that turns by a quarter
    kinkless = np.zeros((2, 1)), [[1, 1]], [0], [0, 0]
    assert exact_cycles(net_of(np.eye(2), *kinkless), 1).dimension.tolist() == [2]
    found = exact_cycles(net_of([[0, -1], [1, 0]], *kinkless), 4)
    assert found.dimension.tolist() == [2]
    assert found.period.tolist() == [4]


def test_a_point_on_kinks_is_listed_once_and_not_called_stable():
    for net, point in (
        (relu_net([[0.5]], [0]), [0]),
        (relu_net(0.5 * np.eye(3), np.zeros(3)), [0, 0, 0]),
        (net_of([[0.5]], [[0.2]], [[1]], [-1], [0.5]), [1]),
    ):
        for period in (1, 2, 3):
            found = exact_cycles(net, period)
            np.testing.assert_allclose(found.points[:, 0], [point], atol=1e-15)
            assert found.period.tolist() == [1]
            assert found.on_kink.all()
            assert found.undecided.all()
            assert not found.stable.any()


def test_stable_cycles_attract_and_multipliers_are_those_of_the_jacobians():
    draw = np.random.default_rng(3)
    seen = 0
    for _ in range(12):
        net = random_net(draw, 4, 4, "plrnn")
        found = exact_cycles(net, 3)
        for i, period in enumerate(np.asarray(found.period)):
            points = found.points[i]
            after = rd.unroll(piecewise_linear_step, net, points[0], None, length=3)
            np.testing.assert_allclose(after, jnp.roll(points, -1, axis=0), atol=1e-9)
            jacobians = rd.step_jacobians(piecewise_linear_step, net, points[0], None, length=int(period))
            product = np.linalg.multi_dot([*np.asarray(jacobians)[::-1], np.eye(4)])
            size = np.sort(np.abs(np.linalg.eigvals(product)))[::-1]
            np.testing.assert_allclose(np.abs(found.multipliers[i]), size, atol=1e-9)
            assert found.unstable[i] == (size > 1).sum()
            assert found.stable[i] == (size[0] < 1)
            assert found.margin[i] == pytest.approx(1 - size[0])
            if found.stable[i]:
                late = rd.unroll(piecewise_linear_step, net, points[0] + 1e-6, None, length=3000)[-3:]
                assert min(np.abs(late - jnp.roll(points, s, axis=0)).max() for s in range(3)) < 1e-8
                seen += 1
    assert seen > 1


def test_precision_of_the_net(dtype):
    found = exact_cycles(tent(dtype), 3)
    assert found.points.dtype == dtype
    assert found.margin.dtype == dtype
    assert len(found.points) == 4
    assert found.residual.max() <= 4 * jnp.finfo(dtype).eps
    # in float32 a third is not a third: the line is one as far as the precision tells
    line = exact_cycles(relu_net_of(np.full((3, 3), 1 / 3), dtype), 1)
    assert line.dimension.tolist() == [1]


def relu_net_of(W, dtype):
    return PiecewiseLinear(*(part.astype(dtype) for part in relu_net(W, np.zeros(len(W)))))


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_the_scale_of_the_states_changes_nothing(scale):
    line = net_of(np.diag([1.0, 0.5]), [[0, 0], [1, 1]], [[1, 0], [-1, 0]], [-1, -1], [0, 0])
    for net, period in ((tent(), 3), (bistable(2), 1), (line, 1)):
        scaled = net._replace(d=scale * net.d, c=scale * net.c)
        found, expected = exact_cycles(scaled, period), exact_cycles(net, period)
        alone = np.asarray(found.dimension) == 0
        np.testing.assert_allclose(found.points[alone], scale * expected.points[alone], atol=1e-12 * scale)
        assert np.array_equal(found.regions, expected.regions)
        np.testing.assert_allclose(found.multipliers, expected.multipliers, atol=1e-12)
        assert np.array_equal(found.dimension, expected.dimension)


@pytest.mark.parametrize("gain", [1.0, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("seed", [0, 2, 7])
def test_large_weights_split_no_cycle(gain, seed):
    # the counts are those of an exact computation in fractions; they are the same for gains from 100 on
    draw = np.random.default_rng(seed)
    W, b = draw.normal(size=(3, 3)), draw.normal(size=3)
    found = exact_cycles(relu_net(gain * W, b), 2)
    expected = _on_cycles_in_fractions(gain * W, b, 2)
    assert len(states_of(found)) == expected
    np.testing.assert_array_equal(found.dimension, 0)
    assert gain > 1e6 or not found.on_kink.any()  # beyond, a distance of 1e-9 from a kink is the sum of numbers of 1e8
    assert found.complete


def _on_cycles_in_fractions(W, b, period):
    """How many states of h' = relu(W h + b) are on cycles of this period or a divisor."""
    n, count = len(b), 0
    W, b = [[Fraction(each) for each in row] for row in W.tolist()], [Fraction(each) for each in b.tolist()]
    for regions in itertools.product([False, True], repeat=period * n):
        rows = []
        for i, on in enumerate(regions):
            row, (at, unit) = [Fraction(0)] * (period * n + 1), divmod(i, n)
            row[(at + 1) % period * n + unit] += 1
            if on:
                row[-1] = b[unit]
                for j in range(n):
                    row[at * n + j] -= W[unit][j]
            rows.append(row)
        h = _solved_in_fractions(rows)
        z = [sum(W[i % n][j] * h[i // n * n + j] for j in range(n)) + b[i % n] for i in range(period * n)]
        count += all((each > 0) == on for each, on in zip(z, regions, strict=True))
    return count


def _solved_in_fractions(rows):
    for i in range(len(rows)):
        pivot = next(k for k in range(i, len(rows)) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [each / rows[i][i] for each in rows[i]]
        for k in range(len(rows)):
            if k != i and rows[k][i]:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]


def test_numbers_that_overflow_are_refused():
    W, b = np.array([[-2.0, 1.0], [1.0, 0.5]]), np.ones(2)
    for net, period in ((relu_net(1e160 * W, b), 1), (relu_net(1e100 * W, b), 4), (relu_net(W, 1e308 * b), 2)):
        with pytest.raises(ValueError, match=f"net: got numbers of up to .*, with which {period} steps overflow"):
            exact_cycles(net, period)


def test_idle_kinks_count_for_nothing():
    net = tent()
    more = PiecewiseLinear(
        net.A,
        jnp.concatenate([net.V, jnp.array([[0.0, 3.0, 3.0]])], axis=1),  # felt by nothing, constant, constant
        jnp.concatenate([net.C, jnp.array([[1.0], [0.0], [0.0]])]),
        jnp.concatenate([net.d, jnp.array([0.0, -1.0, 2.0])]),
        net.c - 6,
    )
    found, expected = exact_cycles(more, 3), exact_cycles(net, 3)
    np.testing.assert_allclose(found.points, expected.points, atol=1e-14)
    assert not found.on_kink.any()
    assert found.regions.shape == (4, 3, 4)
    assert not found.regions[..., 2].any()
    assert found.regions[..., 3].all()


@pytest.mark.slow
def test_a_net_with_a_trillion_regions():
    draw = np.random.default_rng(2)
    net = relu_net(draw.normal(size=(40, 40)) / np.sqrt(40), draw.normal(size=40))
    found = exact_cycles(net, 1)
    searched = exact_cycles(net, 1, limit=0, key=jax.random.key(0))
    assert found.complete
    assert same_states(states_of(searched), states_of(found))
    assert found.examined < 50_000


def test_too_many_regions_need_a_search(key):
    with pytest.raises(ValueError, match=r"limit: got 10, .* 2\^8 sequences .* higher limit, or a key"):
        exact_cycles(bistable(4), 1, limit=10)
    found = exact_cycles(bistable(3), 1, limit=10, key=key)
    assert len(found.points) == 27
    assert not found.complete
    assert "there may be more" in repr(found)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"A": jnp.zeros((2, 1))}, ValueError, r"net\.A: got shape \(2, 1\), expected \(n, n\) = \(1, 1\)"),
        ({"V": jnp.zeros((1, 2))}, ValueError, r"net\.V: got shape \(1, 2\), expected \(n, m\) = \(1, 1\)"),
        ({"C": jnp.zeros((1,))}, ValueError, r"net\.C: got shape \(1,\), expected \(m, n\) = \(1, 1\)"),
        ({"d": jnp.zeros(())}, ValueError, r"net\.d: got shape \(\), expected \(m,\) = \(1,\)"),
        ({"c": jnp.array([jnp.nan])}, ValueError, r"net\.c: got numbers that are not finite"),
        ({"c": jnp.array([1])}, TypeError, r"net\.c: got int64, expected an array of real floating"),
    ],
)
def test_a_net_that_is_none_is_refused_by_its_field(change, error, message):
    with pytest.raises(error, match=message):
        exact_cycles(tent()._replace(**change), 1)


def test_other_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="period: got 0, expected a whole number of at least 1"):
        exact_cycles(tent(), 0)
    with pytest.raises(ValueError, match="limit: got -1"):
        exact_cycles(tent(), 1, limit=-1)
    with pytest.raises(TypeError, match=r"net\.A: got an array that is being traced"):
        jax.jit(lambda A: exact_cycles(tent()._replace(A=A), 1))(tent().A)


def test_an_input_is_added():
    net = tent()
    assert piecewise_linear_step(net, jnp.array([0.25]), None).tolist() == [0.5]
    assert piecewise_linear_step(net, jnp.array([0.25]), jnp.array([2.0])).tolist() == [2.5]


def test_a_result_prints_as_a_table():
    lines = exact_cycles(tent(), 2).summary().split("\n")
    assert lines[0] == "ExactCycles(n=1): 2 of period 1, 1 of period 2; these are all"
    assert lines[1].split() == ["cycle", "period", "stability", "|λ_1|", "dimension", "residual"]
    assert lines[4].split()[:6] == ["2", "2", "1", "unstable", "4", "0"]
    assert exact_cycles(net_of([[0]], [[1]], [[1]], [0], [1]), 1).summary().startswith("ExactCycles(n=1): none")


def test_feasibility_agrees_with_scipy():
    from scipy.optimize import linprog

    draw = np.random.default_rng(0)
    verdicts = []
    for _ in range(60):
        R, S = draw.integers(1, 7, 2)
        system = System(draw.normal(size=(R, S)), draw.normal(size=R) - 0.5)
        closed = draw.random((5, R + S)) < 0.3
        _, possible = settled(system, begun(system, closed))
        for one, verdict in zip(closed, possible, strict=True):
            upper = np.where(one, 0, np.inf)
            equations = np.concatenate([-system.T, np.eye(R)], axis=1)
            judge = linprog(np.zeros(R + S), A_eq=equations, b_eq=system.t, bounds=[(0, u) for u in upper])
            assert verdict == (judge.status == 0)
            verdicts.append(bool(verdict))
    assert 50 < sum(verdicts) < 250


CELLS = {
    "relu": rd.cells.make_elman("relu"),
    "leaky integrator": rd.cells.make_elman("relu", leak=0.3),
    "rate": rd.cells.make_rate("relu", 0.5),
    "linear": rd.cells.linear,
    "leaky relu": rd.cells.make_elman(jax.nn.leaky_relu),
    "jax's relu": rd.cells.make_elman(jax.nn.relu),
    "absolute value": rd.cells.make_elman(jnp.abs),
    "clip": rd.cells.make_elman(lambda u: jnp.clip(u, -1, 1)),
    "hard tanh": rd.cells.make_elman(jax.nn.hard_tanh),
    "maximum of two": rd.cells.make_elman(lambda u: jnp.maximum(u, u[::-1] - 1)),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_written_as_a_piecewise_linear_net(name, key):
    cell = CELLS[name]
    params = cell.init(key, inputs=2, hidden=3, gain=2.0, bias=0.1)
    x = jnp.array([0.3, -0.2])
    net = piecewise_linear_of(cell.step, params, jnp.zeros(3), x)
    for h in np.random.default_rng(5).normal(size=(20, 3)) * 3:
        h = jnp.asarray(h)
        np.testing.assert_allclose(piecewise_linear_step(net, h, None), cell.step(params, h, x), atol=1e-12)
    for points in exact_cycles(net, 1).points:
        np.testing.assert_allclose(cell.step(params, points[0], x), points[0], atol=1e-12)


def test_a_kink_may_be_far_away(dtype):
    # what is left after -5e4 + relu(h + 1e5) / 2 is only as exact as these numbers
    net = piecewise_linear_of(lambda p, h, x: jnp.maximum(h, -1e5) / 2, None, jnp.zeros(2, dtype))
    np.testing.assert_array_equal(net.d, 1e5)


def test_the_state_of_a_step_may_be_a_tree():
    def step(p, state, x):
        a, b = state
        return jnp.maximum(p * b, a - 1), jnp.where(a > 0, a, 0.5 * a)

    net = piecewise_linear_of(step, jnp.array(0.5), (jnp.zeros(2), jnp.zeros(2)))
    h = jnp.array([1.0, -2.0, 3.0, 4.0])
    expected = jnp.concatenate(step(jnp.array(0.5), (h[:2], h[2:]), None))
    np.testing.assert_allclose(piecewise_linear_step(net, h, None), expected)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda p, h, x: jnp.tanh(h), "is not linear between its kinks"),
        (lambda p, h, x: h * h[::-1], "is not linear between its kinks"),
        (lambda p, h, x: jnp.where(h > 0, h + 1, h), "differs from A h"),
        (lambda p, h, x: jax.nn.relu(jax.nn.relu(h) - 1 + h), "a kink within a kink"),
        (lambda p, h, x: h * jnp.asarray(h > 0, h.dtype), "compares states"),
    ],
)
def test_a_step_that_is_not_piecewise_linear_is_refused(step, message):
    with pytest.raises(ValueError, match=f"step: .*{message}"):
        piecewise_linear_of(step, None, jnp.zeros(2))
