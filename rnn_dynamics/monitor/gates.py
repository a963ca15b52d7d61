"""How far the gates of a cell, or of each layer of a stack, are open along the trajectories."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..cells import gates
from ..cells.contract import Input, Params, State
from ..diagnosis.evidence import GateStatistics

SHUT, OPEN = 0.05, 0.95


def gate_statistics(params: Params, h0: State, states: State, xs: Input) -> dict[str, GateStatistics] | None:
    """Return the statistics of each gate by its name, "forget" or "layer 1 forget"; None if no layer has gates.

    Args:
        params: The parameters of a cell of ours.
        h0: The state before the first input.
        states: The states h_1 .. h_T, with leading axes (B, T).
        xs: The inputs, (B, T, inputs).
    """
    found = _statistics(params, h0, states, xs)
    if not found:
        return None
    return {name: GateStatistics(*map(float, each[:3]), np.asarray(each[3])) for name, each in found.items()}


@jax.jit
def _statistics(params: Params, h0: State, states: State, xs: Input) -> dict[str, Any]:
    layers: Any = [(params, h0, states)]
    stacked = type(params) is tuple and type(h0) is tuple
    if stacked:
        layers = list(zip(params, h0, states, strict=True))
    found = {}
    for i, (p, before, after) in enumerate(layers):
        shown = _output(after)
        try:
            values = _along(lambda h, x, p=p: gates(p, h, x), _output(before), shown, xs)
        except TypeError:  # this layer has no gates
            values = {}
        prefix = f"layer {i + 1} " if stacked else ""
        found |= {prefix + name: _summary(value) for name, value in values.items()}
        xs = shown
    return found


def _along(function: Callable[..., Any], first: Any, shown: Any, xs: Input) -> Any:
    """Call the function with the output before each step and its input."""
    first = jnp.broadcast_to(first, (len(shown), 1, *first.shape))
    return jax.vmap(jax.vmap(function))(jnp.concatenate([first, shown[:, :-1]], axis=1), xs)


def _output(state: State) -> Any:
    return getattr(state, "h", state)


def _summary(values: Any) -> tuple[Any, ...]:
    shares = [jnp.mean(each, dtype=values.dtype) for each in (values < SHUT, values > OPEN)]
    return jnp.mean(values), *shares, jnp.mean(values, axis=(0, 2))
