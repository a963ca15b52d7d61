"""Find fixed points and slow points of any step, from many candidates at once."""

from ..cells.contract import Input, Params, State, Step
from .result import FixedPoints


def find_fixed_points(
    step: Step,
    params: Params,
    candidates: State,
    x: Input = None,
    *,
    x_axis: int | None = None,
    known: State | None = None,
    tolerance: float | None = None,
    iterations: int = 200,
) -> FixedPoints:
    """Find the fixed points of a step, and the slow points where it nearly rests, from many candidates at once."""
    raise NotImplementedError
