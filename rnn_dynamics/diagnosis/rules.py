"""The rules of a diagnosis, in one table: what each asks, what it compares with, and what may help.

A rule reads the evidence and returns None where there is nothing to say: the net is fine, or what the rule reads was
not measured. A healthy net gets no finding.
"""

from collections.abc import Callable
from typing import NamedTuple

from . import checks
from .checks import Fired
from .evidence import Evidence
from .result import Finding

PROBLEM, WARNING = "problem", "warning"


class Rule(NamedTuple):
    """A question to the evidence, and the answer that makes it a finding.

    Attributes:
        name: The name of the fault.
        question: What the rule asks.
        severity: "problem" for what keeps a net from learning, "warning" for what may.
        threshold: What its numbers are compared with, in the units that the question gives.
        check: `check(evidence, threshold)` returns the numbers and the sentence of a finding, or None.
        reads: The fields of the evidence that the answer rests on.
        remedies: The names of the remedies that may help.
    """

    name: str
    question: str
    severity: str
    threshold: float
    check: Callable[[Evidence, float], Fired | None]
    reads: tuple[str, ...]
    remedies: tuple[str, ...] = ()


MEMORY = ("time scales", "chrono", "gate bias", "critical gain", "orthogonal", "flossing", "gated cell")
CALMING = ("critical gain", "orthogonal", "flossing", "clipping")

RULES: tuple[Rule, ...] = (
    Rule(
        "not finite",
        "Is any number NaN or infinite?",
        *(PROBLEM, 0.0, checks.not_finite, ("first_non_finite",)),
        ("clipping", "critical gain"),
    ),
    Rule(
        "gradient vanishes",
        "Is the gradient at the horizon at most this share of its size at lag 0?",
        *(PROBLEM, 0.01, checks.vanishes, ("log_norm",)),
        MEMORY,
    ),
    Rule(
        "gradient explodes",
        "Does the gradient grow by at least this factor at some lag up to the horizon?",
        *(PROBLEM, 100.0, checks.explodes, ("log_norm",)),
        CALMING,
    ),
    Rule(
        "loss reaches only the last steps",
        "Does 99 % of the gradient of the loss lie within this share of the horizon, or of a fifth of the steps?",
        *(PROBLEM, 0.5, checks.loss_reaches_only_the_last_steps, ("log_state_gradients",)),
        MEMORY,
    ),
    Rule(
        "gate shut",
        "Is this share of the values of a gate below 0.05, or is less than one full write let through in all steps?",
        *(PROBLEM, 0.9, checks.gate_shut, ("gates",)),
        ("time scales", "chrono", "gate bias"),
    ),
    Rule(
        "gate open",
        "Is this share of the values of a gate that replaces the memory above 0.95, or does a gate keep all of it?",
        *(PROBLEM, 0.9, checks.gate_open, ("gates",)),
        ("time scales", "chrono", "gate bias"),
    ),
    Rule(
        "units saturated",
        "Is at least this share of the values of a part of the state beyond 0.95 of its range?",
        *(PROBLEM, 0.5, checks.units_saturated, ("saturated",)),
        ("critical gain", "chrono"),
    ),
    Rule(
        "chaotic",
        "Is the largest Lyapunov exponent above 0 by more than this many standard errors, and by more than 1/T?",
        *(WARNING, 2.0, checks.chaotic, ("exponent",)),
        CALMING,
    ),
    Rule(
        "units dead",
        "Does more than this share of the units of a part of the state never change?",
        *(WARNING, 0.1, checks.units_dead, ("dead",)),
        ("critical gain",),
    ),
    Rule(
        "gradient lives in few units",
        "Is the gradient at the horizon on less than this share of the directions and units, or on one of each?",
        *(WARNING, 0.02, checks.few_units, ("log_norm", "log_rms", "unit_shares")),
        ("orthogonal", "time scales", "chrono", "flossing"),
    ),
    Rule(
        "eigenvalue rule misleads",
        "Are ρ^lag and the measured gradient apart by more than this factor, with different verdicts?",
        *(WARNING, 100.0, checks.eigenvalue_rule_misleads, ("log_norm", "eigenvalue_rate")),
    ),
    Rule(
        "one sequence differs",
        "Is the gradient of a sequence more than this factor, and five times the usual spread, from the median's?",
        *(WARNING, 100.0, checks.one_sequence_differs, ("log_rms",)),
    ),
    Rule(
        "gradients heavy-tailed",
        "Is the largest gradient norm of a sequence more than this many times the median?",
        *(WARNING, 10.0, checks.heavy_tailed, ("gradient_norms",)),
        ("clipping",),
    ),
    Rule(
        "sequences too short",
        "Do the sequences have less than this share of the steps that the task needs?",
        *(WARNING, 1.0, checks.too_short, ("horizon",)),
    ),
)


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what the rules find in the evidence: problems first, each group in the order of the table.

    Args:
        evidence: What was measured, by `rd.diagnose` or in a training loop. Rules about fields of None are silent.

    Returns:
        The findings; none for a healthy network.

    Example:
        >>> measured = rd.diagnosis.Evidence(state_size=8, steps=100, sequences=1, dead={"h": 0.25})
        >>> [finding.sentence for finding in rd.diagnosis.judge(measured)]
        ['Dead: 25 % of the units of h never change.']
    """
    found = [finding for rule in RULES if (finding := _finding(rule, evidence)) is not None]
    return tuple(sorted(found, key=lambda finding: finding.severity != PROBLEM))


def _finding(rule: Rule, evidence: Evidence) -> Finding | None:
    if any(getattr(evidence, field) is None for field in rule.reads):
        return None
    fired = rule.check(evidence, rule.threshold)
    if fired is None:
        return None
    doubts = {field: text for field, text in (evidence.doubts or {}).items() if field in rule.reads and text}
    doubt = "; ".join(dict.fromkeys(doubts.values()))
    sentence = f"{fired.sentence} This rests on doubtful numbers: {doubt}." if doubt else fired.sentence
    return Finding(rule.name, rule.severity, sentence, fired.numbers, rule.threshold, doubt, rule.remedies)
