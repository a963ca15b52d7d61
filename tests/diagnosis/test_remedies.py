"""Remedies on nets whose gradient before and after the change is known exactly."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.diagnosis import changes
from rnn_dynamics.diagnosis.evidence import Evidence
from rnn_dynamics.diagnosis.flossed import flossed
from rnn_dynamics.diagnosis.gain_search import secant_gain
from rnn_dynamics.diagnosis.recurrent_weights import recurrent_matrices, scaled
from rnn_dynamics.diagnosis.remedies import REMEDIES, default_horizon, helps, tried
from rnn_dynamics.diagnosis.vital_signs import vital_signs

HORIZON, T, N = 20, 24, 4
XS = jnp.ones((2, T, 1))
LONGEST = 1 + (HORIZON - 2) * (N - 0.5) / N  # of the time constants of four units, at their quantiles


def log_sigma(b):
    return -math.log1p(math.exp(-b))


def still(cell, **biases):
    """A net without recurrent and input weights: each unit keeps its state or not, as its gate's bias says."""
    params = cell.init(jax.random.key(0), inputs=1, hidden=N, gain=0.0, **biases)
    return jax.tree.map(without_inputs, params, is_leaf=lambda node: isinstance(node, rd.cells.Affine))


def without_inputs(node):
    return node._replace(U=0 * node.U) if isinstance(node, rd.cells.Affine) else node


def one(name, step, params, h0, xs=XS, **options):
    found = tried(step, params, h0, xs, horizon=HORIZON, only=(name,), **options)
    assert len(found) == 1
    return found[0]


# an output gate that is shut leaves the path from c to c alone
SHUT = {"output_bias": -60.0}
GATED = {
    "lstm": (rd.cells.lstm, "forget", {"forget_bias": 1.0, **SHUT}, 1),
    "gru": (rd.cells.gru, "update", {"update_bias": 1.0}, 1),
    "torch gru": (rd.cells.make_gru(reset="after"), "update", {"update_bias": 1.0}, 1),
    "replacing gru": (rd.cells.make_gru(update="replace"), "update", {"update_bias": -1.0}, -1),
    "mgu": (rd.cells.mgu, "forget", {"forget_bias": -1.0}, -1),
    "janet": (rd.cells.janet, "forget", {"forget_bias": 1.0}, 1),
}
# each compiles its own programs
EACH_GATED = [pytest.param(name, marks=[pytest.mark.slow] * (name in ("torch gru", "janet"))) for name in GATED]


@pytest.mark.parametrize("name", EACH_GATED)
def test_the_bias_of_the_gate_that_keeps(name):
    cell, gate, biases, sign = GATED[name]
    params = still(cell, **biases)
    found = one("gate bias", cell.step, params, cell.initial_state(params))
    assert found.before["log_gradient"] == pytest.approx(HORIZON * log_sigma(1.0))
    assert found.after["log_gradient"] == pytest.approx(HORIZON * math.log(1 - 1 / HORIZON))
    np.testing.assert_allclose(getattr(found.params, gate).b, sign * math.log(HORIZON - 1))
    assert found.helps
    assert found.name == "gate bias"
    assert found.change == f"{gate} bias {sign} → {sign * math.log(HORIZON - 1):.2g}"
    assert found.step is cell.step


@pytest.mark.parametrize("name", EACH_GATED)
def test_chrono(name):
    cell, gate, biases, sign = GATED[name]
    params = still(cell, **biases)
    found = one("chrono", cell.step, params, cell.initial_state(params))
    assert found.after["log_gradient"] == pytest.approx(HORIZON * log_sigma(math.log(LONGEST)))
    bias = np.asarray(getattr(found.params, gate).b)
    assert np.exp(sign * bias).min() > 1
    assert np.exp(sign * bias).max() == pytest.approx(LONGEST)
    if name == "lstm":
        np.testing.assert_array_equal(found.params.input.b, -bias)
    else:
        changed = jax.tree.map(lambda a, b: bool((a == b).all()), found.params, params)
        assert sum(not same for same in jax.tree.leaves(changed)) == 1
    assert found.change == f"{gate} bias {sign} → {'-' if sign < 0 else ''}chrono(20)"
    assert ("The input bias becomes its negative." in found.sentence) == (name == "lstm")


