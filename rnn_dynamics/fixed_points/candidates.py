"""States to start a search from: those that a trajectory visits, with noise."""

from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step


def visited_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    count: int,
    key: Array,
    noise: float = 0.1,
    length: int | None = None,
    burn_in: int = 0,
) -> State:
    """Draw `count` states at random from those that a trajectory visits, and add noise to them."""
    raise NotImplementedError
