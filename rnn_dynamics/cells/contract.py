"""The contract of a recurrent cell: the NamedTuple `Cell` and the signatures of its functions.

A *step* is a pure function `step(params, state, x) -> state` over any pytrees, and is all that a measurement needs. A
*Cell* adds how to draw parameters, which state to start from, and what the layer above receives. Every function is
unbatched (callers use `jax.vmap`) and pure: jit, grad, jvp, vmap and scan apply to all of them.

`x` is one input vector, or None for an undriven step, which leaves out the term U x.
"""

import functools
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Params = Any
State = Any
Input = Any
# the recurrent map, `step(params, state, x) -> state`
Step = Callable[[Params, State, Input], State]
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


def state_itself(state: State) -> State:
    """Return the whole state, the output of most cells."""
    return state


def params_themselves(params: Params) -> Params:
    """Return the parameters unchanged, the `prepare` of most cells."""
    return params


class Cell(NamedTuple):
    """A recurrent map and what is needed to use it, as pure functions of one unbatched state and input.

    To write a cell, pass `init`, `initial_state` and `step`; `output` and `prepare` have defaults. Measurements take
    the cell's `step` alone, or any other function with the same signature.

    Attributes:
        init: `init(key, *, inputs, hidden, gain=1.0, ...) -> params`. Draws the parameters; `gain` scales the recurrent
            matrices.
        initial_state: `initial_state(params) -> state`. All zeros; nothing is drawn.
        step: `step(params, state, x) -> state`. The map; `x` is an input vector or None for no input.
        output: `output(state) -> vector`. What a layer above or a readout receives. Default: the state itself.
        prepare: `prepare(params) -> params'`. Computes once, and differentiably, what is the same in every step. `step`
            and `initial_state` take both params and params'. Default: the parameters unchanged.

    Example:
        >>> cell = rd.cells.lstm
        >>> params = cell.init(key, inputs=2, hidden=3)
        >>> state = cell.step(params, cell.initial_state(params), jnp.ones(2))
        >>> cell.output(state).shape
        (3,)
    """

    init: Callable[..., Params]
    initial_state: Callable[[Params], State]
    step: Step
    output: Callable[[State], Any] = state_itself
    prepare: Callable[[Params], Params] = params_themselves


class _Docstring:
    """The docstring of a cell of this package is that of its file, so that `help(rd.cells.lstm)` shows its equation."""

    def __init__(self, of_class: str | None) -> None:
        self.of_class = of_class

    def __get__(self, cell: Cell | None, kind: type | None = None) -> str | None:
        name = getattr(getattr(cell, "init", None), "__module__", "")
        return sys.modules[name].__doc__ if name.startswith(f"{__package__}.") else self.of_class


Cell.__doc__ = _Docstring(Cell.__doc__)  # type: ignore[assignment]


def memoised(make: Callable[..., T]) -> Callable[..., T]:
    """Return `make` with a memory: equal arguments, positional or by keyword, give the very same object.

    Equal cells are then one object: a step that was declared `pure` stays so, and your own `jax.jit(cell.step)` is
    compiled once. Measurements would find their program anyway, since they compare computations (`captured_arrays.py`).
    """
    signature = inspect.signature(make)
    remembered = functools.cache(lambda args, kwargs: make(*args, **dict(kwargs)))

    @functools.wraps(make)
    def maker(*args: Any, **kwargs: Any) -> T:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if isinstance(value, bool):  # the cache would take it for the number 0 or 1
                raise TypeError(f"{name}: got {value!r}, which {make.__name__} does not take")
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"{name}: got {value!r}, which cannot be hashed; {make.__name__} takes Python numbers, names and "
                    "functions, because it caches its results by their value"
                ) from None
        made = remembered(bound.args, tuple(sorted(bound.kwargs.items())))
        if isinstance(made, Cell):
            _MADE.setdefault(made, (make.__name__, dict(bound.arguments)))
        return made

    return maker


_MADE: dict[Cell, tuple[str, dict[str, Any]]] = {}


def made_by(cell: Cell) -> tuple[str, dict[str, Any]]:
    """Return the name of the function that made the cell, such as "make_gru", and its arguments; ("", {}) for none."""
    return _MADE.get(cell, ("", {}))


_PURE: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def pure(function: Function) -> Function:
    """Declare that a function reads nothing but its arguments: no global, closure or attribute that contains arrays.

    Measurements trace any other function at each call, so that they use the current values of the arrays that it
    captures. The steps of `CELLS` are declared pure. Nothing checks the declaration: if a pure function does capture an
    array that changes later, a measurement may go on using the old values.

    Args:
        function: The function, usually a step. Works as a decorator.

    Returns:
        The same function.

    Example:
        >>> @rd.cells.pure
        ... def step(p, h, x):
        ...     return jnp.tanh(p * h)
        >>> round(float(rd.largest_exponent(step, jnp.array(0.5), jnp.zeros(1), None, key=key, length=10).exponent), 3)
        -0.693
    """
    _PURE.add(function)
    return function


def reads_only_arguments(function: Callable[..., Any]) -> bool:
    """Return whether the function was declared `pure`."""
    try:
        return function in _PURE
    except TypeError:  # the function allows no weak reference, or has no hash
        return False
