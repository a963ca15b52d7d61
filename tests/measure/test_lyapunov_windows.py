"""Lyapunov spectra in windows of time, judged by the same spectra step by step and by known answers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import problem

import rnn_dynamics as rd
from rnn_dynamics.measure import lyapunov, windows_of_time
from rnn_dynamics.measure.reliability import Doubt

STEPS = {name: rd.cells.CELLS[name] for name in ("elman", "gru", "lstm", "lru")}
STEPS["leaky relu"] = rd.cells.make_elman(lambda x: jax.nn.leaky_relu(x, 0.3))


def linear(W, h, x):
    return W @ h


def given_matrix(params, h, x):
    return x @ h


def units(params, h, x):
    """Units that do not act on each other: x is the diagonal of the Jacobian."""
    return x * h


def henon(params, h, x):
    return jnp.stack([1 - 1.4 * h[0] ** 2 + h[1], 0.3 * h[0]])


def relu_step(p, h, x):
    return jax.nn.relu(p @ h + 0.1)


def both(*args, windows, **options):
    """The spectrum in windows and the one step by step."""
    return (rd.lyapunov_spectrum(*args, **options, windows=count) for count in (windows, 1))


def assert_equal_spectra(windowed, sequential, atol=1e-9):
    """In all but the interval; where the segments are others, in what does not depend on them."""
    assert windowed.windows > 1
    assert sequential.windows == 1
    np.testing.assert_allclose(windowed.exponents, sequential.exponents, atol=atol)
    np.testing.assert_allclose(windowed.sum_rule_residual, sequential.sum_rule_residual, atol=atol)
    segments = Doubt.TOO_SHORT | Doubt.NOT_CONVERGED  # there may be fewer of them
    np.testing.assert_array_equal(windowed.doubts & ~segments, sequential.doubts & ~segments)
    if np.array_equal(windowed.steps, sequential.steps):
        np.testing.assert_allclose(windowed.history, sequential.history, atol=20 * atol)
        np.testing.assert_allclose(windowed.local, sequential.local, atol=20 * atol)
        np.testing.assert_allclose(windowed.stderr, sequential.stderr, atol=20 * atol)


CASES = [
    # cell, size, number of exponents, inputs, T, burn-ins, windows, options
    pytest.param("gru", 3, 2, 2, 133, (7, 20), 6, {"interval": 2, "segments": 3}, id="gru"),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (
            ("elman", 1, None, 2, 40, (0, 0), 5, {"interval": 1}),
            ("lstm", 2, None, 2, 97, (0, 13), 4, {}),
            ("leaky relu", 6, None, 0, 101, (3, 0), 4, {"interval": 3}),
            ("elman", 9, None, 0, 101, (0, 0), 4, {"interval": 3}),
            ("lru", 2, 3, 2, 50, (0, 1), 49, {"interval": 2, "segments": 7}),
        )
    ),
]


@pytest.mark.parametrize(("name", "n", "k", "inputs", "T", "burn_ins", "windows", "options"), CASES)
def test_a_spectrum_in_windows_is_the_one_step_by_step(name, n, k, inputs, T, burn_ins, windows, options, key):
    cell = STEPS[name]
    params, h0, xs = problem(cell, key, hidden=n, inputs=inputs, T=T, gain=0.9)
    options = {"k": k, "burn_in": burn_ins[0], "frame_burn_in": burn_ins[1], "length": T, **options}
    assert_equal_spectra(*both(cell.step, params, h0, xs, windows=windows, **options))


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_any_spectrum_in_windows_is_the_one_step_by_step(data, seed):
    cell = STEPS[data.draw(st.sampled_from(sorted(STEPS)))]
    T, n = data.draw(st.integers(2, 150)), data.draw(st.integers(1, 6))
    net = problem(cell, jax.random.key(seed), hidden=n, inputs=data.draw(st.sampled_from([0, 2])), T=T, gain=0.9)
    burn_in = data.draw(st.integers(0, T - 2))
    frame_burn_in = data.draw(st.integers(0, T - burn_in - 2))
    windows = data.draw(st.integers(2, T - burn_in - frame_burn_in))
    options = {
        "k": data.draw(st.sampled_from([None, *range(1, n + 1)])),
        "interval": data.draw(st.sampled_from([1, 2, 5, "auto"])),
        "length": T,
        "burn_in": burn_in,
        "frame_burn_in": frame_burn_in,
    }
    windowed, sequential = both(cell.step, *net, windows=windows, **options)
    if windowed.windows == 1:  # digits were lost, as a step by step run with care can tell
        np.testing.assert_array_equal(windowed.exponents, sequential.exponents)
    else:
        assert_equal_spectra(windowed, sequential, atol=1e-7)


def test_segments_are_those_of_a_run_step_by_step_where_both_fit(key):
    xs = jax.random.normal(key, (240, 3, 3))
    options = {"interval": 1, "segments": 10}
    windowed, sequential = both(given_matrix, None, jnp.zeros(3), xs, windows=40, **options)
    assert windowed.windows == 40
    np.testing.assert_array_equal(windowed.steps, sequential.steps)
    assert jnp.isfinite(windowed.stderr).all()
    assert_equal_spectra(windowed, sequential)


def test_orthogonal_weights_have_zeros_in_any_windows(key):
    """All exponents are equal: no frame ever turns to a direction of its own, so none may be needed."""
    Q = rd.cells.initializers.orthogonal(key, 5)
    found = rd.lyapunov_spectrum(linear, Q, jnp.zeros(5), None, length=1000, windows=7, segments=1, key=key)
    assert found.windows > 1
    np.testing.assert_allclose(found.exponents, 0, atol=1e-14)


@pytest.mark.parametrize("steps", [10**4 + 3, pytest.param(10**6 + 3, marks=pytest.mark.slow)])
def test_exponents_far_apart_are_exact_over_a_long_time(steps, dtype):
    logs = np.array([3.0, 0.0, -3.0])
    W = jnp.diag(jnp.exp(jnp.asarray(logs, dtype)))
    found = rd.lyapunov_spectrum(linear, W, jnp.zeros(3, dtype), None, length=steps, windows=64)
    assert found.windows > 1
    np.testing.assert_allclose(found.exponents, logs, atol=20 / steps + 20 * float(jnp.finfo(dtype).eps))
    np.testing.assert_allclose(found.exponents.sum(), 0, atol=10 * float(jnp.finfo(dtype).eps))
    assert found.reliable.all()


def test_henon_obeys_its_sum_rule_and_is_within_its_errors():
    found, sequential = both(henon, None, jnp.full(2, 0.1), None, length=20_000, burn_in=100, windows=50)
    np.testing.assert_allclose(found.exponents.sum(), np.log(0.3), atol=1e-12)
    assert abs(found.exponents[0] - 0.41922) < 4 * found.stderr[0]
    # the states are the same, so chaos makes no difference
    np.testing.assert_allclose(found.exponents, sequential.exponents, atol=1e-9)


def test_a_long_window_in_single_precision_adds_up():
    with jax.enable_x64(False):
        W = jnp.diag(jnp.array([2.7, 0.3]))
        options = {"length": 100_000, "interval": 1, "frame_burn_in": 50, "windows": 2}
        spectrum = rd.lyapunov_spectrum(linear, W, jnp.zeros(2), None, **options)
        assert spectrum.windows == 2
        np.testing.assert_allclose(spectrum.exponents, np.log([2.7, 0.3]), rtol=2e-5)
        assert abs(spectrum.sum_rule_residual) < 1e-5


def test_units_that_exchange_their_roles_between_long_windows_are_measured_step_by_step():
    """The second window shrinks the frame's first column, from which all but noise cancels in the joint."""
    signs = np.repeat([1.0, -1.0, -1.0, -1.0], 40_000)[:, None] * np.array([[1.0, -1.0]])
    xs = jnp.exp(jnp.asarray(signs))
    found = rd.lyapunov_spectrum(units, None, jnp.zeros(2), xs, windows=4, interval=1)
    assert found.windows == 1
    np.testing.assert_allclose(found.exponents, [0.5, -0.5], atol=1e-3)


