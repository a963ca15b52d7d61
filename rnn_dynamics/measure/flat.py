"""The one place where a state tree becomes a vector, so that its Jacobian can be a matrix.

Complex leaves count as pairs of reals: all real parts of the leaf, then all its imaginary parts.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ..cells.contract import State


def flatten(state: State) -> tuple[Float[Array, " n"], Callable[[Float[Array, " n"]], State]]:
    """The state as a real vector of its n numbers, and the way back."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            name = "state" + jax.tree_util.keystr(path)
            raise TypeError(f"{name}: got dtype {jnp.result_type(leaf)}, expected a floating or complex one")
    leaves, tree = jax.tree.flatten(state)
    is_complex = [jnp.iscomplexobj(leaf) for leaf in leaves]
    pairs = [(leaf.real, leaf.imag) if pair else leaf for leaf, pair in zip(leaves, is_complex, strict=True)]
    vector, unravel = ravel_pytree(pairs)

    def unflatten(vector: Float[Array, " n"]) -> State:
        parts = zip(unravel(vector), is_complex, strict=True)
        return jax.tree.unflatten(tree, [jax.lax.complex(*part) if pair else part for part, pair in parts])

    return vector, unflatten
