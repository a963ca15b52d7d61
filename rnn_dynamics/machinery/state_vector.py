"""The state tree as one vector of n real numbers, so that its Jacobian can be a matrix.

This is the only file that flattens a state. Leaves follow each other in the order of the tree. A complex leaf of k
numbers counts as 2k reals: all its real parts, then all its imaginary parts.

`flatten` goes to the vector and back, `rows` does the former for many states, and `blocks` says where each leaf is in
it. `select` and `filled` do the same kind of bookkeeping for parameters, for gradients with respect to some of them.
`linear_maps.py` builds on `flatten`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpy.typing import NDArray

from ..cells.contract import Params, State


def flatten(state: State) -> tuple[Float[Array, " n"], Callable[[Float[Array, " n"]], State]]:
    """Return the state as a real vector of its n numbers, and the function that turns such a vector into a state."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            name = "state" + jax.tree_util.keystr(path)
            raise TypeError(
                f"{name}: got dtype {jnp.result_type(leaf)}, expected a floating or complex one, since the "
                "whole state is differentiated; a counter belongs in xs, as jnp.arange(T)"
            )
    leaves, tree = jax.tree.flatten(state)
    is_complex = [jnp.iscomplexobj(leaf) for leaf in leaves]
    pairs = [(leaf.real, leaf.imag) if pair else leaf for leaf, pair in zip(leaves, is_complex, strict=True)]
    vector, unravel = ravel_pytree(pairs)

    def unflatten(vector: Float[Array, " n"]) -> State:
        parts = zip(unravel(vector), is_complex, strict=True)
        return jax.tree.unflatten(tree, [jax.lax.complex(*part) if pair else part for part, pair in parts])

    return vector, unflatten


def rows(states: State) -> NDArray:
    """Return many states, whose leaves share a leading axis, as rows of a NumPy array, in the order of `flatten`."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(states)]
    parts = [part for leaf in leaves for part in ((leaf.real, leaf.imag) if np.iscomplexobj(leaf) else (leaf,))]
    return np.concatenate([part.reshape(len(part), math.prod(part.shape[1:])) for part in parts], axis=1)


def blocks(state: State) -> dict[str, slice]:
    """Return the slice of the state vector that each leaf of the state takes, by the leaf's path in the tree.

    Jacobians, exponents and tangent vectors use the state as one vector. Use these slices to cut out the part that
    belongs to a leaf: `J[at["c"], at["h"]]` is ∂c'/∂h. A complex leaf of k numbers takes 2k places: all real parts,
    then all imaginary parts.

    Args:
        state: A state, any pytree of arrays. Only the shapes and dtypes matter.

    Returns:
        A dict from path to slice, {"h": slice(0, n), "c": ...}, in the order of the vector. Paths of nested trees are
        joined by dots. A state that is a single array is one block named "state".

    Cost:
        O(number of leaves); no array is computed.

    Example:
        >>> cell = rd.cells.lstm
        >>> params = cell.init(key, inputs=1, hidden=2)
        >>> at = rd.blocks(cell.initial_state(params))
        >>> at
        {'h': slice(0, 2, None), 'c': slice(2, 4, None)}
        >>> rd.step_jacobian(cell.step, params, cell.initial_state(params), jnp.ones(1))[at["c"], at["h"]].shape
        (2, 2)
    """
    places, start = {}, 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        stop = start + jnp.size(leaf) * (2 if jnp.iscomplexobj(leaf) else 1)
        places[jax.tree_util.keystr(path, simple=True, separator=".") or "state"] = slice(start, stop)
        start = stop
    return places


def select(params: Params, names: tuple[str, ...] | None) -> Params:
    """Keep the parameters whose path is among `names` or below one of them, and put None in place of all others.

    "forget" keeps all of an LSTM's forget gate, "forget.W" its recurrent matrix. names = None keeps every leaf.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    for name in names or ():
        if not any(f"{path}.".startswith(f"{name}.") for path in paths):
            raise ValueError(f"wrt: got {name!r}, expected one of {', '.join(paths)}, or a name that some begin with")
    kept = [names is None or any(f"{path}.".startswith(f"{name}.") for name in names) for path in paths]
    return jax.tree.unflatten(tree, [leaf if keep else None for (_, leaf), keep in zip(leaves, kept, strict=True)])


def filled(selected: Params, params: Params) -> Params:
    """Return `selected` with its missing leaves (None) taken from `params`."""
    return jax.tree.map(
        lambda new, old: old if new is None else new, selected, params, is_leaf=lambda leaf: leaf is None
    )
