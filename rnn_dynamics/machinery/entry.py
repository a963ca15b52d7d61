"""Check the arguments of a measurement before anything is computed, and compile the measurement.

    enter       on the host, at each call: the step is callable, every leaf is an array and finite
    checked     `enter` for step, params, h0 and xs, and the number of steps
    compiled    the decorator of a measurement: trace its step, then run the program for these shapes
    time_steps, opened, closed, decomposable, losses
                while tracing, once for each shape: T, the tree, the shapes and the dtypes

Values can be checked only on the host, where the caller has concrete arrays. Shapes, dtypes and trees are known while
tracing, so those checks also work under a user's own jit or vmap.

Next: `captured_arrays.py` traces the step, `compiled_programs.py` keeps the programs.
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
    *, compiler: dict[str, Any] = QUICKER
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Compile a measurement `measure(step, params, h0, xs, ...)` as `jax.jit` does. Its keyword options are static.

    At every call the step is traced with the arrays that it captures now (`captured_arrays.py`). float32 products are
    computed in full float32: accelerators round the factors to fewer bits by default, and a measured exponent would
    then reflect that rounding. A precision that the user has set for JAX is kept.
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


def checked(step: Step, params: Params, h0: State, xs: Input, length: Any) -> tuple[int | None, int]:
    """Check step, params, h0, xs and length; return `length` as a plain int or None, and T."""
    enter(step, params=params, h0=h0, xs=xs)
    length = whole_number("length", length)
    return length, time_steps(xs, length)


def enter(step: Step, **trees: Any) -> None:
    """Refuse a step that is not a function, and trees with a leaf that is not an array or not finite."""
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
            kind = type(leaf)
            if kind.__module__ == "torch":
                raise TypeError(f"{path}: got a torch {kind.__name__}, expected an array: .detach().numpy() gives one")
            raise TypeError(f"{path}: got {leaf!r} of type {kind.__name__}, expected an array")
    for path, leaf in leaves.items():
        known = not isinstance(leaf, jax.core.Tracer) and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
        if known and not _all_finite(leaf):
            where = np.argwhere(~np.isfinite(_readable(leaf)))
            at = f" (the first at {list(map(int, where[0]))})" if where.shape[1] else ""
            raise ValueError(f"{path}: got {len(where)} non-finite of {np.size(leaf)} values{at}, expected finite ones")


def _all_finite(leaf: Any) -> bool:
    """Return whether all values are finite: asked of NumPy where that moves no array, since it compiles nothing."""
    if isinstance(leaf, jax.Array) and any(device.platform != "cpu" for device in leaf.devices()):
        with jax.ensure_compile_time_eval():  # a concrete array stays one inside a user's own jit
            return bool(jnp.isfinite(leaf).all())
    return bool(np.isfinite(_readable(leaf)).all())


def _readable(leaf: Any) -> np.ndarray:
    """Return the values in one of NumPy's own types: it cannot judge bfloat16."""
    values = np.asarray(leaf)
    return values if values.dtype.kind in "fc" else values.astype(np.float32)


def traced_step(step: Step, params: Params, h: State, x: Input) -> Traced:
    """Trace `step` for one time, with the arrays that it captures now (`captured_arrays.py`)."""
    _warn_of_a_batch(step, params, h, x)
    try:
        with float32_products():
            return traced(step, params, _strong(h), x)
    except (TypeError, ValueError) as error:
        error.add_note("raised by step(params, h0, xs[0]): its state is h0 and its x is the first input in xs")
        raise


def traced_loss(loss: Callable[..., Any], step: Traced, T: int | None, *more: Any) -> Traced:
    """Trace `loss` with the arrays that it captures now, for the states at T times, or at one time if T is None."""
    if isinstance(step.computation, Opaque):
        return Traced(Opaque(loss, None), ())
    leading = () if T is None else (T,)
    states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((*leading, *leaf.shape), leaf.dtype), step.out)
    with float32_products():
        return traced(loss, states, *more)


def first(xs: Input) -> Input:
    """Return the shapes and dtypes of the input at one time."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(xs)):
        return jax.eval_shape(lambda xs: jax.tree.map(lambda leaf: leaf[0], xs), xs)
    kinds = jax.tree.map(jax.typeof, xs)
    return jax.tree.map(lambda k: jax.ShapeDtypeStruct(k.shape[1:], k.dtype, weak_type=k.weak_type), kinds)


def _strong(state: State) -> State:
    """Return the state without weak types. If it is not being traced, return only its shapes and dtypes."""

    def strong(leaf: Any) -> Any:
        kind = jax.typeof(leaf)
        if isinstance(leaf, jax.core.Tracer):
            return jax.lax.convert_element_type(leaf, kind.dtype) if kind.weak_type else leaf
        return jax.ShapeDtypeStruct(kind.shape, kind.dtype)

    return jax.tree.map(strong, state)


def _warn_of_a_batch(step: Step, params: Params, h: State, x: Input) -> None:
    """Warn if the state and the input look like a batch, whose rows the step treats independently.

    The step is tried with random rows, and only outside transformations, where results can be compared.
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
    except Exception:  # the state is one matrix, and the step fails on a single row
        return
    if same:
        call = "jax.vmap(lambda h0, xs: measure(step, params, h0, xs), in_axes=(0, 1))(h0, xs)"
        if x is None:
            call = "jax.vmap(lambda h0: measure(step, params, h0, None, length=T))(h0)"
        numbers = sum(map(math.prod, shapes[: len(together)]))
        warnings.warn(
            f"h0: got shape {shapes[0]}, but step treats each row independently; these {shapes[0][0]} systems are "
            f"measured as one system of {numbers} numbers. To measure each on its own: {call}",
            stacklevel=5,
        )


