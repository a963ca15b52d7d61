"""Compiled measurements, found again by the computation of the functions they are given and by shapes.

JAX keeps every program it has compiled for as long as the process lives, and each holds dozens to hundreds of memory
maps, of which Linux allows a process 65 530. So the programs used last are kept here and the oldest forgotten.
"""

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .captured import Opaque, Traced

# A program of `gradient_flow` holds some 200 memory maps.
MOST_PROGRAMS = 128
# LLVM passes that take long and bring these programs nothing: their time goes into products and decompositions, which
# call libraries. Compiling takes up to a fifth less without them.
QUICKER = {"xla_llvm_disable_expensive_passes": True}
_programs: OrderedDict[Any, Callable[..., Any]] = OrderedDict()


def float32_products() -> contextlib.AbstractContextManager[Any]:
    """The context to trace and compile in: full float32 products, unless the user chose otherwise."""
    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return contextlib.nullcontext() if chosen else jax.default_matmul_precision("highest")


def program(measurement: Callable[..., Any], args: Any, options: dict[str, Any]) -> Callable[..., Any]:
    """The jitted measurement with these options, for arguments of this structure and these shapes."""
    functions = (arg for arg in args if isinstance(arg, Traced))
    leaves, tree = jax.tree.flatten(args)
    # a constant is traced as well inside a user's jit
    outside = not any(isinstance(leaf, jax.core.Tracer) for leaf in (*leaves, jnp.zeros(())))
    if any(isinstance(function.computation, Opaque) for function in functions):
        return _jitted(measurement, options, False)  # it could not be found again
    key = measurement, outside, tree, tuple(map(jax.typeof, leaves)), tuple(options.items())
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = _jitted(measurement, options, outside)
        while len(_programs) > MOST_PROGRAMS:
            _, oldest = _programs.popitem(last=False)
            oldest.clear_cache()  # type: ignore[attr-defined]
    _programs.move_to_end(key)
    return found


def _jitted(measurement: Callable[..., Any], options: dict[str, Any], outside: bool) -> Callable[..., Any]:
    """`outside` of transformations a program of its own; within one it becomes part of what the user compiles."""
    function = functools.partial(measurement, **options)
    if not outside or jax.default_backend() != "cpu":
        return jax.jit(function)
    return jax.jit(function, compiler_options=QUICKER)