@pytest.mark.parametrize("name", EACH_GATED)
def test_time_scales_have_as_many_units_for_each_factor_of_time(name):
    cell, gate, biases, sign = GATED[name]
    params = still(cell, **biases)
    found = one("time scales", cell.step, params, cell.initial_state(params))
    bias = sign * np.asarray(getattr(found.params, gate).b)
    np.testing.assert_allclose(bias, math.log(HORIZON - 1) * (np.arange(N) + 0.5) / N, rtol=1e-6)
    assert found.after["log_gradient"] == pytest.approx(HORIZON * log_sigma(bias.max()))
    assert found.change == f"{gate} bias {sign} → {'-' if sign < 0 else ''}time_scales(20)"


def test_the_sentence_says_what_it_gained_and_what_it_cost():
    cell = rd.cells.lstm
    params = still(cell, **SHUT)._replace(cell=rd.cells.Affine(jnp.zeros((N, N)), jnp.ones((N, 1)), jnp.zeros(N)))
    text = one("chrono", cell.step, params, cell.initial_state(params)).sentence
    assert text.startswith(
        "forget bias 1 → chrono(20): gradient at lag 20 from e^-6.3 to e^-1.2; exploding directions 0 → 0;"
    )
    # tanh(1) enters through an input gate that was half open, and is 1/(1 + 2.25) .. 1/(1 + 16.75) open now
    before = math.log(2 * 0.5 * math.tanh(1))
    shares = 1 / (2 + (HORIZON - 2) * (np.arange(N) + 0.5) / N)
    after = 0.5 * math.log(np.sum((shares * math.tanh(1)) ** 2))
    assert f"effect of an input e^{before:.1f} → e^{after:.1f}" in text
    assert "train again" in text


def test_a_stack_changes_each_of_its_layers():
    cell = rd.cells.stack(rd.cells.lstm, rd.cells.make_gru(update="replace"))
    params = cell.init(jax.random.key(0), inputs=1, hidden=3)
    h0 = cell.initial_state(params)
    found = one("chrono", cell.step, params, h0)
    assert (np.asarray(found.params[0].forget.b) > 0).all()
    assert (np.asarray(found.params[1].update.b) < 0).all()
    assert found.change.startswith("forget and update bias 1 → chrono(20)")
    plain = one("gate bias", cell.step, params, h0)
    np.testing.assert_allclose(plain.params[0].forget.b, math.log(HORIZON - 1))
    np.testing.assert_allclose(plain.params[1].update.b, -math.log(HORIZON - 1))
    np.testing.assert_array_equal(plain.params[0].input.b, params[0].input.b)


@pytest.mark.parametrize("rate", [0.5, 1.3])
def test_the_gain_at_which_a_linear_net_keeps_its_gradient(rate):
    params = rd.cells.Affine(W=rate * jnp.eye(2), U=jnp.zeros((2, 1)))
    found = one("critical gain", rd.cells.linear.step, params, jnp.zeros(2))
    np.testing.assert_allclose(found.params.W, np.eye(2), atol=1e-6)
    assert found.before["log_gradient"] == pytest.approx(HORIZON * math.log(rate))
    assert found.after["log_gradient"] == pytest.approx(0, abs=1e-6)
    assert found.helps
    assert found.change == f"gain 1 → {1 / rate:.2f}"


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("indrnn", "w"),
        pytest.param("lru", "gain", marks=pytest.mark.slow),
        pytest.param("orthogonal", "gain", marks=pytest.mark.slow),
    ],
)
def test_the_gain_of_cells_without_a_matrix(name, weight):
    cell = rd.cells.CELLS[name]
    params = cell.init(jax.random.key(0), inputs=1, hidden=3, gain=0.5)
    found = one("critical gain", cell.step, params, cell.initial_state(params), XS)
    ratio = np.asarray(getattr(found.params, weight)) / np.asarray(getattr(params, weight))
    assert (ratio > 1.1).all()
    assert abs(found.after["log_gradient"]) < abs(found.before["log_gradient"])


