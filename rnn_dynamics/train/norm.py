"""The logarithm of the norm of a gradient, computed without squaring numbers that would overflow or underflow."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def log_norm(tree: Any) -> Float[Array, ""]:
    """Compute ln of the 2-norm of all numbers in a tree, which are scaled by the largest before they are squared."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if leaf.size]
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    squares = sum(jnp.sum(jnp.square(jnp.abs(leaf) / scale)) for leaf in leaves)
    return jnp.log(scale) + jnp.log(squares) / 2