def test_units_that_exchange_their_roles_in_many_windows_are_measured_step_by_step():
    """No joint loses digits, but the rounding errors of all of them outgrow the frame's first column."""
    signs = np.repeat([1.0, -1.0], [60, 68])[:, None] * np.array([[1.0, -1.0]])
    xs = jnp.exp(jnp.asarray(signs))
    found, sequential = both(units, None, jnp.zeros(2), xs, windows=16, interval=1, segments=1)
    assert found.windows == 1
    np.testing.assert_allclose(found.exponents, sequential.exponents, atol=1e-12)


def test_dead_units_are_measured_step_by_step():
    W = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4)) / 2)
    W = W.at[3].set(0)
    found, sequential = both(relu_step, W, jnp.full(4, 0.1), None, length=200, windows=8)
    assert found.windows == 1
    assert found.exponents[-1] == -jnp.inf
    np.testing.assert_allclose(found.exponents, sequential.exponents, atol=1e-12)
    np.testing.assert_array_equal(found.doubts & Doubt.SINGULAR, sequential.doubts & Doubt.SINGULAR)


@pytest.mark.slow
@pytest.mark.parametrize("step", [lambda W, h, x: (W @ h) ** 3, lambda W, h, x: 1.5 * h + 1])
def test_a_trajectory_that_diverges_has_no_exponents_in_windows(step, key):
    found = rd.lyapunov_spectrum(step, 3 * jax.random.normal(key, (4, 4)), jnp.ones(4), None, length=2000, windows=8)
    assert not jnp.isfinite(found.exponents).any()
    assert (found.doubts & Doubt.NOT_FINITE != 0).all()


