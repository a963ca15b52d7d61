"""What a measurement is given is validated here, before anything is computed.

Two kinds of checks. Values (finiteness) can only be seen on the host, when the caller has concrete arrays: `enter`
looks at them once per call. Shapes, dtypes and trees are known while tracing: `time_steps` and `closed` run inside
the jitted measurement, once per shape, also under a user's own jit or vmap.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State, Step
from .captured_arrays import Opaque, Traced, traced
from .compiled_programs import QUICKER, float32_products, program
from .shard_map_axes import varying_like as varying_like

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(
    *static: str, compiler: dict[str, Any] = QUICKER
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """The `jax.jit` of a measurement `measure(step, params, h0, xs, ...)`, whose keyword options are static.

    This is where the arrays that a step captures are taken up, at every call (`captured.py`), and where float32
    products are computed as such: accelerators round their factors to fewer bits by default, and a measured exponent
    would then be theirs. A precision that the user has set for JAX stands.
    """

    def decorate(measurement: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @functools.wraps(measurement)
        def run(*args: Any, **options: Any) -> Result:
            if not isinstance(args[0], Traced):
                step, params, h0, xs = args[:4]
                time_steps(xs, options.get("length"))
                args = (traced_step(step, params, h0, first(xs)), *args[1:])
            with float32_products():
                return program(measurement, args, options, compiler)(*args)

        return run

    return decorate


def enter(step: Step, **trees: Any) -> None:
    """Refuse a step that is no function, and trees with a leaf that is no array or not finite."""
    if not callable(step):
        raise TypeError(f"step: got {step!r}, expected a function step(params, state, x) -> state")
    leaves = {
        name + jax.tree_util.keystr(path): leaf
        for name, tree in trees.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    for path, leaf in leaves.items():
        numeric = not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype.kind in "biufcV"  # V: bfloat16 and such
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex) or not numeric:
            raise TypeError(f"{path}: got {leaf!r} of type {type(leaf).__name__}, expected an array")
    for path, leaf in leaves.items():
        if not isinstance(leaf, jax.core.Tracer) and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            count = _count_nonfinite(leaf)
            if count:
                raise ValueError(f"{path}: got {count} non-finite of {np.size(leaf)} values, expected finite ones")


def _count_nonfinite(leaf: Any) -> int:
    """Counted by NumPy where that need not move the array, since another shape would be another program to compile."""
    if isinstance(leaf, jax.Array) and any(device.platform != "cpu" for device in leaf.devices()):
        with jax.ensure_compile_time_eval():  # a concrete array stays one inside a user's own jit
            return int((~jnp.isfinite(leaf)).sum())
    values = np.asarray(leaf)
    if values.dtype.kind not in "fc":  # NumPy's own types; it cannot judge bfloat16
        values = values.astype(np.float32)
    return int(values.size - np.count_nonzero(np.isfinite(values)))


def traced_step(step: Step, params: Params, h: State, x: Input) -> Traced:
    """`step` with the arrays that it captures now (`captured.py`), for one time."""
    _warn_of_a_batch(step, params, h, x)
    try:
        with float32_products():
            return traced(step, params, _strong(h), x)
    except (TypeError, ValueError) as error:
        error.add_note("raised by step(params, h0, xs[0]): its state is h0, its x the first of xs")
        raise


def traced_loss(loss: Callable[..., Any], step: Traced, T: int | None, *more: Any) -> Traced:
    """`loss` with the arrays that it captures now, for the states of T times, or of one time for None."""
    if isinstance(step.computation, Opaque):
        return Traced(Opaque(loss, None), ())
    leading = () if T is None else (T,)
    states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((*leading, *leaf.shape), leaf.dtype), step.out)
    with float32_products():
        return traced(loss, states, *more)


def first(xs: Input) -> Input:
    """The kind of input that one time has."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(xs)):
        return jax.eval_shape(lambda xs: jax.tree.map(lambda leaf: leaf[0], xs), xs)
    kinds = jax.tree.map(jax.typeof, xs)
    return jax.tree.map(lambda k: jax.ShapeDtypeStruct(k.shape[1:], k.dtype, weak_type=k.weak_type), kinds)


def _strong(state: State) -> State:
    """The state without weak types; shapes and dtypes alone where it is not traced."""

    def strong(leaf: Any) -> Any:
        kind = jax.typeof(leaf)
        if isinstance(leaf, jax.core.Tracer):
            return jax.lax.convert_element_type(leaf, kind.dtype) if kind.weak_type else leaf
        return jax.ShapeDtypeStruct(kind.shape, kind.dtype)

    return jax.tree.map(strong, state)


def _warn_of_a_batch(step: Step, params: Params, h: State, x: Input) -> None:
    """Warn where the state and the input are rows that the step treats each by itself.

    Tried with random rows, and only outside of transformations, where they can be compared.
    """
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves((h, x))]
    traced_ones = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((params, h, x)))
    if traced_ones or not all(len(shape) > 1 and shape[0] == shapes[0][0] > 1 for shape in shapes):
        return
    draw = np.random.default_rng(0).normal
    rows = jax.tree.map(lambda leaf: jnp.asarray(draw(size=jnp.shape(leaf)), jnp.result_type(leaf)), (h, x))
    try:
        together = jax.tree.leaves(step(params, *rows))
        apart = jax.tree.leaves(jax.vmap(lambda *row: step(params, *row))(*rows))
        same = all(bool(jnp.allclose(one, other, rtol=1e-3)) for one, other in zip(together, apart, strict=True))
    except Exception:  # a step of matrices, which has no use for a row
        return
    if same:
        call = "jax.vmap(lambda h0, xs: measure(step, params, h0, xs), in_axes=(0, 1))(h0, xs)"
        if x is None:
            call = "jax.vmap(lambda h0: measure(step, params, h0, None, length=T))(h0)"
        numbers = sum(map(math.prod, shapes[: len(together)]))
        warnings.warn(
            f"h0: got shape {shapes[0]}, of which step treats each row by itself; these {shapes[0][0]} systems are "
            f"measured as one of {numbers} numbers. To measure each by itself: {call}",
            stacklevel=5,
        )


def whole_number(name: str, value: Any) -> int | None:
    """`value` as an int, or None for None; checked before it becomes a static argument of compiled code."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise TypeError(f"{name}: got {value!r}, expected a whole number of steps, or None")
    return None if value is None else int(value)


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
    after = jax.eval_shape(lambda *args: step(*args), params, h0, x)
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


def losses(name: str, value: Any, T: int | None) -> Any:
    """`value` as a real scalar, or as one real number for each of T times."""
    expected = "a scalar" if T is None else f"one number for each of {T} times, shape ({T},)"
    if jnp.shape(value) != (() if T is None else (T,)):
        raise ValueError(f"{name}: returned shape {jnp.shape(value)}, expected {expected}")
    if not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        raise TypeError(f"{name}: returned dtype {jnp.result_type(value)}, expected a real floating one")
    return value