def test_the_search_for_a_gain():
    # a gradient that saturates: it cannot be brought to 0, and more gain makes it worse again
    tried_factors = []

    def hill(factor):
        tried_factors.append(factor)
        return -3 - (math.log(factor) - 1) ** 2

    best = secant_gain(hill, -4.0, 20)
    assert len(tried_factors) <= 5
    assert best == min([1.0, *tried_factors], key=lambda f: (math.log(f) - 1) ** 2)
    # steep above a threshold, as at the edge of chaos
    assert abs(math.log(secant_gain(lambda f: 40 * (f**3 - 1.5), -20.0, 20)) - math.log(1.5) / 3) < 0.02
    assert secant_gain(lambda f: -math.inf, -math.inf, 20) == 1.0


def test_orthogonal_matrices_keep_a_linear_gradient():
    cell = rd.cells.linear
    params = cell.init(jax.random.key(0), inputs=1, hidden=5)
    found = one("orthogonal", cell.step, params, jnp.zeros(5))
    U, _, Vt = np.linalg.svd(params.W)
    np.testing.assert_allclose(found.params.W, U @ Vt, atol=1e-10)
    assert found.after["log_gradient"] == pytest.approx(0, abs=1e-8)
    assert tried(cell.step, found.params, jnp.zeros(5), XS, horizon=HORIZON, only=("orthogonal",)) == ()


@pytest.mark.parametrize("with_key", [False, True])
def test_a_gated_cell_around_a_vanilla_one(with_key):
    cell, key = rd.cells.elman, jax.random.key(1) if with_key else None
    params = rd.cells.Affine(W=0.3 * jnp.eye(N), U=jnp.zeros((N, 1)), b=jnp.zeros(N))
    found = one("gated cell", cell.step, params, jnp.zeros(N), key=key)
    assert found.step is rd.cells.gru.step
    np.testing.assert_array_equal(found.params.candidate.W, params.W)
    # at h = 0: ∂h'/∂h = z + (1 - z) r W with r = 1/2, where the gates read nothing
    if not with_key:
        z = LONGEST / (1 + LONGEST)
        assert found.after["log_gradient"] == pytest.approx(HORIZON * math.log(z + (1 - z) * 0.5 * 0.3))
    assert found.helps
    assert (np.asarray(found.params.update.W) != 0).any() == with_key


@pytest.mark.slow
def test_a_gated_stack():
    cell = rd.cells.stack(rd.cells.elman, rd.cells.elman)
    params = cell.init(jax.random.key(0), inputs=1, hidden=3, gain=0.2)
    found = one("gated cell", cell.step, params, cell.initial_state(params))
    assert [type(layer) for layer in found.params] == [rd.cells.GRUParams] * 2


def test_parameters_of_others_are_left_alone():
    def step(p, h, x):
        return jnp.tanh(p["W"] @ h + p["U"] @ x)

    params = {"W": 0.3 * jnp.eye(3), "U": jnp.ones((3, 1))}
    assert tried(step, params, jnp.zeros(3), XS, horizon=HORIZON) == ()
    found = tried(step, params, jnp.zeros(3), XS, horizon=HORIZON, loss=lambda h: jnp.sum(h[-1]))
    assert [remedy.name for remedy in found] == ["clipping", "truncation"]
    W = jnp.eye(3)
    captured = tried(lambda _, h, x: jnp.tanh(W @ h), (), jnp.zeros(3), XS, horizon=HORIZON, loss=lambda h: jnp.sum(h))
    assert captured == ()


def test_known_parameters_inside_a_tree_of_others():
    def step(p, h, x):
        return rd.cells.gru.step(p["cell"], h, x)

    params = {"cell": still(rd.cells.gru), "readout": jnp.eye(3)}
    found = one("chrono", step, params, jnp.zeros(N))
    assert (np.asarray(found.params["cell"].update.b) > 0).all()
    doubled = scaled({**params, "cell": rd.cells.Affine(jnp.eye(2), jnp.ones((2, 2)))}, 2.0)
    np.testing.assert_array_equal(doubled["cell"].W, 2 * np.eye(2))
    np.testing.assert_array_equal(doubled["cell"].U, 1)
    np.testing.assert_array_equal(doubled["readout"], np.eye(3))


