"""`rd.diagnose` from its arguments to its result: one sequence or a batch, errors, and remedies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnosed_nets import N, T, inputs, linear, lstm, rotation

import rnn_dynamics as rd
from rnn_dynamics.diagnosis.problem import problem_of

PLAIN = {"length": None, "batched": None, "loss": None, "targets": None, "horizon": None, "sequences": 16}


def problem(net, **options):
    return problem_of(*net[:4], **{**PLAIN, **options})


def any_shape(a, h, x):
    return a * h + jnp.sum(x)


def test_one_sequence_and_a_batch_are_told_apart():
    net = linear(rotation(), sequences=3)
    assert problem(net).sequences == 3
    one = problem(net._replace(xs=net.xs[1]))
    assert (one.sequences, one.steps) == (1, T)
    np.testing.assert_array_equal(one.xs, net.xs[1:2])


def test_a_step_that_takes_both_needs_a_word():
    net = (any_shape, 0.5, jnp.zeros(()), np.ones((4, T, 2)))
    with pytest.raises(ValueError, match=r"batched: step takes xs of shape \(4, 60, 2\) both as one sequence"):
        problem_of(*net, **PLAIN)
    assert problem_of(*net, **{**PLAIN, "batched": True}).sequences == 4
    assert problem_of(*net, **{**PLAIN, "batched": False}).steps == 4


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"step": 3}, TypeError, "step: got 3"),
        ({"xs": np.ones((2, 3, T, 1))}, ValueError, "fits neither as one sequence"),
        ({"h0": jnp.zeros((2, N))}, ValueError, "h0 is one state, without a batch axis"),
        ({"xs": np.ones((2, 1, 1))}, ValueError, "expected at least 1 sequence of 2 steps"),
        ({"xs": [[[1.0], [2.0]]]}, TypeError, "xs: got single numbers, expected arrays"),
        ({"xs": None}, ValueError, "length: got None with xs=None"),
        ({"horizon": 0}, ValueError, "horizon: got 0"),
        ({"loss": 3}, TypeError, "loss: got 3"),
        ({"targets": np.ones(2)}, TypeError, "targets: got targets without a loss"),
        ({"targets": np.ones(3), "loss": jnp.sum}, ValueError, r"targets: got shape \(3,\)"),
        ({"length": 7}, ValueError, "length: got 7, but xs has 60 steps"),
        ({"batched": 1}, TypeError, "batched: got 1"),
        ({"batched": False}, ValueError, "with batched=False, but then"),
        ({"sequences": 0}, ValueError, "sequences: got 0"),
        ({"remedies": 1}, TypeError, "remedies: got 1"),
        ({"key": 1}, TypeError, "key: got 1"),
    ],
)
def test_wrong_arguments_are_refused(change, error, words):
    arguments = dict(zip(("step", "params", "h0", "xs"), linear(rotation(), sequences=2), strict=False))
    # the types that tests check refuse some of them first
    typed = "|checking parameter '" + words.split(":")[0] + "'"
    with pytest.raises(error, match=words + typed):
        rd.diagnose(**{**arguments, **change})


def test_it_is_not_for_use_inside_jit():
    net = linear(rotation())
    with pytest.raises(TypeError, match=r"params\.|params: got a traced array. rd.diagnose decides on the host"):
        jax.jit(lambda params: rd.diagnose(net.step, params, *net[2:4]))(net.params)


def test_at_most_the_first_sequences_are_measured():
    given = problem(linear(rotation(), sequences=20), sequences=3)
    assert given.sequences == 3
    np.testing.assert_array_equal(given.xs, inputs(20)[:3])


def test_an_undriven_net_is_measured():
    net, target = (lambda a, h, x: a * h, 0.5, jnp.ones(3), None), jnp.array(2.0)
    loss = {"loss": lambda states, target: target * states[-1, 0], "targets": target}
    found = rd.diagnose(*net, length=40, horizon=10, remedies=False, **loss)
    np.testing.assert_allclose(found.evidence.log_norm[0], np.arange(41) * np.log(0.5), atol=1e-6)
    assert [finding.rule for finding in found.findings] == ["gradient vanishes"]
    # L = 2 a^40
    np.testing.assert_allclose(found.evidence.gradient_norms, [80 * 0.5**39], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found.evidence.log_state_gradients[0]), 2 * 0.5 ** np.arange(39.0, -1, -1))


def test_remedies_are_tried_on_the_steps_before_an_overflow():
    net = linear(1e6 * rotation(), sequences=2)
    found = rd.diagnose(*net[:4], horizon=30)
    assert found.findings[0].sentence == "Not finite: the state at step 53 of 60, in sequence 0."
    again = rd.diagnose(*net[:4], horizon=55, remedies=False)
    assert "sequences too short" not in [finding.rule for finding in again.findings]
    gain = next(remedy for remedy in found.remedies if remedy.name == "critical gain")
    assert gain.before["log_gradient"] == pytest.approx(30 * np.log(1e6))


def test_no_remedy_is_tried_on_a_healthy_net():
    assert rd.diagnose(*linear(rotation())[:4], horizon=50).remedies == ()


@pytest.mark.slow
def test_an_lstm_that_forgets_is_told_what_to_change():
    net = lstm(forget_bias=1.0, input_bias=0.0)
    found = rd.diagnose(*net[:4], horizon=50, loss=lambda states: jnp.sum(states.h[-1]))
    assert found.findings[0].rule == "gradient vanishes"
    chrono = next(remedy for remedy in found.remedies if remedy.name == "chrono")
    assert chrono.helps
    assert chrono.after["log_gradient"] > chrono.before["log_gradient"] + 3
    assert "Change first: " in found.summary()
    again = rd.diagnose(chrono.step, chrono.params, *net[2:4], horizon=50, remedies=False)
    assert "gradient vanishes" not in [finding.rule for finding in again.findings]


@pytest.mark.slow
@pytest.mark.parametrize("name", rd.cells.CELLS)
def test_every_cell_is_diagnosed(name):
    cell = rd.cells.CELLS[name]
    params = cell.init(jax.random.key(0), inputs=2, hidden=4)
    xs = np.random.default_rng(0).normal(size=(4, 30, 2))
    found = rd.diagnose(cell.step, params, cell.initial_state(params), xs, horizon=20, loss=summed)
    assert found.evidence.first_non_finite == ""
    assert len(found.summary().split("\n")) <= 40
    assert (found.evidence.gates is not None) == (name in ("gru", "lstm", "mgu", "janet"))


def summed(states):
    return sum(jnp.sum(jnp.abs(leaf[-1])) for leaf in jax.tree.leaves(states))