def test_inside_jit_and_vmap_the_windows_are_the_same(key):
    xs = jax.random.normal(key, (2, 20, 2, 2))

    def measured(xs):
        return rd.lyapunov_spectrum(given_matrix, None, jnp.zeros(2), xs, windows=5, interval=2)

    outside, inside = measured(xs[1]), jax.jit(jax.vmap(measured))(xs)
    assert outside.windows == inside.windows[1] == 4  # two in each of two segments
    for field, here, there in zip(outside._fields, outside, inside, strict=True):
        np.testing.assert_allclose(there[1], here, rtol=1e-10, atol=1e-12, err_msg=field)


@pytest.mark.slow
def test_transformations_and_derivatives_are_those_of_one_step_after_the_other(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key, T=30, gain=0.7)
    weights = jnp.array([1.0, -0.5, 2.0])

    def measured(scale, windows):
        spectrum = rd.lyapunov_spectrum(
            cell.step, params._replace(W=scale * params.W), h0, xs, windows=windows, interval=2
        )
        return spectrum.exponents @ weights, spectrum.windows

    scales = jnp.array([0.8, 1.0])
    one, five = (
        jax.jit(jax.vmap(jax.value_and_grad(partial(measured, windows=w), has_aux=True)))(scales) for w in (1, 5)
    )
    assert (one[0][1] == 1).all()
    assert (five[0][1] == 3).all()  # fewer than eight steps in a segment would be too few
    np.testing.assert_allclose(five[0][0], one[0][0], rtol=1e-11)
    np.testing.assert_allclose(five[1], one[1], rtol=1e-8)
    forward = jax.jacfwd(partial(measured, windows=5), has_aux=True)(scales[0])[0]
    np.testing.assert_allclose(forward, one[1][0], rtol=1e-8)


@pytest.mark.slow
def test_one_singular_example_of_a_batch_has_all_measured_step_by_step():
    W = jnp.stack([jnp.eye(2), jnp.diag(jnp.array([1.0, 0.0]))])
    many = jax.jit(jax.vmap(lambda W: rd.lyapunov_spectrum(linear, W, jnp.ones(2), None, length=90, windows=5)))(W)
    assert many.reasons.tolist() == [["too short"] * 2, ["too short", "too short, singular Jacobian"]]
    assert (many.windows == 1).all()


def test_windows_shared_out_to_threads_give_the_same(key, monkeypatch):
    W, options = jax.random.normal(key, (3, 3)), {"length": 307, "frame_burn_in": 11, "windows": 16, "interval": 2}
    net = lambda W, h, x: jnp.tanh(W @ h), W, jnp.full(3, 0.1), None
    alone = rd.lyapunov_spectrum(*net, **options)
    for shares in (2, 3):
        monkeypatch.setattr(lyapunov, "cores", lambda measured, n, shares=shares: shares)
        shared = rd.lyapunov_spectrum(*net, **options)
        assert shared.windows == alone.windows == 16
        for field, here, there in zip(alone._fields, alone, shared, strict=True):
            np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-12, err_msg=field)


