"""The result of `rd.diagnose`: findings and remedies, with the evidence behind them."""

import html
from typing import Any, NamedTuple

from . import screen
from .as_json import as_json
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
    """What `rd.diagnose` found. `print` shows its summary.

    Attributes:
        evidence: The measurements.
        findings: The rules that fired, the worst first; empty for a healthy network.
        remedies: The changes that were tried, the best first.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    remedies: tuple[Remedy, ...]

    def summary(self) -> str:
        """Return the diagnosis on one screen: the verdict, the numbers, the findings, and what to change."""
        return screen.summary(self)

    def to_json(self) -> str:
        """Return the diagnosis as JSON, without the changed networks. NaN is null, and infinite numbers are "-inf"."""
        return as_json(self)

    def __str__(self) -> str:
        """Return the summary."""
        return self.summary()

    def __repr__(self) -> str:
        """Return the verdict on one line."""
        return f"Diagnosis({screen.verdict(self)})"

    def _repr_html_(self) -> str:
        """Return the summary as a notebook shows it."""
        return f"<pre>{html.escape(self.summary())}</pre>"
