"""The fixed points of a network for a report: a quick search from states that its first sequence visits."""

import jax
import jax.numpy as jnp

from ..cells.contract import Input, Params, State, Step
from ..fixed_points import find_fixed_points, visited_states
from ..machinery.state_vector import blocks
from ..measure import unroll
from .network import Rest

# the Jacobians of a larger state would take longer than all the rest of a report
LARGEST = 256
# a search of small states from so many, of large ones from fewer, as each takes n³ operations at each iteration
MOST_CANDIDATES, FEWEST_CANDIDATES, SMALL = 128, 16, 64
ITERATIONS = 100
# the states that a figure shows: more would only fill it
SHOWN = 400


def where_it_rests(step: Step, params: Params, h0: State, xs: Input) -> Rest:
    """Return the fixed points with the input held at its mean, and the last states of the sequence."""
    n = sum(at.stop - at.start for at in blocks(h0).values())
    if n > LARGEST:
        return Rest(None, None, "", f"the state has {n} numbers, and a report looks for them up to {LARGEST}")
    leaves = jax.tree.leaves(xs)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        return Rest(None, None, "", "the inputs are no real numbers, so that they have no mean to be held at")
    mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0, dtype=leaf.dtype), xs)
    count = int(min(MOST_CANDIDATES, max(FEWEST_CANDIDATES, MOST_CANDIDATES * SMALL**2 // n**2)))
    candidates = visited_states(step, params, h0, xs, count=count, key=jax.random.key(0))
    found = find_fixed_points(step, params, candidates, mean, iterations=ITERATIONS)
    visited = jax.tree.map(lambda leaf: leaf[-SHOWN:], unroll(step, params, h0, xs))
    driven = any(leaf[0].size for leaf in leaves)
    return Rest(found, visited, "the input held at its mean over the first sequence" if driven else "")
