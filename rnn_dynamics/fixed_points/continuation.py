"""Follow fixed points and cycles while a parameter moves: pseudo-arclength continuation, and the diagram of it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery.compiled_programs import with_float32_products
from .branch import Branch, Diagram
from .curve import follow
from .diagram import all_curves, branch_of
from .moving import opened_family, polished


@with_float32_products
def continuation(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    start: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
    most_points: int = 5000,
) -> Branch:
    """Follow the fixed point (or the cycle) at `start` while the parameter moves over `values`."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], start)
    family, vectors, upwards = opened_family(step, params_of, one, values, x, period, "start")
    first = polished(family, vectors[0], upwards, "start")
    return branch_of(follow(family, first, most_points, upwards))


@with_float32_products
def bifurcation_diagram(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    starts: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
    switch: tuple[str, ...] = ("branch", "flip"),
    depth: int = 3,
    most_branches: int = 64,
    most_points: int = 5000,
) -> Diagram:
    """Follow several fixed points and switch to the branches that leave them: a bifurcation diagram in one call."""
    family, vectors, upwards = opened_family(step, params_of, starts, values, x, period, "starts")
    firsts = [polished(family, vector, upwards, f"starts[{i}]") for i, vector in enumerate(vectors)]
    curves, left_out = all_curves(family, firsts, upwards, switch, depth, most_branches, most_points)
    return Diagram(map(branch_of, curves), left_out)
