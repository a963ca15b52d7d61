"""What a diagnosis prints, and what it exports."""

import json
import math

import jax
import numpy as np
import pytest
from diagnosed_nets import T, heavy, linear, rotation

import rnn_dynamics as rd
from rnn_dynamics.diagnosis import RULES, Diagnosis, Evidence, Finding, GateStatistics, Remedy


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


def test_remedies_that_do_not_help_are_not_advised(full):
    only = full._replace(remedies=(remedy("this", False),))
    assert "None of the 1 changes that were tried helps." in " ".join(only.summary().split("\n")[:4])
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
