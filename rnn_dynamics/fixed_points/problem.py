"""Check the arguments of a search for fixed points or cycles, and lay the candidates out as vectors."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.compiled_programs import inside_transformation
from ..machinery.state_vector import flatten


class Problem(NamedTuple):
    """What is searched: a map of states to states, from many states at once.

    Attributes:
        step: The traced step.
        params: Its parameters.
        x: The constant input, or None.
        vectors: The candidates as vectors of the n numbers of a state, (candidates, n).
        unflatten: Turns one such vector into a state; map it with `jax.vmap` over several.
    """

    step: Traced
    params: Params
    x: Input
    vectors: Float[Array, "candidates n"]
    unflatten: Callable[[Float[Array, " n"]], State]


def opened(step: Step, params: Params, candidates: State, x: Input, argument: str = "candidates") -> Problem:
    """Check the arguments and return them as a `Problem`; errors name the argument, `argument` for the candidates."""
    entry.enter(step, params=params, **{argument: candidates}, x=x)
    if inside_transformation(params, candidates, x):
        raise TypeError(
            f"{argument}: got arrays that are being traced by jit, vmap or grad, expected concrete ones, since the "
            "number of points found depends on the values; call it outside, with all of them at once"
        )
    count = entry.time_steps(candidates, None, argument, "candidates")
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], candidates)
    try:
        traced = entry.traced_step(step, params, state, x)
    except (TypeError, ValueError, AttributeError) as error:
        if x is None:
            error.add_note("x is None here: if step needs an input, pass a constant one as x")
        raise
    state = entry.closed(traced, params, state, x, argument)
    entry.decomposable(state, argument)
    _moderate(candidates, state, argument)
    rows = jax.tree.map(lambda leaf, one: jnp.asarray(leaf, one.dtype).reshape(count, *one.shape), candidates, state)
    return Problem(traced, params, x, jax.vmap(lambda row: flatten(row)[0])(rows), flatten(state)[1])


def _moderate(candidates: State, state: State, argument: str) -> None:
    """Refuse states so large that their squares overflow."""
    for (path, leaf), one in zip(jax.tree_util.tree_leaves_with_path(candidates), jax.tree.leaves(state), strict=True):
        largest, most = float(np.max(np.abs(np.asarray(leaf)), initial=0.0)), 1e-3 * np.sqrt(np.finfo(one.dtype).max)
        if largest > most:
            name = argument + jax.tree_util.keystr(path)
            raise ValueError(
                f"{name}: got numbers as large as {largest:.3g}, expected at most {most:.1g} in {one.dtype}, so that "
                "their squares can be summed; measure the state in larger units"
            )
