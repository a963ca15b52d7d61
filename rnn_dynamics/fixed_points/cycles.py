"""Find p-cycles of any step by Newton's method on all p states of a cycle at once (multiple shooting)."""

from ..cells.contract import Input, Params, State, Step
from .cycles_result import Cycles


def find_cycles(
    step: Step,
    params: Params,
    candidates: State,
    period: int,
    x: Input = None,
    *,
    known: State | None = None,
    tolerance: float | None = None,
    iterations: int = 200,
) -> Cycles:
    """Find the cycles of a step whose period divides `period`, from many candidates at once."""
    raise NotImplementedError