def test_a_step_in_which_no_gate_keeps_gets_no_bias():
    def step(p, h, x):
        return jnp.tanh(p.update.W @ h + p.update.b)

    assert tried(step, still(rd.cells.gru), jnp.zeros(N), XS, horizon=HORIZON, only=("chrono", "gate bias")) == ()


SIGNS = {"log_gradient": -8.0, "exploding": 0.0, "saturated": 0.1, "log_input": 0.0}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"log_gradient": -1.0}, True),
        ({"log_gradient": -5.0}, False),  # less than half of what is missing
        ({"log_gradient": 3.0}, True),
        ({"log_gradient": 9.0}, False),
        ({"log_gradient": -1.0, "exploding": 1.0}, False),
        ({"log_gradient": -1.0, "saturated": 0.21}, False),
        ({"log_gradient": -1.0, "saturated": 0.19}, True),
        ({"log_gradient": math.nan}, False),
    ],
)
def test_when_a_remedy_helps(change, verdict):
    assert helps(SIGNS, SIGNS | change) == verdict


def test_a_net_that_is_not_finite_is_helped_by_finite_numbers():
    assert helps(SIGNS | {"log_gradient": math.nan}, SIGNS)
    assert helps(SIGNS | {"log_gradient": -math.inf}, SIGNS)
    assert not helps(SIGNS | {"log_gradient": -0.4}, SIGNS | {"log_gradient": 0.0})


def test_the_best_comes_first():
    cell = rd.cells.lstm
    params = cell.init(jax.random.key(0), inputs=1, hidden=8)
    found = tried(cell.step, params, cell.initial_state(params), XS, horizon=HORIZON)
    assert {remedy.name for remedy in found} == {"time scales", "chrono", "gate bias", "orthogonal", "critical gain"}
    assert found[0].name == "time scales"
    order = [(not remedy.helps, max(0, abs(remedy.after["log_gradient"]) - 1)) for remedy in found]
    assert order == sorted(order)


def test_another_net_of_the_same_shapes_compiles_nothing(compilations):
    cell = rd.cells.gru
    nets = [cell.init(jax.random.key(i), inputs=1, hidden=5, gain=0.5) for i in range(2)]
    counts = []
    for params in nets:
        before = compilations.count
        tried(cell.step, params, jnp.zeros(5), XS, horizon=HORIZON, only=("chrono", "gate bias", "critical gain"))
        counts.append(compilations.count - before)
    assert counts[0] > 0
    assert counts[1] == 0


def test_the_horizon_may_be_longer_than_the_sequences():
    params = still(rd.cells.gru, update_bias=1.0)
    (found,) = tried(rd.cells.gru.step, params, jnp.zeros(N), XS, horizon=100, only=("gate bias",))
    np.testing.assert_allclose(found.params.update.b, math.log(99))
    assert f"gradient at lag {T} from" in found.sentence


def test_the_default_horizon():
    lag = np.arange(101)
    evidence = Evidence(1, 100, 2, lag=lag, log_norm=np.stack([-0.5 * lag, -0.5 * lag]))
    assert default_horizon(evidence, 100) == 40  # e^-5 is the first below 1 %, at lag 10
    assert default_horizon(evidence, 31) == 30
    assert default_horizon(evidence._replace(horizon=7), 100) == 7
    assert default_horizon(evidence._replace(log_norm=0.0 * evidence.log_norm), 100) == 99
    assert default_horizon(None, 100) == 99


def line(a, h, x):
    return a * h + x


def test_weights_whose_squares_overflow():
    W = np.full((2, 2), 1e30, np.float32)
    params = {"cell": rd.cells.Affine(W=jnp.asarray(W), U=jnp.ones((2, 1)))}
    np.testing.assert_allclose(recurrent_matrices(params)[0] @ W.astype(float), 2e60, rtol=1e-6)