def whole_number(name: str, value: Any) -> int | None:
    """Return `value` as an int, or None for None; it must be checked before it becomes a static argument."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise TypeError(f"{name}: got {value!r}, expected a whole number of steps, or None")
    return None if value is None else int(value)


def time_steps(xs: Input, length: int | None, argument: str = "xs", unit: str = "time steps") -> int:
    """Return T, from the leading axes of `xs` or from `length`, which must agree; `argument` is the name of `xs`.

    `unit` is what the leading axis counts.
    """
    sizes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(xs):
        name = argument + jax.tree_util.keystr(path)
        if jnp.ndim(leaf) == 0:
            raise ValueError(f"{name}: got a scalar, expected an array with a leading axis of {unit}")
        sizes[name] = jnp.shape(leaf)[0]
    if length is not None:
        sizes["length"] = length
    if not sizes:
        other = f"an array with a leading axis of {unit}"
        if argument == "xs":
            other = "inputs over time or length=T for an undriven map"
        raise ValueError(f"{argument}: got no array and length=None, expected {other}")
    name, T = next(iter(sizes.items()))
    for other, size in sizes.items():
        if size != T:
            raise ValueError(f"{other}: got {size} {unit}, which disagrees with {name}, which has {T}")
    if T < 1:
        raise ValueError(f"{name}: got {T} {unit}, expected at least 1")
    return T


def opened(step: Step, params: Params, h0: State, xs: Input) -> State:
    """Check h0 against what the step returns for the first input, and return it without weak types (`closed`)."""
    return closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))


def closed(step: Step, params: Params, h0: State, x: Input, argument: str = "h0") -> State:
    """Return `h0` as arrays without weak types, after checking that `step` returns the same tree, shapes and dtypes.

    `argument` is the name of `h0` in errors.
    """
    h0 = jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, jnp.result_type(leaf)), h0)
    if not sum(leaf.size for leaf in jax.tree.leaves(h0)):
        raise ValueError(f"{argument}: got {jax.tree.structure(h0)} without a number, expected at least one number")
    after = jax.eval_shape(lambda *args: step(*args), params, h0, x)
    trees: list[Any] = [jax.tree.structure(h0), jax.tree.structure(after)]
    if trees[0] != trees[1]:
        if isinstance(after, tuple | list) and len(after) == 2 and jax.tree.structure(after[0]) == trees[0]:
            raise TypeError(
                "step: returned a pair, as the body of a scan does, expected the next state alone: "
                "measure lambda params, state, x: step(params, state, x)[0]"
            )
        raise TypeError(f"{argument}: got a tree {trees[0]}, but step returns {trees[1]}; expected equal trees")
    for (path, before), leaf in zip(jax.tree_util.tree_leaves_with_path(h0), jax.tree.leaves(after), strict=True):
        name = argument + jax.tree_util.keystr(path)
        if before.shape != leaf.shape:
            raise ValueError(f"{name}: got shape {before.shape}, but step returns {leaf.shape}; expected equal shapes")
        if before.dtype != leaf.dtype:
            raise TypeError(f"{name}: got dtype {before.dtype}, but step returns {leaf.dtype}; expected equal dtypes")
    return varying_like(h0, after)


def decomposable(state: State, argument: str = "h0") -> None:
    """Refuse a state of integers, and one of 16-bit numbers, for which there are no matrix decompositions."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise TypeError(f"{argument + jax.tree_util.keystr(path)}: got dtype {leaf.dtype}, expected a float dtype")
        if jnp.finfo(leaf.dtype).bits < 32:
            name = argument + jax.tree_util.keystr(path)
            raise TypeError(
                f"{name}: got dtype {leaf.dtype}, expected float32 or float64, in which norms can be found; cast "
                "params, h0 and xs, each with jax.tree.map(lambda leaf: leaf.astype(jnp.float32), ...)"
            )


def losses(name: str, value: Any, *shapes: tuple[int, ...]) -> Any:
    """Return what a loss has returned, after checking that it is real and has one of these shapes: (), or (T,)."""
    if not isinstance(value, jax.Array | np.ndarray | np.generic | float | int):
        raise TypeError(f"{name}: returned {type(value).__name__}, expected one array of real numbers")
    if jnp.shape(value) not in shapes:
        words = (f"one number for each of {shape[0]} times, shape {shape}" if shape else "a scalar" for shape in shapes)
        raise ValueError(f"{name}: returned shape {jnp.shape(value)}, expected {' or '.join(words)}")
    if not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        raise TypeError(f"{name}: returned dtype {jnp.result_type(value)}, expected a real floating dtype")
    return value