def test_threads_take_the_types_of_plain_numbers_from_the_caller(monkeypatch):
    """Precision is a setting of each thread, here changed for the caller alone."""
    scales = np.array([2.0, 0.5])

    def scaled(params, h, x):
        return params["rate"] * scales.astype(h.dtype) * h

    found = []
    for shares in (1, 2):
        monkeypatch.setattr(lyapunov, "cores", lambda measured, n, shares=shares: shares)
        with jax.enable_x64(False):
            spectrum = rd.lyapunov_spectrum(scaled, {"rate": np.float64(1.5)}, jnp.zeros(2), None, length=80, windows=8)
        found.append(spectrum.exponents)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


@pytest.mark.slow
def test_a_share_that_begins_with_skipped_steps_chooses_no_interval(monkeypatch):
    """Of two shares the first is a frame burn-in alone, which begins later than the pilot."""
    monkeypatch.setattr(lyapunov, "cores", lambda measured, n: 2)
    options = {"length": 2900, "frame_burn_in": 900, "segments": 1, "windows": 2}
    with jax.enable_x64(False):  # 32 steps of e^4 overflow
        W = jnp.diag(jnp.exp(jnp.array([4.0, 0.0, -4.0])))
        found = rd.lyapunov_spectrum(linear, W, jnp.zeros(3), None, **options)
    assert found.windows == 2
    np.testing.assert_allclose(found.exponents, [4, 0, -4], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": 0}, "windows: got 0, expected a whole number of at least 1"),
        ({"windows": "many"}, "windows: got 'many', expected a whole number"),
        ({"windows": 41}, "windows: got 41, expected at most 40, the steps after both burn-ins"),
        ({"windows": 38, "burn_in": 2, "frame_burn_in": 1}, "windows: got 38, expected at most 37"),
        ({"windows": 4, "until": 0.1}, "windows: got 4 with until=0.1, expected windows=1 or until=None"),
        ({"windows": 4, "method": "qr"}, "windows: got 4 with method='qr', expected windows=1 or method='lu'"),
        ({"windows": 4, "segments": 5}, "segments: got 5, expected at most windows = 4"),
        ({"windows": 40, "segments": 40}, "segments: got 40, expected at most 30, the steps after burn-in and pilot"),
        ({"windows": 4, "k": 4}, "k: got 4, expected at most n = 3"),
    ],
    ids=str,
)
def test_windows_that_do_not_fit(options, message, key):
    params, h0, xs = problem(rd.cells.elman, key, T=40)
    with pytest.raises((TypeError, ValueError), match=message):
        rd.lyapunov_spectrum(rd.cells.elman.step, params, h0, xs, **options)


def test_windows_are_chosen_for_long_runs_of_small_systems_alone():
    best = windows_of_time.best_count
    assert best(2, 10**6, 32) > 1
    assert best(2, 10**6, 32) % 32 == 0
    assert best(2, 1000, 32) == best(17, 10**6, 32) == best(16, 10**7, 32) == 1


@pytest.mark.slow
def test_a_long_run_is_measured_in_windows_outside_of_transformations_alone():
    def of(h, **options):
        return rd.lyapunov_spectrum(henon, None, h, None, length=100_000, **options)

    h = jnp.full(2, 0.1)
    assert of(h).windows > 1
    assert of(h, k=1).windows == of(h, until=0.5).windows == of(h, method="qr").windows == 1
    assert jax.jit(of)(h).windows == 1


def test_a_loop_over_parameters_compiles_once(key, compilations, monkeypatch):
    monkeypatch.setattr(lyapunov, "cores", lambda measured, n: 2)
    W = jax.random.normal(key, (3, 3)) / 2

    def measured(gain):
        before = compilations.count
        step = lambda p, h, x: jnp.tanh(gain * W @ h)  # noqa: E731
        found = rd.lyapunov_spectrum(step, None, jnp.full(3, 0.1), None, length=200, windows=8)
        assert found.windows == 8
        return compilations.count - before

    assert measured(jnp.float64(1.0)) > 0
    assert [measured(jnp.float64(gain)) for gain in (1.1, 1.2, 1.3)] == [0, 0, 0]


def test_derivatives_are_numbers_where_exponents_part_by_a_thousand_nats_within_a_window():
    def exponents(rates):
        found = rd.lyapunov_spectrum(grown, rates, jnp.zeros(3), None, length=400, windows=4)
        return found.exponents

    def grown(rates, h, x):
        return jnp.exp(rates) * h

    rates = jnp.array([1.0, -2.0, -12.0])
    np.testing.assert_allclose(jax.jacrev(exponents)(rates), np.eye(3), atol=1e-12)
