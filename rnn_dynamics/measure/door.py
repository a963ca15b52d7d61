"""What a measurement is given is validated here, before anything is computed.

Two kinds of checks. Values (finiteness) can only be seen on the host, when the caller has concrete arrays: `enter`
looks at them once per call. Shapes, dtypes and trees are known while tracing: `time_steps` and `closed` run inside
the jitted measurement, once per shape, also under a user's own jit or vmap.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State, Step


def enter(step: Step, **trees: Any) -> None:
    """Refuse a step that is not a hashable function, and trees with a leaf that is no array or not finite."""
    if not callable(step):
        raise TypeError(f"step: got {step!r}, expected a function step(params, state, x) -> state")
    try:
        hash(step)
    except TypeError:
        raise TypeError(
            f"step: got {step!r}, which cannot be hashed; compiled code is found again by the step, so pass a plain "
            "function and put arrays into params"
        ) from None
    leaves = {
        name + jax.tree_util.keystr(path): leaf
        for name, tree in trees.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    for path, leaf in leaves.items():
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex):
            raise TypeError(f"{path}: got {leaf!r} of type {type(leaf).__name__}, expected an array")
    visible = {
        path: leaf
        for path, leaf in leaves.items()
        if not isinstance(leaf, jax.core.Tracer) and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
    }
    with jax.ensure_compile_time_eval():  # concrete arrays stay concrete inside a user's own jit
        bad = _count_nonfinite(list(visible.values()))
    for path, count in zip(visible, jax.device_get(bad), strict=True):
        if count:
            size = np.size(visible[path])
            raise ValueError(f"{path}: got {count} non-finite of {size} values, expected finite ones")


@jax.jit
def _count_nonfinite(leaves: list[Any]) -> list[Any]:
    return [(~jnp.isfinite(leaf)).sum() for leaf in leaves]


def time_steps(xs: Input, length: int | None) -> int:
    """T, from the leading axes of `xs` or from `length`, which must agree."""
    sizes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(xs):
        name = "xs" + jax.tree_util.keystr(path)
        if jnp.ndim(leaf) == 0:
            raise ValueError(f"{name}: got a scalar, expected an array with a leading time axis")
        sizes[name] = jnp.shape(leaf)[0]
    if length is not None and (isinstance(length, bool) or not isinstance(length, int | np.integer)):
        raise TypeError(f"length: got {length!r}, expected a whole number of time steps")
    if length is not None:
        sizes["length"] = int(length)
    if not sizes:
        raise ValueError("xs: got no array and length=None, expected inputs over time or length=T for an undriven map")
    name, T = next(iter(sizes.items()))
    for other, size in sizes.items():
        if size != T:
            raise ValueError(f"{other}: got {size} time steps, which disagrees with {name}, which has {T}")
    if T < 1:
        raise ValueError(f"{name}: got {T} time steps, expected at least 1")
    return T


def closed(step: Step, params: Params, h0: State, x: Input) -> State:
    """`h0` as arrays without weak types, once it is known that `step` returns a state of that very kind."""
    h0 = jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, jnp.result_type(leaf)), h0)
    after = jax.eval_shape(step, params, h0, x)
    trees: list[Any] = [jax.tree.structure(h0), jax.tree.structure(after)]
    if trees[0] != trees[1]:
        raise TypeError(f"h0: got a tree {trees[0]}, but step returns {trees[1]}; expected the same")
    for (path, before), leaf in zip(jax.tree_util.tree_leaves_with_path(h0), jax.tree.leaves(after), strict=True):
        name = "h0" + jax.tree_util.keystr(path)
        if before.shape != leaf.shape:
            raise ValueError(f"{name}: got shape {before.shape}, but step returns {leaf.shape}; expected the same")
        if before.dtype != leaf.dtype:
            raise TypeError(f"{name}: got dtype {before.dtype}, but step returns {leaf.dtype}; expected the same")
    return h0