def test_truncation_helps_if_it_saves_time_and_covers_the_horizon():
    net = line, jnp.array(0.5), jnp.ones(()), jnp.full((1, 40), 0.5)

    def last(states):
        return states[-1]

    (found,) = tried(*net, horizon=4, loss=last, only=("truncation",))
    assert found.helps
    assert (found.before["window"], found.after["window"]) == (40, 6)  # 2^-6 is 1.6 %
    assert found.after["bias"] == pytest.approx(2**-6, abs=1e-10)
    (found,) = tried(*net, horizon=20, loss=last, only=("truncation",))
    assert not found.helps
    assert "But the task needs 20 steps" in found.sentence


def test_clipping_helps_against_outliers():
    def loss(states, size):
        return size * states[-1].sum()

    net = lambda p, h, x: p * x, jnp.ones(1), jnp.zeros(1), jnp.ones((10, 5, 1))
    (found,) = tried(*net, horizon=2, loss=loss, targets=jnp.ones(10), only=("clipping",))
    assert not found.helps
    (found,) = tried(*net, horizon=2, loss=loss, targets=jnp.ones(10).at[3].set(50.0), only=("clipping",))
    assert found.helps
    assert found.before["largest_norm"] == pytest.approx(50)
    assert found.after["largest_norm"] == pytest.approx(5.9)
    assert found.after["log_gradient"] == found.before["log_gradient"]


def test_clipping_is_no_remedy_where_no_gradient_is_finite():
    net = lambda p, h, x: p * x, jnp.ones(1), jnp.zeros(1), jnp.ones((10, 5, 1))
    assert tried(*net, horizon=2, loss=lambda states: jnp.nan * states[-1].sum(), only=("clipping",)) == ()


def test_flossing_waits_until_nothing_else_helps(monkeypatch):
    asked = []
    monkeypatch.setattr(changes, "flossed", lambda *args, **options: asked.append(options) or args[1])
    params = still(rd.cells.gru, update_bias=1.0)
    tried(rd.cells.gru.step, params, jnp.zeros(N), XS, horizon=HORIZON, key=jax.random.key(0))
    assert not asked
    names = ("flossing",)
    tried(rd.cells.gru.step, params, jnp.zeros(N), XS, horizon=HORIZON, only=names)
    assert not asked  # no key
    tried(rd.cells.gru.step, params, jnp.zeros(N), XS, horizon=HORIZON, only=names, key=jax.random.key(0))
    assert len(asked) == 1


@pytest.mark.slow
def test_flossing_brings_a_gradient_back():
    cell = rd.cells.elman
    params = cell.init(jax.random.key(0), inputs=1, hidden=8, gain=0.7)
    xs = jax.random.normal(jax.random.key(1), (2, T, 1))
    new = flossed(cell.step, params, jnp.zeros(8), xs, horizon=HORIZON, key=jax.random.key(2))
    before, after = (vital_signs(cell.step, p, jnp.zeros(8), xs, horizon=HORIZON) for p in (params, new))
    assert after["log_gradient"] > before["log_gradient"] + 1


def test_the_table_names_each_remedy_once():
    names = [entry.name for entry in REMEDIES]
    assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match="only: got 'prayer', expected one of 'time scales'"):
        tried(line, jnp.array(0.5), jnp.ones(()), jnp.ones((1, 10)), only=("prayer",))


def test_an_lstm_with_a_projection_gets_time_scales_too():
    cell = rd.cells.projected_lstm
    params = cell.init(jax.random.key(0), inputs=1, hidden=N, projected=2, forget_bias=-1.0)
    # small writes, so that c stays within its range
    params = params._replace(cell=jax.tree.map(lambda leaf: 0.3 * leaf, params.cell))
    found = one("time scales", cell.step, params, cell.initial_state(params))
    spread = math.log(HORIZON - 1) * (np.arange(N) + 0.5) / N
    np.testing.assert_allclose(found.params.forget.b, spread, rtol=1e-6)
    np.testing.assert_allclose(found.params.input.b, -spread, rtol=1e-6)
    assert found.helps
