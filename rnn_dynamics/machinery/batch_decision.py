"""One number for a whole batch: what a batched program branches on together.

Under vmap, `lax.cond` and `lax.switch` on a batched number run every branch. A number that is the same for the whole
batch keeps them what they are.
"""

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap


@custom_vmap
def smallest(value: jax.Array) -> jax.Array:
    """`value`; under vmap the smallest of the batch (of booleans: whether all hold), as one unbatched number."""
    return value


@smallest.def_vmap
def _(axis_size, in_batched, value):  # type: ignore[no-untyped-def]
    return smallest(jnp.min(value, axis=0) if in_batched[0] else value), False
