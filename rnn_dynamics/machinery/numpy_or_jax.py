"""The end of a measurement: rates, errors and flags from a few small arrays that its loop has left.

These are many little operations, which XLA compiles for as long as it does the loop. So they are written for either
library, as functions of `xp`: NumPy takes the arrays of a call of its own, `jax.numpy` what is being traced.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .compiled_programs import is_traced

Result = TypeVar("Result")


def finished(finish: Callable[..., Result], *trees: Any) -> Result:
    """finish(xp, *trees), as JAX arrays where `trees` have theirs.

    Arrays that are spread over several devices stay where they are.
    """
    leaves = jax.tree.leaves(trees)
    if is_traced(trees) or any(len(leaf.sharding.device_set) > 1 for leaf in leaves):
        return finish(jnp, *trees)
    device = next((leaf.sharding for leaf in leaves if leaf.committed), None)
    with np.errstate(all="ignore"):  # as JAX does: infinities and NaN are results here
        found = finish(np, *jax.tree.map(np.asarray, trees))
    return jax.device_put(found, device)


def held(xp: Any, array: Any) -> Any:
    """The array as a constant of differentiation."""
    return array if xp is np else jax.lax.stop_gradient(array)
