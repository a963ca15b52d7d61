"""The compiled programs of measurements, looked up by what the given functions compute and by shapes.

JAX keeps every program that it has compiled for as long as the process lives. Each holds dozens to hundreds of memory
maps, and Linux allows a process 65 530 of them. So the programs used last are kept here, and the oldest are dropped.

`entry.compiled` calls `program` at each call of a measurement. The functions in the key are `captured_arrays.Traced`,
which are equal where their computations are. The settings for the compiler are here too.
"""

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from .captured_arrays import Opaque, Traced

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# A program of `gradient_flow` holds some 200 memory maps.
MOST_PROGRAMS = 128
# leave out LLVM passes that take long and gain nothing in these programs: compiling takes up to a fifth less
QUICKER: dict[str, Any] = {"xla_llvm_disable_expensive_passes": True}
# for measurements that spend their time in products and decompositions, which call libraries: plainer kernels for the
# rest compile in a third to a half less time. Only JAX 0.9 has this option
PLAIN = QUICKER | {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
if jax.__version_info__ >= (0, 10):
    PLAIN = QUICKER
# on GPUs: trying out kernels for each product takes most of a first call. Measured on an H100: exponents of 16 nets of
# 256 units take 2.3 s instead of 13.4 s at first and 4 % longer after that
UNTUNED: dict[str, Any] = {"xla_gpu_autotune_level": 0}
_programs: OrderedDict[Any, Callable[..., Any]] = OrderedDict()


def float32_products() -> contextlib.AbstractContextManager[Any]:
    """Return the context to trace and compile in: full float32 products, unless the user chose another precision."""
    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return contextlib.nullcontext() if chosen else jax.default_matmul_precision("highest")


def with_float32_products(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Run a function in the context of `float32_products`, for those that `entry.compiled` does not compile."""

    @functools.wraps(function)
    def run(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with float32_products():
            return function(*args, **options)

    return run


def is_traced(*trees: Any) -> bool:
    """Return whether any of these arrays is part of a program that is being traced."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def inside_transformation(*trees: Any) -> bool:
    """Return whether a result computed from these is part of a program that a user compiles, differentiates or maps."""
    return is_traced(trees, jnp.zeros(()))  # a constant is traced as well inside a user's jit


def program(
    measurement: Callable[..., Any], args: Any, options: dict[str, Any], compiler: dict[str, Any] = QUICKER
) -> Callable[..., Any]:
    """Return the jitted measurement with these options, for arguments of this structure and these shapes."""
    functions = (arg for arg in args if isinstance(arg, Traced))
    leaves, tree = jax.tree.flatten(args)
    outside = not inside_transformation(leaves)
    if any(isinstance(function.computation, Opaque) for function in functions):
        return _jitted(measurement, options, None)  # an Opaque is new each time: its program would never be found again
    key = measurement, outside, tree, tuple(map(jax.typeof, leaves)), tuple(options.items())
    return _kept(key, lambda: _jitted(measurement, options, compiler if outside else None))


def ahead(
    measurement: Callable[..., Any], args: Any, options: dict[str, Any], compiler: dict[str, Any]
) -> Callable[..., Any]:
    """Return the compiled measurement for such arguments on JAX's only device, to be called from any thread.

    A jitted function would be compiled again in a thread, whose settings are its own.
    """
    leaves, tree = jax.tree.flatten(args)
    key = measurement, "ahead", tree, tuple(map(jax.typeof, leaves)), tuple(options.items())
    return _kept(key, lambda: _jitted(measurement, options, compiler).lower(*args).compile())


def _kept(key: Any, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """Return the program with this key, made if it is not kept, and drop the oldest ones."""
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = make()
        while len(_programs) > MOST_PROGRAMS:
            _, oldest = _programs.popitem(last=False)
            if hasattr(oldest, "clear_cache"):
                oldest.clear_cache()
    _programs.move_to_end(key)
    return found


def _jitted(measurement: Callable[..., Any], options: dict[str, Any], compiler: dict[str, Any] | None) -> Any:
    """Jit the measurement; with options for the compiler if it is not part of a program that the user compiles."""
    function = functools.partial(measurement, **options)
    chosen = {"cpu": compiler, "gpu": UNTUNED}.get(jax.default_backend())
    if compiler is None or chosen is None:
        return jax.jit(function)
    return jax.jit(function, compiler_options=chosen)
