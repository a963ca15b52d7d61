"""The contract of a recurrent cell, written once.

A *step* is a pure function `step(params, state, x) -> state` over any pytrees, and is all that a measurement asks for.
A *Cell* adds how parameters are drawn, where the state starts, and what it shows to the layer above. Every function
is unbatched (callers `jax.vmap`) and pure: jit, grad, jvp, vmap and scan apply to all of them.

`x` is one input vector, or None for an undriven step, which leaves the term U x out.
"""

import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Params = Any
State = Any
Input = Any
Step = Callable[[Params, State, Input], State]
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


def state_itself(state: State) -> State:
    """What most cells show to the layer above: all of their state."""
    return state


def params_themselves(params: Params) -> Params:
    """What most cells need prepared before a long unroll: nothing."""
    return params


class Cell(NamedTuple):
    """A recurrent map as pure functions.

    init           `init(key, *, inputs, hidden, gain=1.0, ...) -> params`; `gain` scales the recurrent matrices
    initial_state  `initial_state(params) -> state`, all zeros, nothing drawn
    step           `step(params, state, x) -> state`
    output         `output(state) -> vector`, what a layer above or a readout is fed
    prepare        `prepare(params) -> params'`, what is the same in every step, computed once and differentiably;
                   `step` and `initial_state` take params and params' alike
    """

    init: Callable[..., Params]
    initial_state: Callable[[Params], State]
    step: Step
    output: Callable[[State], Any] = state_itself
    prepare: Callable[[Params], Params] = params_themselves


def memoised(make: Callable[..., T]) -> Callable[..., T]:
    """A maker that returns the very same object for equal arguments, however they are spelt.

    Compiled code is found again by the identity of a step, so a maker that built a new one each time would compile
    each measurement each time.
    """
    signature = inspect.signature(make)
    remembered = functools.cache(lambda args, kwargs: make(*args, **dict(kwargs)))

    @functools.wraps(make)
    def maker(*args: Any, **kwargs: Any) -> T:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if isinstance(value, bool):  # it would be remembered as the number 0 or 1
                raise TypeError(f"{name}: got {value!r}, which {make.__name__} does not take")
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"{name}: got {value!r}, which cannot be hashed; {make.__name__} takes Python numbers, names and "
                    "functions, because what it returns is remembered by them"
                ) from None
        return remembered(bound.args, tuple(sorted(bound.kwargs.items())))

    return maker


_PURE: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def pure(function: Function) -> Function:
    """`function`, declared to read nothing but its arguments: no global, closure or attribute with arrays in it.

    Measurements trace any other function at each call, to see the arrays that it captures as they are then.
    """
    _PURE.add(function)
    return function


def reads_only_arguments(function: Callable[..., Any]) -> bool:
    """Whether the function was declared `pure`."""
    try:
        return function in _PURE
    except TypeError:  # no weak reference to it, or no hash
        return False
