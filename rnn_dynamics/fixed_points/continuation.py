"""Follow fixed points and cycles while a parameter moves: pseudo-arclength continuation."""

from collections.abc import Callable

from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from .branch import Branch


def continuation(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    start: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
) -> Branch:
    """Follow the fixed point (or the cycle) at `start` while the parameter moves over `values`."""
    raise NotImplementedError


def bifurcation_diagram(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    starts: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
    switch: tuple[str, ...] = ("branch", "flip"),
) -> tuple[Branch, ...]:
    """Follow several fixed points and switch to the branches that leave them: a bifurcation diagram in one call."""
    raise NotImplementedError
