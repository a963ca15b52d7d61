"""The result of `rd.diagnose`: findings and remedies, with the evidence behind them."""

from typing import Any, NamedTuple

from .evidence import Evidence


class Finding(NamedTuple):
    """A rule that fired.

    Attributes:
        rule: The name of the rule, such as "gradient vanishes".
        severity: "problem" for what keeps the net from learning, "warning" for what may.
        sentence: What is wrong, with its numbers.
        numbers: The numbers that the rule compared, by name.
        threshold: What they were compared with.
        doubt: Why the numbers should not be trusted, in words; "" if there is no reason.
        suggests: The names of the remedies that may help.
    """

    rule: str
    severity: str
    sentence: str
    numbers: dict[str, float]
    threshold: float
    doubt: str = ""
    suggests: tuple[str, ...] = ()


class Remedy(NamedTuple):
    """A change that was applied to a copy of the network and measured.

    Attributes:
        name: Which change, such as "chrono".
        change: What was changed, such as "forget bias 1 → chrono(100)".
        sentence: What it gained and what it cost, with numbers.
        before: The numbers of the network as it is, by name: "log_gradient" at the horizon (nats), "exploding"
            (directions), "saturated" (share).
        after: The same numbers of the changed copy.
        helps: Whether the gradient at the horizon came closer to its full size without a new problem.
        step: The step of the changed copy, usually the same as before.
        params: The parameters of the changed copy.
    """

    name: str
    change: str
    sentence: str
    before: dict[str, float]
    after: dict[str, float]
    helps: bool
    step: Any
    params: Any


class Diagnosis(NamedTuple):
    """What `rd.diagnose` found.

    Attributes:
        evidence: The measurements.
        findings: The rules that fired, the worst first.
        remedies: The changes that were tried, the best first.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    remedies: tuple[Remedy, ...]
