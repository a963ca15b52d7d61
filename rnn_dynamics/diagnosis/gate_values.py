"""How far the gates of a net are open on its sequences, and the gradient that passes through the memory's gate alone.

Gates are known where the parameters are those of one of our gated cells, or a stack of such, and the step is one of
theirs: it is compared with each cell that has such parameters, which also tells the two conventions of an update gate.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..cells import (
    GRUParams,
    LSTMParams,
    OneGateParams,
    ProjectedLSTMParams,
    gates,
    janet,
    lstm,
    make_gru,
    mgu,
    projected_lstm,
)
from ..cells.contract import Cell, State
from .evidence import OPEN, SHUT, GateStatistics
from .parts import is_stack
from .problem import Problem
from .trajectory import Trajectory

KEEPS, REPLACES = "keep, not write", "replace"
OF_LSTM = {"input": "write", "forget": "keep", "output": "read"}
# the cells that have these parameters, each with what its gates do when they are open
KNOWN: dict[type, list[tuple[Cell, dict[str, str]]]] = {
    LSTMParams: [(lstm, OF_LSTM)],
    ProjectedLSTMParams: [(projected_lstm, OF_LSTM)],
    GRUParams: [
        (make_gru(update, reset), {"update": KEEPS if update == "keep" else REPLACES, "reset": "show"})
        for update in ("keep", "replace")
        for reset in ("before", "after")
    ],
    OneGateParams: [(mgu, {"forget": REPLACES}), (janet, {"forget": KEEPS})],
}
STEPS_COMPARED = 8


class Layer:
    """One gated layer on its trajectory, with arrays of leading axes (sequences, T)."""

    def __init__(self, params: Any, before: State, after: State, xs: Any) -> None:
        self.params, self.before, self.after, self.xs = params, before, after, xs

    def roles(self) -> dict[str, str] | None:
        """Return what each gate does when open, or None if no known cell maps `before` to `after`."""
        last = [jax.tree.map(lambda leaf: jnp.asarray(leaf[0, -STEPS_COMPARED:]), tree) for tree in self[:3]]
        for cell, roles in KNOWN[type(self.params)]:
            try:
                after = jax.vmap(lambda h, x, cell=cell: cell.step(self.params, h, x))(last[0], last[2])
                close = jax.tree.map(
                    lambda ours, theirs: np.allclose(ours, theirs, rtol=1e-3, atol=1e-4), after, last[1]
                )
            except (TypeError, ValueError):
                continue
            if all(jax.tree.leaves(close)):
                return roles
        return None

    def __getitem__(self, which: slice) -> tuple[Any, ...]:
        return (self.before, self.after, self.xs)[which]

    def values(self) -> dict[str, NDArray]:
        """Return the values of each gate, (sequences, T, hidden)."""
        found = _gate_values(self.params, output_of(self.before), self.xs)
        return {name: np.asarray(value) for name, value in found.items()}


@jax.jit
def _gate_values(params: Any, shown: Any, xs: Any) -> dict[str, Any]:
    return jax.vmap(jax.vmap(lambda h, x: gates(params, h, x)))(shown, xs)


def output_of(state: State) -> Any:
    """Return what a layer shows to the one above and to its own gates."""
    return state.h if hasattr(state, "h") else state


def layers(problem: Problem, path: Trajectory) -> dict[str, Layer]:
    """Return the gated layers of the net by the prefix of their gates' names: "" for a single one, "layer 2 "."""
    params, before, after = problem.params, path.before, path.after
    if not is_stack(params):
        params, before, after = (params,), (before,), (after,)
    elif not (is_stack(before) and len(before) == len(params)):
        return {}
    found, xs = {}, jax.tree.map(np.asarray, problem.xs)
    if not isinstance(xs, np.ndarray):
        return {}
    for number, one in enumerate(params):
        if type(one) in KNOWN:
            given = None if number == 0 and xs.shape[-1] == 0 and one[0].U.shape[1] else xs
            found[f"layer {number + 1} " if len(params) > 1 else ""] = Layer(one, before[number], after[number], given)
        xs = output_of(after[number])
    return found


def gate_statistics(found: dict[str, Layer]) -> tuple[dict[str, GateStatistics], dict[str, NDArray]]:
    """Return the statistics of each gate, and ln of the product of the memory's gates over the lag, (B, T + 1).

    The product of diagonal matrices has the largest of its entries as its 2-norm.
    """
    statistics, paths = {}, {}
    for prefix, layer in found.items():
        roles = layer.roles()
        if roles is None:
            continue
        for name, value in layer.values().items():
            role = roles.get(name, "")
            statistics[prefix + name] = of_values(value, role)
            if role in ("keep", KEEPS, REPLACES):
                with np.errstate(divide="ignore"):
                    kept = np.log(1 - value.astype(np.float64) if role == REPLACES else value.astype(np.float64))
                paths[f"{prefix}{name} gates"] = largest_product(kept)
    return statistics, paths


def of_values(values: NDArray, role: str = "") -> GateStatistics:
    """Return the statistics of a gate's values, (sequences, T, hidden)."""
    return GateStatistics(
        mean=float(values.mean(dtype=np.float64)),
        shut=float(np.mean(values < SHUT)),
        open=float(np.mean(values > OPEN)),
        over_time=values.mean(axis=(0, 2), dtype=np.float64),
        role=role,
    )


def largest_product(logs: NDArray) -> NDArray:
    """Return max over units of Σ logs over the last ℓ steps, (B, lags + 1), from logarithms (B, T, units)."""
    sums = np.cumsum(logs[:, ::-1], axis=1).max(axis=2)
    return np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)
