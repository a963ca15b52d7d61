"""All states at once against the states one after the other, for every way to iterate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import assert_trees_close, problem

import rnn_dynamics as rd
from rnn_dynamics.machinery.parallel_iteration import METHODS

N, T = 3, 24
W = jax.random.normal(jax.random.key(3), (N, N)) / N**0.5
XS = jax.random.normal(jax.random.key(4), (T, N))
H0 = jnp.full(N, 0.4)


def step(p, h, x):
    """Return a net that is linear for share = 1 and tanh for share = 0: one program serves many tests."""
    z = p["W"] @ h + x
    return p["share"] * z + (1 - p["share"]) * jnp.tanh(z)


def net(gain=1.0, share=0.0, matrix=W):
    return {"W": gain * matrix, "share": jnp.asarray(share)}


def both(params, xs=XS, **options):
    return rd.parallel_states(step, params, H0, xs, **options), rd.unroll(step, params, H0, xs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0])
def test_the_states_are_those_of_the_scan(method, gain):
    found, expected = both(net(gain), method=method)
    assert found.converged
    assert found.reliable
    assert found.known == T
    np.testing.assert_allclose(found.states, expected, rtol=0, atol=2e-10)
    assert found.difference < 2e-10
    assert found.iterations <= T + 1
    assert found.corrections[found.iterations - 1] <= 4e-11
    assert found.fronts[found.iterations - 1] == T
    assert np.isnan(found.corrections[found.iterations :]).all()


@pytest.mark.parametrize("gain", [0.0, 0.7, 3.0])
def test_a_linear_net_takes_one_iteration_and_one_that_confirms_it(gain):
    found, expected = both(net(gain, share=1.0))
    assert found.iterations <= 2
    np.testing.assert_allclose(found.states, expected, rtol=1e-10, atol=1e-12)
    assert found.corrections[1] <= 1e-12


def test_units_that_see_only_themselves_need_no_more_than_their_diagonals():
    params = net(1.0, matrix=jnp.diag(jnp.array([0.9, -0.5, 0.1])))
    whole, diagonal = (both(params, method=method)[0] for method in ("newton", "diagonal"))
    assert abs(int(whole.iterations) - int(diagonal.iterations)) <= 1  # an estimated error may ask for one more
    np.testing.assert_allclose(whole.corrections[:3], diagonal.corrections[:3], rtol=1e-6, atol=1e-14)


def test_each_iteration_makes_at_least_one_more_state_exact():
    found, expected = both(net(30.0))
    assert found.converged
    run = np.asarray(found.fronts[: found.iterations])
    assert (run >= np.minimum(np.arange(len(run)), T)).all()
    np.testing.assert_allclose(found.states, expected, atol=1e-9)


def test_what_has_not_converged_says_so_and_is_nan(key):
    found, expected = both(net(30.0), iterations=3)
    known = int(found.known)
    assert not found.converged
    assert not found.reliable
    assert str(found.reasons) == "not converged"
    assert 2 <= known < T
    assert np.isnan(found.states[known:]).all()
    np.testing.assert_allclose(found.states[:known], expected[:known], atol=1e-9)
    assert f"{known} of {T} states known" in repr(found)
    assert found.summary().count("\n") == 4


def test_stretches_of_time_and_a_guess():
    params = net(1.0)
    expected = rd.unroll(step, params, H0, XS)
    found = rd.parallel_states(step, params, H0, XS, stretch=7, guess=expected + 1e-6, iterations=3)
    np.testing.assert_allclose(found.states, expected, rtol=0, atol=1e-12)
    assert 8 <= found.iterations <= 12  # four stretches, the last of three steps
    # a net that is lost in one stretch is not run in the next
    lost = rd.parallel_states(step, net(30.0), H0, XS, stretch=7, guess=jnp.zeros_like(XS), iterations=3)
    assert lost.iterations == 3
    assert lost.known < 7
    assert np.isnan(lost.states[7:]).all()


def test_derivatives_are_those_of_the_scan():
    def loss(method, params, h0, xs):
        return (rd.unroll(step, params, h0, xs, method=method) ** 2).sum()

    short = XS[:6]
    for_all = [jax.grad(loss, (1, 2, 3))(method, net(1.5), H0, short) for method in ("newton", "scan")]
    assert_trees_close(*for_all, rtol=1e-9, atol=1e-11)


def test_one_step_of_one_number():
    one = rd.parallel_states(lambda a, h, x: jnp.tanh(a * h), 2.0, jnp.ones(()), None, length=1)
    np.testing.assert_allclose(one.states, [np.tanh(2)], rtol=1e-14)
    assert one.converged


def test_states_that_overflow_are_not_known():
    # 1.1^t passes the largest float64 at t = 7447; a guess in its place and the states after it fit each other
    found = rd.parallel_states(lambda a, h, x: a * h, 1.1, jnp.ones(1), None, length=8000, iterations=5)
    assert not found.converged
    assert found.known < 7448
    assert np.isnan(found.states[7447:]).all()


def test_states_far_off_do_not_hide_errors_before_them():
    def mixed(a, h, x):
        return a * h + 0.5 * jnp.sin(h) + x

    xs = XS[:, :1]
    guess = jnp.zeros_like(xs).at[-2].set(1e30)
    found = rd.parallel_states(mixed, 0.6, jnp.zeros(1), xs, guess=guess, iterations=1)
    assert found.fronts[0] == 0  # the first state has moved as well
    known = int(found.known)
    np.testing.assert_allclose(found.states[:known], rd.unroll(mixed, 0.6, jnp.zeros(1), xs)[:known], atol=1e-9)


def chain(weight, h, x):
    """Return units in a chain: each sees the one before it, and the first sees the input."""
    return jnp.tanh(weight * jnp.concatenate([x, h[:-1]]))


@pytest.mark.parametrize("silent", [0, 12, T])
def test_damped_iterations_leave_a_state_of_zeros(silent):
    xs = jnp.where(jnp.arange(T)[:, None] >= silent, XS[:, :1], 0)
    found = rd.parallel_states(chain, 0.9, jnp.zeros(5), xs, method="damped", checks=1)
    assert found.converged
    assert found.iterations <= 5 + 2  # a unit an iteration at most
    np.testing.assert_allclose(found.states, rd.unroll(chain, 0.9, jnp.zeros(5), xs), rtol=0, atol=1e-10)


def test_of_many_nets_only_the_lost_one_is_nan():
    def logistic(a, h, x):
        return a * h * (1 - h)

    def both_ways(a):
        h0 = jnp.full(1, 0.3)
        found = rd.parallel_states(logistic, a, h0, None, length=60, iterations=30)
        return found, rd.unroll(logistic, a, h0, None, length=60)

    found, expected = jax.vmap(both_ways)(jnp.array([2.5, 4.0, 0.5]))
    np.testing.assert_array_equal(found.converged, [True, False, True])
    np.testing.assert_allclose(found.states[::2], expected[::2], rtol=0, atol=2e-10)
    known = int(found.known[1])
    np.testing.assert_allclose(found.states[1, :known], expected[1, :known], rtol=0, atol=1e-6)
    assert np.isnan(found.states[1, known:]).all()


@pytest.mark.slow
def test_float32_near_an_exponent_of_zero_is_right_or_says_that_it_is_not():
    key, xs = jax.random.key(8), 0.1 * jax.random.normal(jax.random.key(9), (400, 1), jnp.float32)
    for gain in (1.0, 1.2, 1.5):
        params = rd.cells.elman.init(key, inputs=1, hidden=16, gain=gain)
        given = (rd.cells.elman.step, *jax.tree.map(lambda a: a.astype(jnp.float32), (params, jnp.zeros(16))), xs)
        found, expected = rd.parallel_states(*given), rd.unroll(*given)
        known = int(found.known)
        assert np.abs(found.states[:known] - expected[:known]).max(initial=0) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_complex_states_and_whole_numbers_as_inputs(method):
    def turn(a, h, x):
        angle = x.astype(h.real.dtype)
        size = 1 + h.real**2 + h.imag**2
        return a * h * jax.lax.complex(jnp.cos(angle) / size, jnp.sin(angle) / size) + 1

    given = (turn, jnp.asarray(0.5 + 0.2j), jnp.ones(2, complex), jnp.arange(9))
    found = rd.parallel_states(*given, method=method)
    assert found.converged
    np.testing.assert_allclose(found.states, rd.unroll(*given), rtol=1e-9)


@pytest.mark.slow
def test_a_state_of_two_parts_and_checks_at_random_times():
    params, h0, xs = problem(rd.cells.lstm, jax.random.key(0), hidden=2, T=6)
    found = rd.parallel_states(rd.cells.lstm.step, params, h0, xs, key=jax.random.key(1), checks=2)
    assert_trees_close(found.states, rd.unroll(rd.cells.lstm.step, params, h0, xs), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lru", "indrnn", "threshold"])
@pytest.mark.parametrize("method", METHODS)
def test_other_cells(name, method, key):
    same_states(rd.cells.CELLS[name], method, key, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_either_precision(method, key, dtype):
    found = same_states(rd.cells.gru, method, key, 1e-9 if dtype == jnp.float64 else 2e-4)
    assert jnp.finfo(found.states.dtype).dtype == found.corrections.dtype == dtype


def same_states(cell, method, key, tolerance):
    params, h0, xs = problem(cell, key, hidden=4, T=30, gain=0.8)
    found = rd.parallel_states(cell.step, params, h0, xs, method=method)
    assert found.converged
    assert_trees_close(found.states, rd.unroll(cell.step, params, h0, xs), rtol=tolerance, atol=tolerance)
    return found


@pytest.mark.slow
def test_every_transformation(key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key, T=12)

    def states(method, p):
        return rd.unroll(cell.step, p, h0, xs, method=method)

    def loss(method, p):
        return (states(method, p) ** 2).sum()

    many = jax.tree.map(lambda leaf: jnp.stack([leaf, 1.3 * leaf]), params)
    ones = jax.tree.map(jnp.ones_like, params)
    for measure in (
        lambda m: jax.jit(lambda p: states(m, p))(params),
        lambda m: jax.jit(jax.vmap(jax.grad(lambda p: loss(m, p))))(many),
        lambda m: jax.jvp(lambda p: states(m, p), (params,), (ones,))[1],
        lambda m: jax.jvp(jax.grad(lambda p: loss(m, p)), (params,), (ones,))[1],
    ):
        assert_trees_close(measure("newton"), measure("scan"), rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_captured_tracers_and_whole_numbers_as_inputs_inside_shard_map():
    def loss(method, W):
        def by_time(p, h, t):
            return jnp.tanh(W @ h + jnp.sin(t.astype(W.dtype)))

        return (rd.unroll(by_time, None, H0, jnp.arange(9), method=method) ** 2).sum()

    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    over = jax.sharding.PartitionSpec("d")
    for check in (True, False):
        measure = jax.shard_map(
            lambda W: jax.grad(lambda W: loss("newton", W))(W[0])[None],
            mesh=mesh,
            in_specs=over,
            out_specs=over,
            check_vma=check,
        )
        np.testing.assert_allclose(jax.jit(measure)(W[None])[0], jax.grad(lambda W: loss("scan", W))(W), rtol=1e-9)


@pytest.mark.slow
def test_a_chaotic_map_ends_in_a_statement():
    def logistic(a, h, x):
        return a * h * (1 - h)  # λ₁ = ln 2 for a = 4

    given = (logistic, 4.0, jnp.full(1, 0.3), None)
    with pytest.raises(RuntimeError, match=r"did not converge in 100 iterations: \d+ of 130 states are known.*scan"):
        rd.unroll(*given, length=130, method="newton")
    inside = jax.jit(lambda a: rd.unroll(logistic, a, given[2], None, length=130, method="newton"))(4.0)
    assert np.isnan(inside[-1]).all()
    assert np.isfinite(inside[0]).all()


@pytest.mark.slow
def test_iterations_grow_like_the_logarithm_of_T_where_errors_fade():
    counts = []
    for length in (32, 256, 2048):
        xs = jax.random.normal(jax.random.key(4), (length, N))
        counts.append(int(rd.parallel_states(step, net(1.2), H0, xs).iterations))
    assert counts[-1] <= counts[0] + 6


def test_a_net_that_diverges_is_not_finite():
    found = rd.parallel_states(lambda a, h, x: a * h**3, 3.0, jnp.ones(1), None, length=12)
    assert not found.converged
    assert found.known < 8
    assert np.isnan(found.states[-1]).all()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"method": "scan"}, ValueError, "method: got 'scan', expected one of 'newton', 'diagonal', 'damped'"),
        ({"tolerance": 0.0}, ValueError, "tolerance: got 0.0"),
        ({"tolerance": 1e-16}, ValueError, "tolerance: got 1e-16, expected at least 1.8e-15, 8 times the rounding"),
        ({"iterations": 0}, ValueError, "iterations: got 0, expected a whole number of at least 1"),
        ({"stretch": 0}, ValueError, "stretch: got 0"),
        ({"checks": 0}, ValueError, "checks: got 0"),
        ({"guess": jnp.zeros((T, N + 1))}, ValueError, r"guess: got float64 of shape \(24, 4\), expected float64 of"),
        ({"guess": {"h": XS}}, TypeError, "guess: got a tree"),
        ({"guess": XS * jnp.nan}, ValueError, "guess: got 72 non-finite of 72 values"),
    ],
)
def test_bad_options_are_named(options, kind, message):
    with pytest.raises(kind, match=message):
        rd.parallel_states(step, net(), H0, XS, **options)


def test_unroll_refuses_what_does_not_go_together():
    with pytest.raises(ValueError, match="method: got 'fast', expected one of 'scan', 'newton'"):
        rd.unroll(step, net(), H0, XS, method="fast")
    with pytest.raises(ValueError, match="keep_every: got 3 with method='newton'"):
        rd.unroll(step, net(), H0, XS, method="newton", keep_every=3)
