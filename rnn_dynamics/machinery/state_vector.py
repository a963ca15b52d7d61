"""The one place where a state tree becomes a vector, so that its Jacobian can be a matrix.

Complex leaves count as pairs of reals: all real parts of the leaf, then all its imaginary parts.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ..cells.contract import Params, State


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


def blocks(state: State) -> dict[str, slice]:
    """Where each leaf of the state stands in its vector, by its path in the tree: {"h": slice(0, n), "c": ...}.

    A state that is one array is one block named "state"; `J[blocks["c"], blocks["h"]]` cuts ∂c'/∂h out of a Jacobian.
    """
    places, start = {}, 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        stop = start + jnp.size(leaf) * (2 if jnp.iscomplexobj(leaf) else 1)
        places[jax.tree_util.keystr(path, simple=True, separator=".") or "state"] = slice(start, stop)
        start = stop
    return places


def select(params: Params, names: tuple[str, ...] | None) -> Params:
    """The tree of parameters with None for every leaf whose path is neither among `names` nor below one of them.

    "forget" keeps all of an LSTM's forget gate, "forget.W" its recurrent matrix; names = None keeps every leaf.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    for name in names or ():
        if not any(f"{path}.".startswith(f"{name}.") for path in paths):
            raise ValueError(f"wrt: got {name!r}, expected one of {', '.join(paths)} or what some of them begin with")
    kept = [names is None or any(f"{path}.".startswith(f"{name}.") for name in names) for path in paths]
    return jax.tree.unflatten(tree, [leaf if keep else None for (_, leaf), keep in zip(leaves, kept, strict=True)])


def filled(selected: Params, params: Params) -> Params:
    """`selected` with its missing leaves taken from `params`."""
    return jax.tree.map(
        lambda new, old: old if new is None else new, selected, params, is_leaf=lambda leaf: leaf is None
    )
