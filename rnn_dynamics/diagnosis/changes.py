"""The changes that remedies make: each looks at a net, and returns a changed copy, or None where it does not apply.

Parameters that are not of one of our cells are not touched, except by flossing, which needs no knowledge of them.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step
from .flossed import flossed
from .gain_search import secant_gain
from .gate_bias import gate_bias, gated_layers, time_constants, time_scales, with_gate_bias
from .recurrent_weights import (
    can_be_scaled,
    recurrent_matrices,
    scaled,
    vanilla_layers,
    with_gated_cells,
    with_orthogonal,
)
from .vital_signs import vital_signs


class Problem(NamedTuple):
    """What a remedy is given: the net, its inputs (sequences, T), and its vital signs.

    `horizon` is the lag that is measured, `needed` the one that the task asks for, which may be longer than the
    sequences. Without a `key` nothing is drawn.
    """

    step: Step
    params: Params
    h0: State
    xs: Input
    horizon: int
    needed: int
    before: dict[str, float]
    key: Array | None


class Change(NamedTuple):
    """A changed copy of a net, the change in words, and what was changed with it, in a sentence."""

    words: str
    step: Step
    params: Params
    also: str = ""


def all_time_scales(problem: Problem) -> Change | None:
    """Spread the time constants of the gates that keep a state evenly over all scales up to the horizon."""
    return _with_gate_biases(problem, time_scales, inputs=True, words=f"time_scales({problem.needed})")


def chrono(problem: Problem) -> Change | None:
    """Spread the biases of the gates that keep a state over time constants up to the horizon."""
    return _with_gate_biases(problem, time_constants, inputs=True, words=f"chrono({problem.needed})")


def equal_bias(problem: Problem) -> Change | None:
    """Set the bias of the gates that keep a state to ln(horizon - 1), which holds it for that long."""

    def fill(shape: tuple[int, ...], longest: float, dtype: Any) -> Any:
        return np.full(shape, math.log(longest - 1))

    return _with_gate_biases(problem, fill, inputs=False, words=f"{math.log(max(problem.needed - 1, 1)):.2g}")


def _with_gate_biases(problem: Problem, fill: Any, *, inputs: bool, words: str) -> Change | None:
    step, params, needed = problem.step, problem.params, problem.needed
    layers = gated_layers(step, params, problem.h0, problem.xs) if needed > 2 else []
    if not layers:
        return None
    old, first = gate_bias(params, layers[0].place), layers[0]
    for layer in layers:
        params = with_gate_bias(params, layer.place, fill, needed, sign=layer.sign, inputs=inputs)
    was = f"{old.mean():.2g}" if np.ptp(old) < 1e-6 else f"of mean {old.mean():.2g}"
    gates = " and ".join(dict.fromkeys(layer.gate for layer in layers))
    also = "The input bias becomes its negative. " if inputs and any(layer.writes for layer in layers) else ""
    return Change(f"{gates} bias {was} → {'-' if first.sign < 0 else ''}{words}", step, params, also)


def critical_gain(problem: Problem) -> Change | None:
    """Scale the recurrent weights so that the gradient at the horizon has its full size."""
    step, params, h0, xs, horizon, _, before, _ = problem
    if not can_be_scaled(params):
        return None

    def log_gradient(factor: float) -> float:
        return vital_signs(step, scaled(params, factor), h0, xs, horizon=horizon)["log_gradient"]

    factor = secant_gain(log_gradient, before["log_gradient"], horizon)
    return Change(f"gain 1 → {factor:.2f}", step, scaled(params, factor)) if abs(factor - 1) > 0.005 else None


def orthogonal(problem: Problem) -> Change | None:
    """Replace each recurrent matrix by the orthogonal one nearest to it."""
    matrices = recurrent_matrices(problem.params)
    if all(np.abs(W @ W.T - np.eye(len(W))).max() < 1e-3 for W in matrices):
        return None
    return Change("recurrent matrices → the nearest orthogonal ones", problem.step, with_orthogonal(problem.params))


def floss(problem: Problem) -> Change | None:
    """Bring the largest Lyapunov exponents to 0 by gradient descent, before any training."""
    step, params, h0, xs, horizon, _, _, key = problem
    inputs = np.ndim(xs) == 3 and np.size(xs) and jnp.issubdtype(jnp.result_type(xs), jnp.floating)
    differentiable = all(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in jax.tree.leaves(params))
    if key is None or not inputs or not differentiable or not jax.tree.leaves(params):
        return None
    new = flossed(step, params, h0, xs, horizon=horizon, key=key)
    return Change("parameters → flossed ones", step, new)


def gated_cell(problem: Problem) -> Change | None:
    """Make the vanilla net the candidate of a GRU whose update gates hold for up to the horizon."""
    params, needed = problem.params, problem.needed
    layers = vanilla_layers(params, problem.h0)
    if layers is None or needed <= 2:
        return None
    step, new = with_gated_cells(layers, type(params) is not tuple, needed, problem.key)
    return Change(f"vanilla net → GRU with update bias chrono({needed})", step, new)
