"""The search for fixed and slow points, on maps whose points are known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import rnn_dynamics as rd
from rnn_dynamics.fixed_points import Ending
from rnn_dynamics.fixed_points.points import search
from rnn_dynamics.fixed_points.points.deflation import deflated, divided
from rnn_dynamics.fixed_points.points.found import Found, starts

GRU, LSTM = rd.cells.gru, rd.cells.lstm


def scaled_tanh(g, h, x):
    return jnp.tanh(g * h) if x is None else jnp.tanh(g * h) + x


def affine(p, h, x):
    return p[0] @ h + p[1]


def logistic(r, h, x):
    return r * h * (1 - h)


def hopfield(W, h, x):
    return W @ jnp.tanh(h)


def sorted_points(found):
    return np.sort(np.asarray(found.points)[:, 0])


def grid(low, high, count=9):
    return jnp.linspace(low, high, count)[:, None]


def test_a_contracting_affine_map_has_its_one_point(key, dtype):
    A, b = 0.2 * jax.random.normal(key, (5, 5), dtype), jnp.arange(5.0, dtype=dtype)
    found = rd.find_fixed_points(affine, (A, b), jax.random.normal(key, (40, 5), dtype))
    exact = np.linalg.solve(np.eye(5) - np.asarray(A, float), np.arange(5.0))
    assert found.points.shape == (1, 5)
    assert found.points.dtype == dtype
    np.testing.assert_allclose(found.points[0], exact, rtol=100 * np.finfo(dtype).eps)
    assert found.stable[0]
    assert found.fixed[0]
    assert found.share[0] == 1
    assert np.all(found.ending == Ending.FIXED)
    assert np.all(found.ended_at == 0)
    assert 0 < found.unseen < 0.01


@pytest.mark.parametrize("g", [0.5, 1.5, 2.0, 5.0])
def test_points_of_a_scalar_tanh_net(g, dtype):
    found = rd.find_fixed_points(scaled_tanh, jnp.asarray(g, dtype), grid(-2, 2).astype(dtype))
    exact = [0.0]
    if g > 1:
        root = brentq(lambda h: np.tanh(g * h) - h, 1e-3, 2, xtol=1e-15)
        exact = [-root, 0.0, root]
    np.testing.assert_allclose(sorted_points(found), exact, rtol=4 * np.finfo(dtype).eps, atol=1e-15)
    assert np.max(found.residual) <= (1e-12 if dtype == jnp.float64 else 1e-6)


def test_deflation_finds_the_other_points_from_the_same_candidate():
    found = rd.find_fixed_points(scaled_tanh, 2.0, jnp.array([[0.5]]))
    assert len(found.points) == 3
    assert sorted(found.share.tolist()) == [0, 0, 1]
    assert found.ending.tolist() == [Ending.FIXED]


def test_the_deflated_step_is_the_newton_step_of_the_deflated_map(key):
    p = jax.random.normal(key, (3, 4))
    h, reach, weight = jnp.arange(4.0) / 4, jnp.asarray(0.7), jnp.array([1.0, 0.0, 1.0])

    def f(h):
        return jnp.sin(3 * h) - h[::-1] ** 2

    def m_times_f(h):
        squared = jnp.sum((h[None] - p[::2]) ** 2, axis=1) / reach**2
        return jnp.prod(1 + 1 / squared) * f(h)

    plain, whole = (-jnp.linalg.solve(jax.jacfwd(map_)(h), map_(h)) for map_ in (f, m_times_f))
    np.testing.assert_allclose(deflated(plain, h, p, weight, reach), whole, rtol=1e-12)


def test_known_points_are_divided_out():
    root = sorted_points(rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2)))[2]
    found = rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2), known=jnp.array([[root], [-root]]))
    np.testing.assert_allclose(found.points, [[0.0]], atol=1e-15)
    all_of_them = rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2), known=jnp.array([[root], [0.0], [-root]]))
    assert len(all_of_them.points) == 0
    assert np.all(all_of_them.ended_at == -1)


def test_a_candidate_on_a_known_point_is_no_error():
    found = rd.find_fixed_points(scaled_tanh, 2.0, jnp.zeros((1, 1)), known=jnp.zeros((1, 1)))
    assert 0.0 not in np.asarray(found.points).round(6)


def test_logistic_map():
    found = rd.find_fixed_points(logistic, 4.0, grid(0.1, 0.9))
    np.testing.assert_allclose(sorted_points(found), [0, 0.75], atol=1e-15)
    order = np.argsort(found.points[:, 0])
    np.testing.assert_allclose(found.eigenvalues[order, 0], [4, -2], rtol=1e-13)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_hopfield_nets_have_as_many_points_as_brute_force_finds(n, key):
    W = 2.5 * jnp.eye(n) + jax.random.normal(key, (n, n))
    W = (W + W.T) / 2
    exact = every_point_of(np.asarray(W))
    found = rd.find_fixed_points(hopfield, W, jax.random.normal(jax.random.fold_in(key, n), (64, n)))
    points = np.asarray(found.points)[found.fixed]
    assert len(points) == len(exact) > 1
    assert max(np.min(np.max(abs(points - one), axis=1)) for one in exact) < 1e-7


def every_point_of(W):
    """All fixed points of W tanh(h), by plain Newton from a fine grid over the box that holds them."""
    n = len(W)
    size = np.sum(abs(W), axis=1)
    axes = [np.linspace(-s, s, {2: 60, 3: 22, 4: 13}[n]) for s in size]
    h = np.array(list(itertools.product(*axes)))
    for _ in range(60):
        t = np.tanh(h)
        A = W * (1 - t**2)[:, None, :] - np.eye(n)
        change = np.linalg.solve(A, (t @ W.T - h)[..., None])[..., 0]
        h = h - np.clip(change, -0.5, 0.5)
    h = h[np.max(abs(np.tanh(h) @ W.T - h), axis=1) < 1e-12]
    return np.unique(h.round(8) + 0.0, axis=0)


def test_a_slow_point_is_said_to_be_slow(dtype):
    # h + h² + 1/100 never rests: it is slowest at 0, where it moves by 1/100
    found = rd.find_fixed_points(lambda p, h, x: h + h * h + p, jnp.asarray(0.01, dtype), grid(-1, 1).astype(dtype))
    assert np.all(found.ending == Ending.SLOW)
    assert found.fixed.tolist() == [False]
    np.testing.assert_allclose(found.points, [[0.0]], atol=1e-3 if dtype == jnp.float32 else 1e-6)
    np.testing.assert_allclose(found.speed, [0.01], rtol=1e-4)


def test_a_saddle_of_the_speed_is_no_slow_point():
    # q = ½ (1 + u² - v²)², divided by nothing: at 0 its gradient vanishes, but v leads down to the fixed points
    def step(p, h, x):
        u, v = h
        return h + jnp.array([1 + u * u - v * v, 0.0])

    found = rd.find_fixed_points(step, None, jnp.array([[1e-9, 1e-9], [0.0, 0.0]]), iterations=120)
    assert Ending.SLOW not in found.ending


def test_states_of_several_leaves(key):
    params = LSTM.init(key, inputs=1, hidden=4, gain=2.0)
    candidates = rd.visited_states(
        LSTM.step, params, jax.tree.map(lambda leaf: leaf + 0.3, LSTM.initial_state(params)), None,
        length=50, count=32, key=key,
    )  # fmt: skip
    found = rd.find_fixed_points(LSTM.step, params, candidates)
    after = jax.vmap(lambda state: LSTM.step(params, state, None))(found.points)
    assert np.any(found.fixed)
    for before, leaf in zip(found.points, after, strict=True):
        assert np.max(np.abs((leaf - before)[found.fixed])) <= 1e-12


def test_complex_states():
    found = rd.find_fixed_points(lambda p, z, x: z * z + p, -1 + 0j, jnp.array([1j, 1.0 + 1j, -1.0 - 0.5j]))
    exact = np.sort_complex(np.roots([1, -1, -1.0]).astype(complex))
    np.testing.assert_allclose(np.sort_complex(np.asarray(found.points)), exact, atol=1e-14)


def test_several_inputs_at_once():
    xs = jnp.array([[0.0, 0.1, 1.0]])
    found = rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2), xs, x_axis=1)
    for i, x in enumerate([0.0, 0.1, 1.0]):
        exact = _roots(lambda h, x=x: np.tanh(2 * h) + x - h)
        np.testing.assert_allclose(
            np.sort(np.asarray(found.points)[found.fixed & (found.input == i), 0]), exact, atol=1e-12
        )
    assert found.ending.shape == (27,)
    assert found.input[found.ended_at[:9]].tolist() == [0] * 9
    assert found.input[found.ended_at[18:]].tolist() == [2] * 9


def _roots(function):
    at = np.linspace(-3, 3, 1202)
    signs = np.sign(function(at))
    return [
        brentq(function, a, b, xtol=1e-15) for a, b, s, t in zip(at, at[1:], signs, signs[1:], strict=False) if s != t
    ]


def test_a_step_that_diverges_is_flagged():
    found = rd.find_fixed_points(lambda p, h, x: 1e300 * jnp.exp(p * h * h), 1.0, grid(1, 30))
    assert np.all(found.ending == Ending.NOT_CONVERGED)
    assert len(found.points) == 0


def test_candidates_on_a_line_of_points_stay_where_they_are():
    W = jnp.diag(jnp.array([1.0, 0.5, 0.2]))
    candidates = jax.random.normal(jax.random.key(3), (12, 3))
    found = rd.find_fixed_points(lambda W, h, x: W @ h, W, candidates)
    assert np.all(found.ending == Ending.FIXED)
    # the nearest point of the line is the candidate's first number
    ended = np.asarray(found.points)[found.ended_at]
    assert np.all(found.dimension == 1)
    np.testing.assert_allclose(ended[:, 1:], 0, atol=1e-12)


def test_a_step_that_float32_cannot_hold_is_searched_in_its_own_precision():
    found = rd.find_fixed_points(lambda p, h, x: 0.5 * h + p, 1e60, 1e60 * grid(1, 4))
    np.testing.assert_allclose(found.points, [[2e60]], rtol=1e-14)


def test_a_step_that_refuses_float32_is_searched_in_its_own_precision():
    def only_float64(p, h, x):
        if h.dtype != jnp.float64:
            raise TypeError("float64 only")
        return jnp.tanh(p * h)

    assert len(rd.find_fixed_points(only_float64, 2.0, grid(-2, 2)).points) == 3


def test_a_loop_of_unknown_length_has_no_reverse_derivative_and_is_searched_all_the_same():
    def step(p, h, x):
        return jax.lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, jnp.tanh(p * c[1])), (0, h))[1]

    found = rd.find_fixed_points(step, 2.0, grid(-2, 2))
    assert len(found.points) == 3


def test_new_parameters_and_candidates_compile_nothing(key, compilations):
    def search(gain, key):
        params = GRU.init(key, inputs=1, hidden=6, gain=gain)
        return rd.find_fixed_points(GRU.step, params, jax.random.normal(key, (24, 6)))

    keys = list(jax.random.split(key, 4))
    for one in keys[:2]:
        search(3.0, one)
        search(1.0, one)
    jax.block_until_ready([GRU.init(one, inputs=1, hidden=6, gain=3.0) for one in keys])
    before = compilations.count
    search(3.0, keys[2])
    search(2.5, keys[3])
    assert compilations.count == before


def test_the_search_is_the_same_each_time(key):
    params = GRU.init(key, inputs=1, hidden=6, gain=4.0)
    candidates = jax.random.normal(key, (24, 6))
    first, second = (rd.find_fixed_points(GRU.step, params, candidates) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.ended_at, second.ended_at)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"candidates": jnp.zeros((4, 3))}, (TypeError, ValueError), "dot_general|shape"),
        ({"candidates": jnp.zeros((4, 2)).at[1, 0].set(jnp.nan)}, ValueError, "candidates: got 1 non-finite"),
        ({"candidates": jnp.zeros(())}, ValueError, "candidates: got a scalar"),
        ({"iterations": 0}, ValueError, "iterations: got 0"),
        ({"tolerance": -1.0}, ValueError, "tolerance: got -1.0"),
        ({"known": jnp.zeros((1, 3))}, ValueError, r"known: got shape \(1, 3\), expected \(points, 2\)"),
        ({"known": jnp.full((1, 2), jnp.inf)}, ValueError, "known: got 2 non-finite"),
        ({"known": (jnp.zeros((1, 2)),)}, TypeError, "known: got a tree"),
        ({"x_axis": 0}, ValueError, "x_axis: got 0 with x = None"),
        ({"x_axis": True}, TypeError, "x_axis: got True"),
        ({"x": jnp.zeros(2), "x_axis": 1}, ValueError, r"x: got shape \(2,\), which has no axis"),
    ],
)
def test_bad_arguments_are_named(change, error, words):
    arguments = {"candidates": jnp.zeros((4, 2))} | change
    with pytest.raises(error, match=words):
        rd.find_fixed_points(lambda W, h, x: W @ h, jnp.eye(2), **arguments)


def test_a_driven_step_without_an_input_says_so():
    with pytest.raises((TypeError, ValueError)) as raised:
        rd.find_fixed_points(lambda W, h, x: jnp.tanh(W @ h + W @ x), jnp.eye(2), jnp.zeros((3, 2)))
    assert "x is None here" in "".join(raised.value.__notes__)


def test_known_points_are_added_once():
    found = Found(1, 1e-3)
    new = found.add(np.array([[0.0], [0.0], [1.0], [1.0004], [2.0]]), np.zeros(5, int))
    assert new.tolist() == [0, 2, 4]
    assert found.add(np.array([[2.0]]), np.ones(1, int)).tolist() == [0]
    assert len(found.vectors) == 4


def test_degenerate_points_far_out_are_dropped():
    found = Found(1, 1e-3)
    found.add(np.array([[9.0], [9.5], [9.9], [1.0]]), np.zeros(4, int))
    found.describe(np.arange(4), np.array([1.0, 0.0, 0.0, 0.0])[:, None, None], 1e-16)
    found.drop_degenerate(1, 3.0)
    assert found.vectors.tolist() == [[9.0], [1.0]]
    assert len(found.sign) == len(found.soft) == len(found.inputs) == 2


def test_starts_combine_points():
    found = Found(2, 1e-3)
    found.add(np.array([[4.0, 0.0], [8.0, 0.0], [0.0, 4.0]]), np.zeros(3, int))
    # A = J - I, whose softest direction is the second at each point
    found.describe(np.arange(3), np.tile(np.diag([3.0, 1e-2]), (3, 1, 1)), 1e-16)
    near, halves, signed, partners, mixed = (
        starts(found, np.zeros((1, 2)), 1000, 0, 1.0)[kind::5] for kind in range(5)
    )
    assert max(np.min(np.max(abs(found.vectors - one), axis=1)) for one in near) < 0.3
    assert np.array_equal(halves % 2, np.zeros((200, 2)))
    # three points, and each with the half of six differences, of which some agree
    assert len(np.unique(halves, axis=0)) == 18
    assert np.max(abs(signed)) < 24
    assert np.min(signed) < 0 < np.max(signed)
    apart = partners[:, None] - found.vectors[None]
    along_an_axis = np.min(np.max(abs(apart), axis=2) + 1e6 * np.min(abs(apart), axis=2), axis=1)
    assert np.all(along_an_axis < 6)
    assert np.all(np.isin(abs(mixed), [0.0, 4.0, 8.0]))


def test_the_indices_of_all_points_of_a_bounded_net_add_up_to_one(key):
    assert rd.find_fixed_points(scaled_tanh, 0.5, grid(-2, 2)).index_sum.tolist() == [1]
    assert rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2)).index_sum.tolist() == [1]
    assert rd.find_fixed_points(logistic, 4.0, grid(0.1, 0.9)).index_sum.tolist() == [0]
    # three independent bits: each is at one of two values or between them
    bits = rd.find_fixed_points(scaled_tanh, 2.0, jax.random.normal(key, (64, 3)))
    assert len(bits.points) == 27
    assert bits.index_sum.tolist() == [1]
    xs = jnp.array([0.0, 0.1, 1.0])
    assert rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2), xs, x_axis=0).index_sum.tolist() == [1, 1, 1]


def test_a_missing_point_shows_in_the_sum_of_indices():
    root = jnp.array([[sorted_points(rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2)))[2]]])
    found = rd.find_fixed_points(scaled_tanh, 2.0, grid(-2, 2), known=root)
    assert found.index_sum.tolist() == [0]
    assert not found.incomplete  # with the known point the sum is 1


def test_an_unbounded_map_is_not_asked_for_a_sum_of_one(monkeypatch):
    generations = []
    monkeypatch.setattr(search, "starts", lambda *args: generations.append(args) or starts(*args))
    assert not rd.find_fixed_points(logistic, 4.0, grid(0.1, 0.9)).incomplete
    assert len(generations) < search.LEAST + 4


def test_the_search_goes_on_while_the_sum_of_indices_proves_that_points_are_missing(monkeypatch):
    generations = []

    def useless(found, candidates, count, generation, scale):
        generations.append(generation)
        return np.full((count, 1), 0.9 if generation < 20 else -0.9)

    monkeypatch.setattr(search, "starts", useless)
    monkeypatch.setattr(search, "_table", lambda *args: divided([np.zeros((0, 1))], 1, 1.0, np.dtype("float32")))
    # two points of the candidates' side are found at first, and their indices cancel
    found = rd.find_fixed_points(scaled_tanh, 2.0, jnp.array([[0.9], [1e-9]]))
    assert len(generations) > 20
    assert len(found.points) == 3
    assert not found.incomplete


def test_it_is_said_that_points_are_missing(monkeypatch):
    monkeypatch.setattr(search, "starts", lambda found, candidates, count, *rest: np.full((count, 1), 0.9))
    monkeypatch.setattr(search, "_table", lambda *args: divided([np.zeros((0, 1))], 1, 1.0, np.dtype("float32")))
    monkeypatch.setattr(search, "AT_LEAST", 2**12)
    found = rd.find_fixed_points(scaled_tanh, 2.0, jnp.array([[0.9], [1e-9]]))
    assert len(found.points) == 2
    assert found.incomplete
    assert repr(found).endswith("0% of 2 candidates lost; some points are missing")


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "points"), [(jnp.float32, 7), (jnp.float64, 15)])  # they draw different weights
def test_a_tenth_of_the_candidates_finds_all_points_of_a_gru(dtype, points):
    params = GRU.init(jax.random.key(0), inputs=1, hidden=16, gain=4.0, dtype=dtype)
    h0 = jnp.full(16, 0.5, dtype)
    draw = [
        rd.visited_states(GRU.step, params, h0, None, length=300, count=count, key=jax.random.key(count))
        for count in (100, 1000)
    ]
    few, many = (rd.find_fixed_points(GRU.step, params, candidates) for candidates in draw)
    few, many = (np.asarray(found.points)[found.fixed] for found in (few, many))
    # the gates saturate: f is so flat along some directions that rounding moves points by 1e-4 in float32
    for these, those in ((few, many), (many, few)):
        assert max(np.min(np.max(abs(these - one), axis=1)) for one in those) < 1e-2
    assert len(few) == len(many) == points


def test_a_degenerate_point_is_found_although_newton_is_slow_there():
    found = rd.find_fixed_points(lambda g, h, x: jnp.tanh(g * h), 1.0, jnp.linspace(-1.0, 1.0, 8)[:, None])
    # h - tanh(h) is h³/3, so each step of Newton's method gains only a factor of 2/3
    assert len(found.points) == 1
    assert abs(float(found.points[0, 0])) < 1e-4
    assert bool(found.undecided[0])
    assert float(found.share[0]) == 1


def test_no_known_points_are_an_empty_result():
    def step(p, h, x):
        return p * h

    candidates = jnp.ones((4, 2))
    nothing = rd.find_fixed_points(step, 0.5, candidates, known=jnp.zeros((0, 2)))
    assert len(nothing.points) == 1
