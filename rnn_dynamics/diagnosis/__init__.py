"""Say what is wrong with the gradients of a network, with numbers, and what would mend it."""

from .diagnose import diagnose
from .evidence import Evidence, GateStatistics
from .result import Diagnosis, Finding, Remedy
from .rules import RULES, Rule, judge

__all__ = ["RULES", "Diagnosis", "Evidence", "Finding", "GateStatistics", "Remedy", "Rule", "diagnose", "judge"]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
