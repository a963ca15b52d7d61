"""The states of a net on its sequences: where they stop being finite, which units are saturated and which are dead."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..cells import LSTMState, ProjectedLSTMState
from ..cells.contract import State
from ..measure import unroll
from .parts import first_not_finite, layered, part_names
from .problem import Problem

SATURATED = 0.95
UNCHANGED = 1e-6


class Trajectory(NamedTuple):
    """The states of all sequences.

    Attributes:
        before: The states h_0 .. h_{T-1} before each step, with leading axes (sequences, T).
        after: The states h_1 .. h_T after each step, likewise.
    """

    before: State
    after: State


def trajectory(problem: Problem) -> Trajectory:
    """Return the states before and after each step of each sequence."""

    def states(xs: Any) -> State:
        return unroll(problem.step, problem.params, problem.h0, xs)

    after = jax.tree.map(np.asarray, jax.vmap(states)(problem.xs))

    def shifted(first: Any, rest: NDArray) -> NDArray:
        start = np.broadcast_to(np.asarray(first, rest.dtype), (len(rest), 1, *np.shape(first)))
        return np.concatenate([start, rest[:, :-1]], axis=1)

    return Trajectory(jax.tree.map(shifted, problem.h0, after), after)


def non_finite_argument(problem: Problem) -> str:
    """Say which parameter, initial state or input is not finite first, in words; "" if none is."""
    for name, tree in {"parameter": problem.params, "initial state": problem.h0}.items():
        if (found := first_not_finite(tree)) is not None:
            path, count, at = found
            value = "value is" if count == 1 else "values are"
            where = f", the first at {at}" if at else ""
            return f"{count} {value} NaN or infinite in {name} {layered(path)}{where}".replace(f"{name} ,", f"{name},")
    found = first_not_finite(problem.xs)
    if found is None:
        return ""
    path, _, at = found
    name = f"input {path}" if path else "input"
    return f"{name} of sequence {at[0]} at step {at[1] + 1} of {problem.steps}"


def non_finite_state(states: State, problem: Problem) -> tuple[int, str] | None:
    """Return the first step at which a state is not finite, and where that is in words; None if all are finite."""
    first: tuple[int, int, str] | None = None
    paths = list(part_names(problem.h0))
    for name, leaf in zip(paths, jax.tree.leaves(states), strict=True):
        bad = ~np.isfinite(leaf).reshape(*leaf.shape[:2], -1).all(axis=2)
        if bad.any():
            t = int(np.argmax(bad.any(axis=0)))
            found = t + 1, int(np.argmax(bad[:, t])), name
            first = found if first is None or found < first else first
    if first is None:
        return None
    t, sequence, name = first
    part = "the state" if name == "state" else f"state {name}"
    return t, f"{part} at step {t} of {problem.steps}, in sequence {sequence}"


def saturated(states: State) -> dict[str, float]:
    """Return the share of values of each part of the state beyond 0.95 of its range, by name.

    A part that leaves [-1, 1] has no range. Of an LSTM's c, tanh(c) is what has one.
    """

    def of_lstm(part: Any) -> bool:
        return isinstance(part, LSTMState | ProjectedLSTMState)

    def with_a_range(part: Any) -> Any:
        return {"h": part.h, "c": np.tanh(part.c)} if of_lstm(part) else part

    bounded = jax.tree.map(with_a_range, states, is_leaf=of_lstm)
    leaves = {_name(path): np.abs(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(bounded)}
    return {name: float(np.mean(leaf > SATURATED)) for name, leaf in leaves.items() if leaf.max() <= 1}


def dead(states: State) -> dict[str, float]:
    """Return the share of units of each part of the state that never change, over steps and sequences, by name."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(states):
        values = leaf.reshape(-1, *leaf.shape[2:])
        spread = np.abs(values - values[:1]).max(axis=0)
        found[_name(path)] = float(np.mean(spread <= UNCHANGED * np.abs(values).max()))
    return found


def _name(path: Any) -> str:
    return layered(jax.tree_util.keystr(path, simple=True, separator=".")) or "state"


def as_jax(tree: Any) -> Any:
    """Return a tree of NumPy arrays as JAX arrays."""
    return jax.tree.map(jnp.asarray, tree)
