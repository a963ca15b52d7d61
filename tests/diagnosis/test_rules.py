"""Each rule fires on a network that has just its fault, and a healthy network gets no finding at all."""

import math

import numpy as np
import pytest
from diagnosed_nets import FAULTY, HEALTHY, SLOW, T, linear

import rnn_dynamics as rd
from rnn_dynamics.diagnosis import RULES, Evidence, GateStatistics, judge
from rnn_dynamics.diagnosis.remedies import REMEDIES

SMALLEST = Evidence(state_size=8, steps=T, sequences=1)


def findings(net):
    return rd.diagnose(*net[:4], **net.options, remedies=False).findings


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in HEALTHY])
def test_a_healthy_net_gets_no_finding(name):
    assert [finding.sentence for finding in findings(HEALTHY[name]())] == []


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in FAULTY])
def test_the_rule_of_a_fault_fires_and_no_other(name):
    make, rule = FAULTY[name]
    found = findings(make())
    assert [finding.rule for finding in found] == [rule], [finding.sentence for finding in found]
    assert found[0].sentence.endswith(".")
    assert found[0].doubt == ("the largest exponent: too short" if rule == "chaotic" else "")


def test_every_rule_has_a_net_with_its_fault():
    assert {rule for _, rule in FAULTY.values()} == {rule.name for rule in RULES}


def test_rules_suggest_remedies_that_exist():
    known = {entry.name for entry in REMEDIES} | {"clipping", "truncation"}
    assert {name for rule in RULES for name in rule.remedies} <= known


def test_rules_are_silent_about_what_was_not_measured():
    assert judge(SMALLEST) == ()


def test_a_vanishing_gradient_has_the_exact_numbers():
    """0.7^ℓ is at most 1 % from lag 13 on: ln 0.01 / ln 0.7 = 12.9."""
    (finding,) = findings(linear(0.7 * np.eye(8)))
    assert finding.numbers["reach"] == 13
    np.testing.assert_allclose(finding.numbers["log_gradient"], 50 * math.log(0.7), rtol=1e-9)
    assert finding.sentence == (
        "The gradient falls to 1 % within 13 steps; the task needs 50. "
        "At lag 50 it is e^-17.8 (1.8e-08), -0.357 nats per step."
    )
    assert finding.severity == "problem"
    assert "orthogonal" in finding.suggests


def test_the_spread_over_sequences_is_in_the_sentence():
    curves = np.arange(61) * np.log([[0.6], [0.7], [0.8]])
    (finding,) = judge(SMALLEST._replace(lag=np.arange(61), log_norm=curves, horizon=50))
    assert "within 13 steps (10 to 21 over the sequences)" in finding.sentence


def test_a_finding_says_what_is_doubtful_about_its_numbers():
    curves = np.arange(61)[None] * math.log(0.7)
    doubts = {"log_norm": "the 2-norm may be too low for 1 of 1 sequences", "exponent": "too short"}
    (finding,) = judge(SMALLEST._replace(lag=np.arange(61), log_norm=curves, horizon=50, doubts=doubts))
    assert finding.doubt == doubts["log_norm"]
    assert finding.sentence.endswith("This rests on doubtful numbers: the 2-norm may be too low for 1 of 1 sequences.")


@pytest.mark.parametrize(("exponent", "stderr", "fires"), [(0.1, 0.04, True), (0.1, 0.06, False), (0.01, 0.001, False)])
def test_chaos_needs_two_standard_errors_and_more_than_one_over_T(exponent, stderr, fires):
    found = judge(SMALLEST._replace(exponent=exponent, exponent_stderr=stderr, exploding=1))
    assert bool(found) == fires


def test_problems_come_before_warnings():
    curves = np.arange(61)[None] * math.log(0.7)
    evidence = SMALLEST._replace(lag=np.arange(61), log_norm=curves, horizon=70, dead={"h": 0.5})
    assert [finding.severity for finding in judge(evidence)] == ["problem", "warning", "warning"]


def test_two_sequences_of_which_one_keeps_its_gradient():
    curves = np.arange(61) * np.log([[0.5], [1.0]])
    (finding,) = judge(SMALLEST._replace(lag=np.arange(61), log_norm=curves, horizon=50))
    assert "falls to 1 % within 14 steps (7 or more over the sequences); the task needs 50" in finding.sentence
    assert finding.numbers["reach"] == 14


@pytest.mark.parametrize("role", ["write", "replace", "keep, not write"])
def test_a_gate_that_is_half_open_is_not_shut_because_there_are_few_steps(role):
    def gate(mean):
        return SMALLEST._replace(steps=1, horizon=1, gates={"input": GateStatistics(mean, 0, 0, np.ones(1), role)})

    assert judge(gate(0.5)) == ()
    assert len(judge(gate(0.99 if role == "keep, not write" else 0.01))) == 1


def test_a_gate_that_forgets_is_named_as_the_reason():
    make, _ = FAULTY["forget gate shut"]
    net = make()
    found = {finding.rule: finding for finding in findings(net._replace(options={"horizon": 50}))}
    assert "The forget gates, 0.01 on average, leave e^-" in found["gradient vanishes"].sentence


def test_a_constant_loss_is_said_to_have_no_gradient():
    evidence = SMALLEST._replace(log_state_gradients=np.full((1, T), -np.inf))
    (finding,) = judge(evidence)
    assert "exactly zero" in finding.sentence
