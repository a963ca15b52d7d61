"""The measurements of a diagnosis on networks whose answers are exact, and the numbers that are derived from them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnosed_nets import N, T, gru, inputs, linear, lstm, rotation

import rnn_dynamics as rd
from rnn_dynamics.diagnosis.collect import collect
from rnn_dynamics.diagnosis.evidence import directions_at, effective_number, last_steps, reach, slope
from rnn_dynamics.diagnosis.gate_values import layers
from rnn_dynamics.diagnosis.problem import problem_of
from rnn_dynamics.diagnosis.trajectory import trajectory

LAGS = np.arange(T + 1)
PLAIN = {"length": None, "batched": None, "loss": None, "targets": None, "horizon": None, "sequences": 16}


def problem(net, **options):
    return problem_of(*net[:4], **{**PLAIN, **net.options, **options})


@pytest.fixture(scope="module")
def of_powers():
    return collect(problem(linear(np.diag(0.5 + np.arange(N) / 16), loss=lambda states: states[-1, 3])))


@pytest.mark.parametrize(("a", "lag"), [(0.7, 13), (0.5, 7), (0.01, 1), (1.0, math.inf), (0.99, math.inf)])
def test_the_reach_of_a_power_is_exact(a, lag):
    assert reach(LAGS * math.log(a)) == lag


def test_a_curve_that_rises_again_has_not_fallen():
    curve = np.array([0.0, -9.0, -9.0, 0.0, -9.0, -9.0])
    assert reach(curve) == 4
    assert reach(np.stack([curve, np.full(6, -9.0)])).tolist() == [4, 0]
    assert reach(np.array([0.0, np.nan])) == math.inf


def test_the_slope_of_a_straight_line_has_no_error():
    fitted = slope(LAGS * np.array([[-0.3], [-0.3]]))
    np.testing.assert_allclose(fitted, [-0.3, 0], atol=1e-12)
    assert slope(np.full((1, 9), -np.inf)) is None
    assert slope(np.array([[0.0, 0.1, 0.2, -np.inf]])) is None  # a gradient of exactly 0 has no slope


def test_the_error_of_a_slope_covers_noise():
    random = np.random.default_rng(0)
    noise = np.concatenate([np.zeros((16, 1)), np.cumsum(random.normal(-0.1, 0.05, size=(16, 400)), axis=1)], axis=1)
    fitted = slope(noise)
    assert abs(fitted.rate + 0.1) < 3 * fitted.stderr
    assert fitted.stderr < 0.01


def test_last_steps_of_a_power():
    """Σ_{ℓ<K} a^ℓ is 99 % of all at the K where a^K is 1 %."""
    gradients = (T - 1 - np.arange(T)) * math.log(0.7)
    assert last_steps(np.stack([gradients, gradients - 5000])).tolist() == [13, 13]


def test_curves_of_a_linear_net_are_powers(of_powers):
    largest = 0.5 + (N - 1) / 16
    for curve in (of_powers.log_norm, of_powers.log_bound, of_powers.paths["diagonal"][:, :51]):
        expected = LAGS[None, : curve.shape[1]] * math.log(largest)
        np.testing.assert_allclose(curve, expected, rtol=1e-6, atol=1e-9)
    assert np.isnan(of_powers.paths["diagonal"][:, 51:]).all()  # not formed beyond the horizon
    diagonal = 0.5 + np.arange(N) / 16
    rms = np.log(np.mean(diagonal[:, None] ** (2 * LAGS), axis=0)) / 2
    np.testing.assert_allclose(of_powers.log_rms[0], rms, atol=1e-9)


def test_exponents_and_eigenvalues_of_a_linear_net(of_powers):
    expected = np.log(0.5 + np.arange(N) / 16)[::-1]
    # over 48 steps, in which the frame is still turning
    np.testing.assert_allclose(of_powers.exponents, expected, atol=0.03)
    np.testing.assert_allclose(of_powers.exponent, expected[0], atol=0.005)
    assert of_powers.exploding == 0
    assert of_powers.spectral_radii == {"W": pytest.approx(0.5 + (N - 1) / 16)}
    assert of_powers.eigenvalue_rate == pytest.approx(math.log(0.5 + (N - 1) / 16))


def test_the_gradient_of_a_loss_of_one_unit(of_powers):
    steps_back = T - 1 - np.arange(T)
    np.testing.assert_allclose(of_powers.log_state_gradients[0], steps_back * math.log(0.5 + 3 / 16), atol=1e-9)
    assert of_powers.gradient_norms.shape == (1,)
    assert of_powers.clipping.not_finite == 0
    assert of_powers.memory.steps == of_powers.truncation.steps == T


def test_shares_of_the_units_and_directions():
    """At lag 60 a diagonal net has gradients d^60, all of which lie along their own units."""
    found = collect(problem(linear(np.diag([1.0, 1.0] + [0.5] * (N - 2)))))
    np.testing.assert_allclose(found.unit_shares, [0.5, 0.5] + [0.0] * (N - 2), atol=1e-12)
    assert effective_number(found.unit_shares) == pytest.approx(2)
    assert directions_at(found, T) == pytest.approx(2)
    orthogonal = collect(problem(linear(rotation())))
    assert effective_number(orthogonal.unit_shares) == pytest.approx(N)
    assert directions_at(orthogonal, T) == pytest.approx(N)


def test_paths_of_a_triangular_net():
    """a' = 0.9 a + 0.1 b and b' = 0.5 b, of one unit each, so that no direction is drawn."""

    def step(p, state, x):
        return {"a": 0.9 * state["a"] + 0.1 * state["b"] + x, "b": 0.5 * state["b"]}

    h0 = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    paths = collect(problem_of(step, None, h0, inputs(2), **PLAIN)).paths
    with np.errstate(divide="ignore"):
        for name, expected in {
            "a alone": 0.9**LAGS,
            "b alone": 0.5**LAGS,
            "a → a": 0.9**LAGS,
            "b → b": 0.5**LAGS,
            "b → a": 0.1 * (0.9**LAGS - 0.5**LAGS) / 0.4,
            "a → b": 0.0 * LAGS,
        }.items():
            np.testing.assert_allclose(paths[name], np.tile(np.log(expected), (2, 1)), atol=1e-7, err_msg=name)


def test_forget_gates_are_the_path_that_never_leaves_c():
    """∂c_t/∂c_{t-1} is the diagonal of the forget gate, so `rd.gradient_flow` measures the same path."""
    net = lstm()
    found = collect(problem(net))
    flow = rd.gradient_flow(*net[:3], net.xs[2], path="c", curves=("norm",))
    np.testing.assert_allclose(found.paths["forget gates"][2], flow.log_norm, atol=1e-9)
    whole = rd.gradient_flow(*net[:3], net.xs[2], block=("h", "c"), curves=("frobenius",)).log_frobenius
    np.testing.assert_allclose(found.paths["c → h"][2, 1:], np.asarray(whole)[1:] - math.log(N) / 2, atol=1e-9)
    assert found.gates["forget"].role == "keep"


def roles(net):
    given = problem(net)
    return {name: layer.roles() for name, layer in layers(given, trajectory(given)).items()}


@pytest.mark.parametrize(("update", "role"), [("keep", "keep, not write"), ("replace", "replace")])
def test_the_convention_of_an_update_gate_is_found(update, role):
    assert roles(gru(update)) == {"": {"update": role, "reset": "show"}}


@pytest.mark.parametrize(("cell", "role"), [(rd.cells.mgu, "replace"), (rd.cells.janet, "keep, not write")])
def test_the_gate_of_cells_with_one_gate(cell, role):
    net = lstm()
    params = cell.init(jax.random.key(0), inputs=1, hidden=N)
    assert roles(net._replace(step=cell.step, params=params, h0=cell.initial_state(params))) == {"": {"forget": role}}


def test_the_gates_of_an_lstm_with_a_projection():
    net, cell = lstm(), rd.cells.projected_lstm
    params = cell.init(jax.random.key(0), inputs=1, hidden=N)
    found = roles(net._replace(step=cell.step, params=params, h0=cell.initial_state(params)))
    assert found == {"": {"input": "write", "forget": "keep", "output": "read"}}


def test_gates_of_another_step_are_not_shown():
    net = lstm()
    twice = net._replace(step=lambda p, h, x: rd.cells.lstm.step(p, h, 2 * x))
    assert roles(net) != {"": None}
    assert roles(twice) == {"": None}


@pytest.mark.slow
def test_gates_of_the_layers_of_a_stack():
    cell = rd.cells.stack(rd.cells.lstm, rd.cells.gru)
    params = cell.init(jax.random.key(0), inputs=1, hidden=N)
    xs = inputs(3)
    found = collect(problem_of(cell.step, params, cell.initial_state(params), xs, **PLAIN))
    names = {"layer 1 input", "layer 1 forget", "layer 1 output", "layer 2 update", "layer 2 reset"}
    assert set(found.gates) == names
    states = rd.unroll(cell.step, params, cell.initial_state(params), xs[1])
    before = jnp.concatenate([jnp.zeros((1, N)), states[1][:-1]])
    above = jax.vmap(lambda h, x: rd.cells.gates(params[1], h, x)["update"])(before, states[0].h)
    sums = np.cumsum(np.log(np.asarray(above))[::-1], axis=0).max(axis=1)
    np.testing.assert_allclose(found.paths["layer 2 update gates"][1, 1:], sums, atol=1e-9)
    assert {"layer 1 h → layer 2", "layer 2 alone"} <= set(found.paths)
    assert set(found.saturated) == {"layer 1 h", "layer 1 c", "layer 2"}


def test_saturated_and_dead_units_are_counted():
    def step(p, h, x):
        return jnp.tanh(jnp.array([20.0, 0.1, 0.0, 0.0]) * x[0])

    found = collect(problem_of(step, None, jnp.zeros(4), np.sign(inputs(1)[0]), **PLAIN))
    assert found.saturated == {"state": 0.25}
    assert found.dead == {"state": 0.5}


@pytest.mark.slow
def test_float32_and_float64_agree(dtype):
    W = jnp.asarray(np.diag(0.5 + np.arange(N) / 16), dtype)
    params = rd.cells.Affine(W=W, U=jnp.ones((N, 1), dtype))
    found = collect(problem_of(rd.cells.linear.step, params, jnp.zeros(N, dtype), inputs(1).astype(dtype), **PLAIN))
    np.testing.assert_allclose(found.log_norm[0, -1], T * math.log(0.5 + 7 / 16), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": (2, 1)}, "1 value is NaN or infinite in parameter W, the first at [2, 1]"),
        ({"xs": (1, 4, 0)}, "input of sequence 1 at step 5 of 60"),
        ({"h0": (3,)}, "1 value is NaN or infinite in initial state, the first at [3]"),
    ],
)
def test_what_is_not_finite_is_named(change, words):
    net = linear(rotation(), sequences=2)
    (name, place), *_ = change.items()
    if name == "params":
        net = net._replace(params=net.params._replace(W=net.params.W.at[place].set(jnp.inf)))
    else:
        array = np.array(getattr(net, name))
        array[place] = np.nan
        net = net._replace(**{name: array})
    found = collect(problem(net))
    assert found.first_non_finite == words
    assert found.log_norm is None


def test_a_state_that_overflows_ends_the_sequences():
    def step(a, h, x):
        return jnp.where(jnp.abs(h) > 1e3, jnp.inf, a * h) + 0 * x

    found = collect(problem_of(step, jnp.array(2.0), jnp.ones(()), np.ones((3, T)), **PLAIN))
    assert found.first_non_finite == "the state at step 11 of 60, in sequence 0"
    assert found.steps == 10
    np.testing.assert_allclose(found.log_norm, np.arange(11)[None] * np.full((3, 1), math.log(2)), atol=1e-9)


def test_a_gradient_that_is_not_finite_is_named():
    """√|h| has an infinite derivative at 0."""

    def loss(states):
        return jnp.sqrt(jnp.sum(states[19] ** 2)) + jnp.sum(states[-1])

    net = linear(rotation())
    silent = net._replace(xs=np.zeros((1, T, 1)))
    found = collect(problem(silent, loss=loss))
    assert found.first_non_finite == "the gradient of the loss ∂L/∂h at step 20 of 60 and ∂L/∂(W), in sequence 0"
