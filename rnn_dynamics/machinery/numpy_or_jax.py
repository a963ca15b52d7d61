"""Finish a measurement: compute rates, errors and flags from the few small arrays that its loop returns.

These are many little operations, which take XLA as long to compile as the loop does. So they are written for both
libraries, as functions of `xp`. NumPy computes them when a user calls a measurement; `jax.numpy` does so when the
measurement is part of a program that is being traced.

The functions themselves are in `measure/lyapunov_result.py` and `measure/flow_result.py`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .compiled_programs import float32_products, is_traced

Result = TypeVar("Result")


def finished(finish: Callable[..., Result], *trees: Any) -> Result:
    """Return finish(xp, *trees) as JAX arrays on the device of `trees`, by NumPy if nothing is being traced.

    Arrays that are spread over several devices are not moved; `jax.numpy` computes with them.
    """
    leaves = jax.tree.leaves(trees)
    if is_traced(trees) or any(len(leaf.sharding.device_set) > 1 for leaf in leaves):
        with float32_products():
            return finish(jnp, *trees)
    device = next((leaf.sharding for leaf in leaves if leaf.committed), None)
    with np.errstate(all="ignore"):  # no warnings, as in JAX: infinities and NaN are results here
        found = finish(np, *jax.tree.map(np.asarray, trees))
    return jax.device_put(found, device)


def held(xp: Any, array: Any) -> Any:
    """Return the array as a constant for differentiation."""
    return array if xp is np else jax.lax.stop_gradient(array)
