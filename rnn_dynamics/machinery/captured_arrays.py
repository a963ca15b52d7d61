"""Turn a function into a pytree: the captured arrays are its leaves, the computation is its structure.

A step may read arrays that are not its arguments: a global, a variable of a closure, an attribute of the object whose
method it is. `jax.jit` looks up a compiled program by the function itself and would keep the values that those arrays
had the first time. Instead, the function is traced when a measurement is called, with the arrays that it sees now:

    step = traced(step, params, h0, x)      # leaves: the captured arrays; structure: the computation
    jax.jit(measure)(step, params, h0, xs)  # compiled once for each computation, whatever the arrays hold

Two functions with the same computation, such as a new lambda in each iteration of a loop, have equal structures and
share one program. A call costs one trace of the function. A function marked with `cells.contract.pure` reads only its
arguments and is traced once for each shape.

Two kinds of functions equal no other, not even themselves at the next call, so their programs are neither shared nor
kept (`Opaque`): those called inside `shard_map`, where the axes that an array varies over are part of a trace, and
those with a custom derivative that captures a traced array.

Next: `computation_name.py` decides when two computations are equal, `compiled_programs.py` keeps their programs.
"""

import weakref
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import AxisType

from ..cells.contract import reads_only_arguments
from . import computation_name as name_of


class Computation:
    """What a traced function computes from captured arrays and arguments. Two with the same name are equal."""

    def __init__(self, program: ClosedJaxpr, out: Any, name: Any) -> None:
        self._program, self._name, self._hash = program.jaxpr, name, hash(name)
        self.out = out  # the tree that it returns, as shapes and dtypes

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Computation) and self._name == other._name)

    def __call__(self, captured: tuple[Any, ...], *args: Any) -> Any:
        """Compute what the traced function returns for these captured arrays and arguments."""
        found = jaxpr_as_fun(ClosedJaxpr(self._program, list(captured)))(*jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(self.out), found)


class Opaque:
    """A function that never equals another, not even itself at the next call: its program is not kept.

    Its captured arrays stay inside it.
    """

    def __init__(self, function: Callable[..., Any], out: Any) -> None:
        self.function, self.out = function, out

    def __call__(self, captured: tuple[Any, ...], *args: Any) -> Any:
        """Call the function, which holds its captured arrays itself."""
        return self.function(*args)


@jax.tree_util.register_pytree_node_class
class Traced:
    """A function traced for arguments of certain shapes, to be called with arguments of these shapes only."""

    def __init__(self, computation: Computation | Opaque, captured: tuple[Any, ...]) -> None:
        self.computation, self.captured = computation, captured

    def __call__(self, *args: Any) -> Any:
        """Compute what the function returns for these arguments."""
        return self.computation(self.captured, *args)

    @property
    def out(self) -> Any:
        """Return the tree that the function returns, as shapes and dtypes."""
        return self.computation.out

    def tree_flatten(self) -> tuple[tuple[Any, ...], Computation | Opaque]:
        """Return the leaves and the structure, for JAX."""
        return self.captured, self.computation

    @classmethod
    def tree_unflatten(cls, computation: Computation | Opaque, captured: tuple[Any, ...]) -> "Traced":
        """Build a Traced from its structure and its leaves, for JAX."""
        return cls(computation, tuple(captured))


def traced(function: Callable[..., Any], *args: Any) -> Traced:
    """Trace `function` with the arrays that it captures now, for arguments of these shapes.

    The arguments may be arrays, tracers or `jax.ShapeDtypeStruct`.
    """
    if isinstance(function, Traced):
        return function
    if not reads_only_arguments(function):
        return _trace(function, args)
    known = _KNOWN.setdefault(function, {})
    at = jax.tree.structure(args), tuple(map(jax.typeof, jax.tree.leaves(args))), (_inside_shard_map(), *_settings())
    if at not in known:
        known[at] = _trace(function, args)
    return known[at]


# traces of the functions that read only their arguments, by shapes and settings
_KNOWN: weakref.WeakKeyDictionary[Callable[..., Any], dict[Any, Traced]] = weakref.WeakKeyDictionary()


def _settings() -> tuple[Any, ...]:
    """Return the settings of JAX that a trace depends on."""
    names = ("enable_x64", "default_matmul_precision", "numpy_dtype_promotion", "numpy_rank_promotion")
    return tuple(getattr(jax.config, f"jax_{name}") for name in names)


def _inside_shard_map() -> bool:
    return AxisType.Manual in (jax.sharding.get_abstract_mesh().axis_types or ())


def _trace(function: Callable[..., Any], args: tuple[Any, ...]) -> Traced:
    def anew(*args: Any) -> Any:
        """Call `function`. JAX remembers traces by the function object, so each new trace needs a new object."""
        return function(*args)

    program, out = jax.make_jaxpr(anew, return_shape=True)(*args)
    program = name_of.with_constants_on_top(program)
    captured = tuple(program.consts)
    if not _inside_shard_map():
        name = name_of.name(program)
        if name is not None:
            structures = jax.tree.structure(args), jax.tree.structure(out)
            return Traced(Computation(program, out, (name, *structures)), captured)
    return Traced(Opaque(function, out), ())
