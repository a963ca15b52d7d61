"""What a measurement is given is validated here, before anything is computed.

Two kinds of checks. Values (finiteness) can only be seen on the host, when the caller has concrete arrays: `enter`
looks at them once per call. Shapes, dtypes and trees are known while tracing: `time_steps` and `closed` run inside
the jitted measurement, once per shape, also under a user's own jit or vmap.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State, Step

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(*static: str, functions: int = 1) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """`jax.jit` of a measurement, of which the first `functions` arguments and those named are static.

    Matrix products of float32 are computed as such: accelerators round their factors to fewer bits by default, and a
    measured exponent would then be theirs. A precision that the user has set for JAX stands.
    """

    def decorate(measurement: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        jitted = jax.jit(measurement, static_argnums=tuple(range(functions)), static_argnames=static)

        @functools.wraps(measurement)
        def run(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
            chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
            with contextlib.nullcontext() if chosen else jax.default_matmul_precision("highest"):
                return jitted(*args, **options)

        return run

    return decorate


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
        numeric = not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype.kind in "biufcV"  # V: bfloat16 and such
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex) or not numeric:
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


def whole_number(name: str, value: Any) -> int | None:
    """`value` as an int, or None for None; checked before it becomes a static argument of compiled code."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise TypeError(f"{name}: got {value!r}, expected a whole number of steps, or None")
    return None if value is None else int(value)


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
    if length is not None:
        sizes["length"] = length
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
    if not sum(leaf.size for leaf in jax.tree.leaves(h0)):
        raise ValueError(f"h0: got {jax.tree.structure(h0)} without a number, expected a state of at least one")
    try:
        after = jax.eval_shape(step, params, h0, x)
    except (TypeError, ValueError) as error:
        error.add_note("raised by step(params, h0, xs[0]): its state is h0, its x the first of xs")
        raise
    trees: list[Any] = [jax.tree.structure(h0), jax.tree.structure(after)]
    if trees[0] != trees[1]:
        raise TypeError(f"h0: got a tree {trees[0]}, but step returns {trees[1]}; expected the same")
    for (path, before), leaf in zip(jax.tree_util.tree_leaves_with_path(h0), jax.tree.leaves(after), strict=True):
        name = "h0" + jax.tree_util.keystr(path)
        if before.shape != leaf.shape:
            raise ValueError(f"{name}: got shape {before.shape}, but step returns {leaf.shape}; expected the same")
        if before.dtype != leaf.dtype:
            raise TypeError(f"{name}: got dtype {before.dtype}, but step returns {leaf.dtype}; expected the same")
    return varying_like(h0, after)


def decomposable(state: State) -> None:
    """Refuse a state of 16 bits, for which there are no matrix decompositions."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.finfo(leaf.dtype).bits < 32:
            name = "h0" + jax.tree_util.keystr(path)
            raise TypeError(f"{name}: got dtype {leaf.dtype}, expected float32 or float64, in which norms can be found")


def varying_like(tree: Any, like: Any) -> Any:
    """Inside shard_map: `tree` marked as varying over the mesh axes that `like` varies over, as a scan's carry must be.

    Elsewhere the tree itself.
    """

    def axes_of(leaf: Any) -> frozenset[str]:
        kind = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
        if hasattr(kind, "vma"):  # its name in jax 0.9; jax 0.12 has the other
            return kind.vma or frozenset()
        return getattr(getattr(kind, "manual_axis_type", None), "varying", frozenset())

    wanted = frozenset().union(*map(axes_of, jax.tree.leaves(like)))

    def marked(leaf: Any) -> Any:
        missing = wanted - axes_of(leaf)
        return jax.lax.pcast(leaf, tuple(missing), to="varying") if missing else leaf

    return jax.tree.map(marked, tree)


def losses(name: str, value: Any, T: int | None) -> Any:
    """`value` as a real scalar, or as one real number for each of T times."""
    expected = "a scalar" if T is None else f"one number for each of {T} times, shape ({T},)"
    if jnp.shape(value) != (() if T is None else (T,)):
        raise ValueError(f"{name}: returned shape {jnp.shape(value)}, expected {expected}")
    if not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        raise TypeError(f"{name}: returned dtype {jnp.result_type(value)}, expected a real floating one")
    return value
