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

from .captured_arrays import Opaque, Traced

# A program of `gradient_flow` holds some 200 memory maps.
MOST_PROGRAMS = 128
# LLVM passes that take long and bring these programs nothing. Compiling takes up to a fifth less without them.
QUICKER: dict[str, Any] = {"xla_llvm_disable_expensive_passes": True}
# for measurements whose time goes into products and decompositions, which call libraries: with plainer kernels for the
# rest, compiling takes a third to a half less. JAX 0.9 alone has the choice
PLAIN = QUICKER | {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
if jax.__version_info__ >= (0, 10):
    PLAIN = QUICKER
_programs: OrderedDict[Any, Callable[..., Any]] = OrderedDict()


def float32_products() -> contextlib.AbstractContextManager[Any]:
    """The context to trace and compile in: full float32 products, unless the user chose otherwise."""
    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return contextlib.nullcontext() if chosen else jax.default_matmul_precision("highest")


def is_traced(*trees: Any) -> bool:
    """Whether these arrays, or some of them, are part of a program that is being traced."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def inside_transformation(*trees: Any) -> bool:
    """Whether what is computed from these is part of a program that a user compiles, differentiates or maps."""
    return is_traced(trees, jnp.zeros(()))  # a constant is traced as well inside a user's jit


def program(
    measurement: Callable[..., Any], args: Any, options: dict[str, Any], compiler: dict[str, Any] = QUICKER
) -> Callable[..., Any]:
    """The jitted measurement with these options, for arguments of this structure and these shapes."""
    functions = (arg for arg in args if isinstance(arg, Traced))
    leaves, tree = jax.tree.flatten(args)
    outside = not inside_transformation(leaves)
    if any(isinstance(function.computation, Opaque) for function in functions):
        return _jitted(measurement, options, None)  # it could not be found again
    key = measurement, outside, tree, tuple(map(jax.typeof, leaves)), tuple(options.items())
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = _jitted(measurement, options, compiler if outside else None)
        while len(_programs) > MOST_PROGRAMS:
            _, oldest = _programs.popitem(last=False)
            oldest.clear_cache()  # type: ignore[attr-defined]
    _programs.move_to_end(key)
    return found


def _jitted(
    measurement: Callable[..., Any], options: dict[str, Any], compiler: dict[str, Any] | None
) -> Callable[..., Any]:
    """With options of the compiler where it is a program of its own, and not a part of what the user compiles."""
    function = functools.partial(measurement, **options)
    if compiler is None or jax.default_backend() != "cpu":
        return jax.jit(function)
    return jax.jit(function, compiler_options=compiler)
