"""The curve over lags against dense products with singular value decompositions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import every_kind, explicit_products, log, problem

import rnn_dynamics as rd


def explicit_curves(products, Js):
    norms = log([np.linalg.norm(P, 2) for P in products])
    frobenius = log([np.linalg.norm(P) for P in products])
    bound = np.concatenate([[0.0], np.cumsum(log([np.linalg.norm(J, 2) for J in Js[::-1]]))])
    return norms, frobenius, bound


def assert_curves(flow, expected, tolerance):
    for curve, truth in zip((flow.log_norm, flow.log_frobenius, flow.log_bound), expected, strict=True):
        np.testing.assert_allclose(curve, truth, rtol=0, atol=tolerance)


@every_kind
def test_equals_the_explicit_curves(cell, key):
    params, h0, xs = problem(cell, key, T=7)
    flow = rd.gradient_flow(cell.step, params, h0, xs)
    assert_curves(flow, explicit_curves(*explicit_products(cell, params, h0, xs, 7)), 1e-10)
    np.testing.assert_array_equal(flow.lag, np.arange(8))
    assert flow.converged.all()
    assert flow.bound_converged.all()


@pytest.mark.parametrize("T", [1, 2, 3, 4, 11])
def test_every_length_however_it_falls_into_stretches(T, key):
    cell = rd.cells.elman
    params, h0, _ = problem(cell, key, inputs=0)
    flow = rd.gradient_flow(cell.step, params, h0, None, length=T)
    assert_curves(flow, explicit_curves(*explicit_products(cell, params, h0, None, T)), 1e-12)


@pytest.mark.parametrize(
    "name", ["elman", *(pytest.param(name, marks=pytest.mark.slow) for name in ("linear", "orthogonal", "cornn"))]
)
def test_the_search_for_norms_equals_svd(name, key):
    """Also where all singular values are equal, or nearly so."""
    cell = rd.cells.CELLS[name]
    params, h0, xs = problem(cell, key, hidden=50, T=6)
    flow = rd.gradient_flow(cell.step, params, h0, xs)
    assert_curves(flow, explicit_curves(*explicit_products(cell, params, h0, xs, 6)), 1e-10)
    assert flow.converged.all()
    assert flow.bound_converged.all()


def test_a_guess_that_is_orthogonal_to_the_answer_is_not_believed():
    """Decoupled units that take turns being the largest: yesterday's singular vector knows nothing of today's."""
    n = 40
    turns = 1 + 9 * jnp.eye(n)[jnp.arange(6) * 5]
    flow = rd.gradient_flow(lambda p, h, x: x * h, None, jnp.ones(n), turns)
    expected = np.log([np.prod(np.asarray(turns)[6 - lag :], axis=0).max() for lag in range(7)])
    np.testing.assert_allclose(flow.log_norm, expected, atol=1e-10)


def test_orthogonal_matrix_times_rho():
    """‖W³⁰‖ = ρ³⁰ exactly: .0423912 and 17.4494."""
    Q = rd.cells.initializers.orthogonal(jax.random.key(3), 5)
    for rho, norm in ((0.9, 0.0423912), (1.1, 17.4494)):
        params = rd.cells.Affine(W=rho * Q, U=jnp.zeros((5, 0)))
        flow = rd.gradient_flow(rd.cells.linear.step, params, jnp.zeros(5), None, length=30)
        np.testing.assert_allclose(flow.log_norm, np.arange(31) * np.log(rho), atol=1e-13)
        np.testing.assert_allclose(jnp.exp(flow.log_norm[30]), norm, rtol=2e-6)
        np.testing.assert_allclose(flow.log_bound, flow.log_norm, atol=1e-13)


def test_blocks_of_an_lstm_and_the_cell_path_alone(key):
    cell = rd.cells.lstm
    params, h0, xs = problem(cell, key, hidden=3, T=5)
    products, Js = explicit_products(cell, params, h0, xs, 5)
    c_by_h = rd.gradient_flow(cell.step, params, h0, xs, block=("c", "h")).log_norm
    np.testing.assert_allclose(c_by_h, log([np.linalg.norm(P[3:, :3], 2) for P in products]), atol=1e-12)
    path = rd.gradient_flow(cell.step, params, h0, xs, path="c").log_norm
    forget = np.diagonal(Js[:, 3:, 3:], axis1=1, axis2=2)
    expected = [log(np.max(np.prod(forget[5 - lag :], axis=0))) for lag in range(6)]
    np.testing.assert_allclose(path, expected, atol=1e-12)
    for option in ({"block": ("c", "x")}, {"path": "state"}, {"block": ("c", "c"), "path": "c"}):
        with pytest.raises(ValueError, match=r"block|path"):
            rd.gradient_flow(cell.step, params, h0, xs, **option)


def test_a_path_of_single_numbers_whose_largest_changes(dtype):
    """The product of forget gates is diagonal, and the unit that was largest is an exact singular vector for ever."""
    cell, n, T = rd.cells.lstm, 24, 120
    for seed in (4, *range(3)):
        key = jax.random.key(seed)
        params = cell.init(key, inputs=n, hidden=n)
        h0, xs = cell.initial_state(params), 0.5 * jax.random.normal(key, (T, n), dtype)
        flow = rd.gradient_flow(cell.step, params, h0, xs, path="c", curves=("norm",))
        Js = np.asarray(rd.step_jacobians(cell.step, params, h0, xs), float)
        forget = np.log(np.diagonal(Js[:, n:, n:], axis1=1, axis2=2))[::-1]
        assert flow.converged.all()
        np.testing.assert_allclose(flow.log_norm[1:], np.cumsum(forget, axis=0).max(axis=1), rtol=2e-5)


def test_curves_that_are_not_asked_for_are_none_and_the_others_unchanged(key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key, T=9)
    everything = rd.gradient_flow(cell.step, params, h0, xs)._asdict()
    belongs = {"norm": {"log_norm", "converged"}, "frobenius": {"log_frobenius", "stderr"}}
    belongs["bound"] = {"log_bound", "bound_converged"}
    for curves in (("norm",), ("frobenius",), ("bound",), ("bound", "norm")):
        flow = rd.gradient_flow(cell.step, params, h0, xs, curves=curves)._asdict()
        wanted = set().union({"lag"}, *(belongs[name] for name in curves))
        assert {name for name, curve in flow.items() if curve is not None} == wanted
        for name in wanted:
            np.testing.assert_allclose(flow[name], everything[name], atol=1e-12)


def test_singular_steps_and_nan_are_not_dressed_up(key):
    params, h0, xs = problem(rd.cells.threshold, key)
    flow = rd.gradient_flow(rd.cells.threshold.step, params, h0, xs)
    assert (flow.log_norm[1:] == -jnp.inf).all()
    diverging = rd.gradient_flow(lambda p, h, x: h**3, None, jnp.full(2, 10.0), None, length=30)
    assert jnp.isnan(diverging.log_norm[-1])
    assert not diverging.converged[-1]
    assert not diverging.bound_converged[-1]


def test_a_nan_among_the_states_is_flagged():
    for n in (2, 20):
        flow = rd.gradient_flow(lambda p, h, x: jnp.sqrt(h - 1), None, jnp.full(n, 2.0), None, length=40)
        assert jnp.isnan(flow.log_norm[1:]).all()
        assert not flow.converged[1:].any()


def test_float32_over_a_long_time_neither_over_nor_underflows(dtype):
    for rho in (0.5, 2.0):
        W = rho * rd.cells.initializers.orthogonal(jax.random.key(1), 3, dtype)
        params = rd.cells.Affine(W=W, U=jnp.zeros((3, 0), dtype))
        flow = rd.gradient_flow(rd.cells.linear.step, params, jnp.zeros(3, dtype), None, length=2000)
        np.testing.assert_allclose(flow.log_norm[-1], 2000 * np.log(rho), rtol=1e-6)


def test_differentiable_in_parameters(key):
    cell = rd.cells.lstm
    params, h0, xs = problem(cell, key)

    def measured(params):
        flow = rd.gradient_flow(cell.step, params, h0, xs)
        return flow.log_norm[-1] + flow.log_frobenius[2] + flow.log_bound[3]

    gradient = jax.grad(measured)(params).forget.W[1, 2]
    nudge = jnp.zeros((3, 3)).at[1, 2].set(1e-5)

    def shifted(sign):
        return measured(params._replace(forget=params.forget._replace(W=params.forget.W + sign * nudge)))

    np.testing.assert_allclose(gradient, (shifted(1) - shifted(-1)) / 2e-5, rtol=1e-6)


@pytest.mark.slow
def test_memory_does_not_grow_with_time(key):
    """Between T = 64 and T = 1024 by less than the trajectory, which is not stored."""
    cell, n = rd.cells.elman, 64
    params, h0, _ = problem(cell, key, hidden=n, inputs=1)

    def temporary_bytes(T):
        run = jax.jit(lambda p, xs: rd.gradient_flow(cell.step, p, h0, xs))
        return run.lower(params, jnp.zeros((T, 1))).compile().memory_analysis().temp_size_in_bytes

    grown = temporary_bytes(1024) - temporary_bytes(64)
    assert grown < 8 * n * (1024 - 64) / 4


def test_fewer_lags_are_the_first_of_all(key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key, T=9)
    everything = rd.gradient_flow(cell.step, params, h0, xs)
    few = rd.gradient_flow(cell.step, params, h0, xs, lags=4)
    np.testing.assert_array_equal(few.lag, np.arange(5))
    np.testing.assert_allclose(few.log_norm, everything.log_norm[:5], atol=1e-12)


@pytest.mark.slow
def test_anchors_are_final_times_of_their_own(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key, T=9)
    flow = rd.gradient_flow(cell.step, params, h0, xs, anchors=(4, 9, 6))
    for i, time in enumerate((4, 9, 6)):
        alone = rd.gradient_flow(cell.step, params, h0, xs[:time], lags=4)
        for curve, other in zip(flow[1:4], alone[1:4], strict=True):
            np.testing.assert_allclose(curve[i], other, atol=1e-12)
    mean = rd.gradient_flow(cell.step, params, h0, xs, anchors=(4, 9, 6), average=True)
    np.testing.assert_allclose(mean.log_norm, flow.log_norm.mean(axis=0), atol=1e-12)
    assert mean.converged.all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lags": 6}, "lags: got 6, expected 1 <= lags <= T = 5"),
        ({"lags": 0}, "lags: got 0, expected 1 <= lags <= T = 5"),
        ({"anchors": (2, 6)}, r"anchors: got \[2, 6\], expected one or more times from 1 to T = 5"),
        ({"anchors": (2, 4), "lags": 3}, "lags: got 3, expected 1 <= lags <= 2, the earliest of the anchors"),
        ({"anchors": ()}, r"anchors: got \[\], expected one or more times"),
        ({"anchors": 3}, "anchors: got 3, expected a sequence of times"),
        ({"average": True}, "average: got True without anchors"),
        ({"curves": ("2",)}, r"curves: got \('2',\), expected a tuple of some of norm, frobenius, bound"),
        ({"directions": 3}, "directions, key: got 3 and None"),
        ({"directions": 0, "key": jax.random.key(0)}, "directions: got 0, expected a whole number of at least 1"),
    ],
)
def test_options_that_do_not_fit(options, message, key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    with pytest.raises((TypeError, ValueError), match=message):
        rd.gradient_flow(cell.step, params, h0, xs, **options)


@pytest.mark.slow
def test_random_directions_estimate_the_frobenius_norm_within_their_error(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key, hidden=40, T=8)
    truth = rd.gradient_flow(cell.step, params, h0, xs)
    keys = jax.random.split(key, 200)
    flow = jax.vmap(lambda key: rd.gradient_flow(cell.step, params, h0, xs, directions=10, key=key))(keys)
    scores = (flow.log_frobenius - truth.log_frobenius[None])[:, 1:] / flow.stderr[:, 1:]
    assert np.abs(np.median(scores)) < 0.3
    assert 0.8 < np.mean(np.abs(scores) < 1) / 0.66 < 1.2
    # unbiased in the square, and a lower bound of the 2-norm that says so
    squares = jnp.exp(2 * (flow.log_frobenius - truth.log_frobenius[None]))
    np.testing.assert_allclose(squares.mean(axis=0), 1, atol=4 * np.max(squares.std(axis=0)) / 200**0.5)
    assert (flow.log_norm <= truth.log_norm[None] + 1e-12).all()
    assert not flow.converged[:, 1:].any()
    np.testing.assert_allclose(flow.log_bound[0], truth.log_bound, atol=1e-12)


@pytest.mark.slow
def test_random_directions_are_exact_where_every_direction_is_alike():
    Q = 0.9 * rd.cells.initializers.orthogonal(jax.random.key(3), 30)
    params = rd.cells.Affine(W=Q, U=jnp.zeros((30, 0)))
    flow = rd.gradient_flow(
        rd.cells.linear.step, params, jnp.zeros(30), None, length=12, directions=4, key=jax.random.key(1)
    )
    np.testing.assert_allclose(flow.log_frobenius, np.log(30) / 2 + np.arange(13) * np.log(0.9), atol=1e-12)
    np.testing.assert_allclose(flow.stderr, 0, atol=1e-12)
    np.testing.assert_allclose(flow.log_norm, np.arange(13) * np.log(0.9), atol=1e-12)


def test_new_parameters_and_other_anchors_compile_nothing_new(key, compilations):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    rd.gradient_flow(cell.step, params, h0, xs, anchors=(3, 4), lags=2)
    others = jax.tree.map(lambda leaf: np.asarray(leaf) * 1.1, params)
    before = compilations.count
    rd.gradient_flow(cell.step, others, h0, xs, anchors=(5, 2), lags=2)
    assert compilations.count == before


def test_states_that_have_no_norm_are_refused():
    with pytest.raises(ValueError, match=r"h0: got .* without a number"):
        rd.gradient_flow(lambda p, h, x: h, None, jnp.zeros(0), None, length=4)
    with pytest.raises(TypeError, match="h0: got dtype bfloat16, expected float32 or float64"):
        rd.gradient_flow(lambda p, h, x: h, None, jnp.zeros(3, jnp.bfloat16), None, length=4)
