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

from .captured import Opaque, Traced

# A program of `gradient_flow` holds some 200 memory maps.
MOST_PROGRAMS = 128
_programs: OrderedDict[Any, Callable[..., Any]] = OrderedDict()


def float32_products() -> contextlib.AbstractContextManager[Any]:
    """The context to trace and compile in: full float32 products, unless the user chose otherwise."""
    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return contextlib.nullcontext() if chosen else jax.default_matmul_precision("highest")


def program(measurement: Callable[..., Any], args: Any, options: dict[str, Any]) -> Callable[..., Any]:
    """The jitted measurement with these options, for arguments of this structure and these shapes."""
    functions = (arg for arg in args if isinstance(arg, Traced))
    if any(isinstance(function.computation, Opaque) for function in functions):
        return jax.jit(functools.partial(measurement, **options))  # it could not be found again
    leaves, tree = jax.tree.flatten(args)
    key = measurement, tree, tuple(map(jax.typeof, leaves)), tuple(options.items())
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = jax.jit(functools.partial(measurement, **options))
        while len(_programs) > MOST_PROGRAMS:
            _, oldest = _programs.popitem(last=False)
            oldest.clear_cache()  # type: ignore[attr-defined]
    _programs.move_to_end(key)
    return found
