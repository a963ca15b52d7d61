"""What a diagnosis prints, and what it exports."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnosed_nets import T, heavy, linear, rotation

import rnn_dynamics as rd
from rnn_dynamics.diagnosis import RULES, Diagnosis, Evidence, Finding, GateStatistics, Remedy
from rnn_dynamics.diagnosis.clipping import clipping
from rnn_dynamics.diagnosis.memory import backward_memory
from rnn_dynamics.diagnosis.truncation import Truncation
from rnn_dynamics.diagnosis.words import power_of_e, with_error


def remedy(name, helps):
    words = f"{name} 1 → 2: gradient at lag 50 from e^-7.4 to e^-0.3; " + "and much more was measured of it. " * 6
    return Remedy(name, f"{name} 1 → 2", words, {"log_gradient": -7.4}, {"log_gradient": -0.3}, helps, len, {"W": 1})


@pytest.fixture(scope="module")
def full():
    """A diagnosis with all rules, long sentences, and every field measured."""
    curves = np.arange(T + 1) * np.log([[0.6], [0.7], [0.8]])
    evidence = Evidence(
        state_size=256,
        steps=T,
        sequences=3,
        horizon=50,
        lag=np.arange(T + 1),
        log_norm=curves,
        log_rms=curves - 1,
        log_bound=-curves,
        paths={f"part {i} with a long name → part {j} of the state": curves - i for i in range(4) for j in range(4)},
        exponent=-0.1,
        exponent_stderr=math.nan,
        exponent_doubts=1,
        exploding=0,
        gates={f"layer {i} forget": GateStatistics(0.5, 0.0, math.nan, np.ones(T)) for i in range(9)},
        saturated={f"layer {i} h": 0.1 for i in range(9)},
        dead={f"layer {i} h": 0.0 for i in range(9)},
        log_state_gradients=np.full((3, T), -np.inf),
        gradient_norms=np.array([1.0, np.inf, np.nan]),
        first_non_finite="",
    )
    long = "A sentence with many numbers, 1.234 and more of them. " * 7
    findings = tuple(Finding(rule.name, rule.severity, long, {}, rule.threshold) for rule in RULES)
    return Diagnosis(evidence, findings, tuple(remedy(f"remedy {i}", i < 4) for i in range(8)))


@pytest.fixture(scope="module")
def healthy():
    return rd.diagnose(*linear(rotation(), sequences=5)[:4], horizon=50)


def test_a_summary_fits_on_one_screen_whatever_was_found(full):
    lines = full.summary().split("\n")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert "What to change" in lines
    assert "Findings" in lines
    assert any("remedy 0 1 → 2" in line for line in lines[-20:])


def test_a_summary_begins_with_the_verdict(full, healthy):
    assert full.summary().startswith("7 problems, 7 warnings: not finite; gradient vanishes; ")
    assert "Change first: remedy 0 1 → 2." in " ".join(full.summary().split("\n")[:4])
    assert healthy.summary().startswith("Healthy: no rule fires. At lag 50 the gradient is e^0.0 (1).")


def test_rows_without_a_number_are_left_out():
    nothing = np.array([[0.0, -np.inf, -np.inf]])
    evidence = Evidence(3, 2, 1, 2, np.arange(3), nothing, paths={"h": nothing}, unit_shares=np.zeros(3))
    zero = clipping(lambda p, h, x: h, jnp.ones(1), jnp.zeros(1), jnp.ones((2, 2, 1)), jnp.sum)
    text = Diagnosis(evidence._replace(clipping=zero), (), ()).summary()
    assert "gradient at lag 2     0 at best\n" in text + "\n"
    assert not any(label in text for label in ("carried by", "spread", "gradient norms"))


@pytest.mark.parametrize(("horizon", "short"), [(None, False), (16, False), (17, True)])
def test_a_window_that_keeps_a_vanished_gradient_is_not_advised(horizon, short):
    found = Truncation(np.array([8, 16, 60]), np.array([0.1, 0.01, 0.0]), 0.05, 16, 60, 1)
    text = " ".join(Diagnosis(Evidence(8, T, 1, horizon, truncation=found), (), ()).summary().split())
    assert "windows of 16 of 60 steps keep 95 % of the parameter gradient" in text
    assert ("; but the task needs 17 steps, so keep at least as many" in text) == short


def test_without_a_horizon_a_net_is_not_called_healthy():
    curves = np.arange(T + 1)[None] * np.log(0.7)
    found = Diagnosis(Evidence(8, T, 1, lag=np.arange(T + 1), log_norm=curves), (), ())
    assert found.summary().startswith(
        "The gradient falls to 1 % within 13 steps, and no other rule fires. Whether that"
    )
    assert found.summary().count("Healthy") == 0
    needs_less = found._replace(evidence=found.evidence._replace(horizon=5))
    assert needs_less.summary().startswith("Healthy: no rule fires. At lag 5")


def test_one_of_anything_is_singular():
    curves = np.array([[0.0, -9.0]])
    one = Evidence(1, 1, 1, 1, np.arange(2), curves, exponent=0.1, exponent_stderr=0.01, exploding=1)
    text = Diagnosis(one, (), ()).summary()
    assert "1 number of state, 1 sequence of 1 step; the task needs 1 step\n" in text
    assert "falls to 1 % within   1 step\n" in text
    assert "0.10 ± 0.01 nats per step; above 0: 1\n" in text + "\n"
    memory = backward_memory(lambda W, h, x: W @ h, np.eye(3), np.zeros(3), np.ones((1, 10, 1)))
    assert "10 steps of 1 sequence takes" in memory.sentence()


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (-0.4, 0.0009, "-0.4000 ± 0.0009"),
        (-0.198, 0.02, "-0.20 ± 0.02"),
        (1.26, 0.096, "1.3 ± 0.1"),
        (12.3, 4.0, "12 ± 4"),
        (0.5, math.inf, "0.5 (error unknown)"),
        (-0.35667, 0.0, "-0.357"),
    ],
)
def test_a_number_ends_where_its_error_does(value, stderr, text):
    assert with_error(value, stderr) == text


def test_powers_of_e_are_plain_numbers():
    assert power_of_e(4.7) == "e^4.7 (110)"
    assert power_of_e(-7.4) == "e^-7.4 (0.00061)"


def test_remedies_that_do_not_help_are_not_advised(full):
    only = full._replace(remedies=(remedy("this", False),))
    assert "The change that was tried does not help." in " ".join(only.summary().split("\n")[:4])
    assert "(does not help) this 1 → 2" in only._replace(findings=full.findings[:1]).summary()


def test_printing_a_diagnosis_shows_its_summary(healthy):
    assert str(healthy) == healthy.summary()
    assert repr(healthy) == "Diagnosis(Healthy: no rule fires. At lag 50 the gradient is e^0.0 (1).)"


def test_a_notebook_gets_escaped_text(healthy):
    hostile = healthy._replace(findings=(Finding("<script>", "problem", "<b>.", {}, 0.0),))
    assert "<script>" not in hostile._repr_html_()
    assert "&lt;script&gt;" in hostile._repr_html_()
    assert hostile._repr_html_().startswith("<pre>")


def refuse(word):
    raise ValueError(f"JSON has no {word}")


def test_json_is_strict_and_complete(full):
    found = json.loads(full.to_json(), parse_constant=refuse)
    assert set(found) == {"format", "findings", "remedies", "evidence"}
    assert set(found["evidence"]) == set(Evidence._fields)
    assert found["evidence"]["log_state_gradients"][0][0] == "-inf"
    assert found["evidence"]["gradient_norms"] == [1.0, "inf", None]
    assert found["evidence"]["exponent_stderr"] is None
    assert found["findings"][0]["rule"] == "not finite"
    assert set(found["remedies"][0]) == set(Remedy._fields) - {"step", "params"}


def test_json_of_a_measured_net(healthy):
    found = json.loads(healthy.to_json(), parse_constant=refuse)
    assert found["findings"] == []
    np.testing.assert_allclose(found["evidence"]["log_norm"], healthy.evidence.log_norm, atol=1e-5)
    assert found["evidence"]["memory"]["steps"] == T


def test_values_are_plain_data(healthy):
    for leaf in jax.tree.leaves(healthy):
        assert isinstance(leaf, int | float | str | np.ndarray | np.generic), type(leaf)


def test_the_clipping_of_a_batch_is_shown():
    net = heavy()
    found = rd.diagnose(*net[:4], **net.options)
    assert "gradient norms" in found.summary()
    assert [remedy.name for remedy in found.remedies] == ["clipping"]
