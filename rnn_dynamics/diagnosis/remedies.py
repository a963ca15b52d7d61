"""Changes that are known to help: each is made on a copy of the net, and the copy is measured.

`REMEDIES` lists them. A remedy looks at the parameters, and returns the changed copy, or None where it does not apply:
parameters that are not of one of our cells are not touched, except by flossing, which needs no knowledge of them.

When a remedy helps
    The gradient at the horizon comes closer to its full size, e^0: by at least half a nat and a tenth of the distance.
    No problem is new: no more directions grow more than e-fold over the horizon, unless it ends within e^±1 as a whole,
    and the saturated share rises by at most a tenth.
The rules of clipping and truncation, which leave the net as it is, are in `training_remedies.py`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..measure.gradients import Loss
from .batch import leading_axes
from .clipping import Clipping
from .evidence import Evidence, median_log_norm
from .flossed import flossed
from .gain_search import secant_gain
from .gate_bias import gate_bias, gated_layers, time_constants, with_gate_bias
from .in_words import as_power, percent, sized
from .recurrent_weights import (
    can_be_scaled,
    recurrent_matrices,
    scaled,
    vanilla_layers,
    with_gated_cells,
    with_orthogonal,
)
from .result import Finding, Remedy
from .training_remedies import clipped, truncated
from .truncation import Truncation
from .vital_signs import vital_signs

CLOSER, MORE_SATURATED, FULL = 0.5, 0.1, 1.0
FADES = math.log(0.01)


class Problem(NamedTuple):
    """What a remedy is given: the net, its inputs (sequences, T), the horizon, its vital signs, and perhaps a key."""

    step: Step
    params: Params
    h0: State
    xs: Input
    horizon: int
    before: dict[str, float]
    key: Array | None


class Change(NamedTuple):
    """A changed copy of a net, and the change in words."""

    words: str
    step: Step
    params: Params


class Entry(NamedTuple):
    """A line of the table of remedies: its name, what makes the change, and what it costs, in words."""

    name: str
    change: Callable[[Problem], Change | None]
    costs: str


def gate_biases(problem: Problem, *, chrono: bool) -> Change | None:
    """Open the gates that keep the state for the horizon: one bias ln(horizon - 1), or chrono initialisation."""
    step, params, h0, xs, horizon, *_ = problem
    layers = gated_layers(step, params, h0, xs) if horizon > 2 else []
    if not layers:
        return None
    new, old = params, gate_bias(params, layers[0].place)
    for place, _, sign in layers:

        def fill(shape: tuple[int, ...], _: Any, dtype: Any, sign: int = sign) -> Any:
            return sign * (time_constants(shape, horizon, dtype) if chrono else np.full(shape, math.log(horizon - 1)))

        new = with_gate_bias(new, place, fill, None, inputs=chrono)
    was = sized(float(old.mean())) if np.ptp(old) < 1e-6 else f"of mean {sized(float(old.mean()))}"
    minus = "-" if layers[0].sign < 0 else ""
    now = f"{minus}chrono({horizon})" if chrono else sized(layers[0].sign * math.log(horizon - 1))
    return Change(f"{layers[0].gate} bias {was} → {now}", step, new)


def critical_gain(problem: Problem) -> Change | None:
    """Scale the recurrent weights so that the gradient at the horizon has its full size."""
    step, params, h0, xs, horizon, before, _ = problem
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
    step, params, h0, xs, horizon, _, key = problem
    if key is None or np.ndim(xs) != 3:
        return None
    new = flossed(step, params, h0, xs, horizon=horizon, key=key)
    return Change("parameters → flossed ones", step, new)


def gated_cell(problem: Problem) -> Change | None:
    """Make the vanilla net the candidate of a GRU whose update gates hold for up to the horizon."""
    _, params, h0, _, horizon, _, key = problem
    layers = vanilla_layers(params, h0)
    if layers is None or key is None or horizon <= 2:
        return None
    step, new = with_gated_cells(layers, type(params) is not tuple, horizon, key)
    return Change(f"vanilla net → GRU with update bias chrono({horizon})", step, new)


AGAIN = "What a trained net has learnt is lost: train again."
REMEDIES: tuple[Entry, ...] = (
    Entry(
        "gate bias",
        lambda problem: gate_biases(problem, chrono=False),
        f"All units then forget equally slowly, and the state may grow. {AGAIN}",
    ),
    Entry(
        "chrono",
        lambda problem: gate_biases(problem, chrono=True),
        f"The slow units take in little of each input. {AGAIN}",
    ),
    Entry("critical gain", critical_gain, f"A gain holds for these inputs only and drifts in training. {AGAIN}"),
    Entry("orthogonal", orthogonal, f"Saturation still shrinks gradients. {AGAIN}"),
    Entry("flossing", floss, "It takes some updates before training, and a trained net must go on training."),
    Entry("gated cell", gated_cell, f"Three times the weights and the time. {AGAIN}"),
)


def tried(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    horizon: int | None = None,
    loss: Loss | None = None,
    targets: Any = None,
    evidence: Evidence | None = None,
    findings: tuple[Finding, ...] = (),
    clipping: Clipping | None = None,
    truncation: Truncation | None = None,
    key: Array | None = None,
    only: tuple[str, ...] | None = None,
) -> tuple[Remedy, ...]:
    """Make each change that applies on a copy of the net, and measure the copy.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, a pytree with leading axes (sequences, T).
        horizon: How many steps back the task needs a gradient to reach. Default: four times the lag at which the
            gradient falls to 1 % in `evidence`; where it does not fall so far, or without evidence, T - 1.
        loss: The loss of one sequence: `loss(states)`, or `loss(states, target)` where there are targets. Clipping and
            truncation need it, or their results below.
        targets: A pytree with leading axis (sequences,). Default: none.
        evidence: What was measured of the net. Default: nothing.
        findings: What is wrong with it. Default: nothing.
        clipping: The result of `clipping`. Default: measured, where there is a loss.
        truncation: The result of `truncation`. Default: measured, where there is a loss.
        key: A JAX random key, for flossing and for the weights of new gates. Default: none, and those are left out.
        only: The names of the remedies to try. Default: all.

    Returns:
        The remedies, those that help first, each group by the gradient that they reach.

    Cost:
        About eight runs of `vital_signs`, which compile once; one more program each for flossing and a gated cell.
    """
    _, T = leading_axes(xs)
    reach = default_horizon(evidence, T) if horizon is None else min(argument.size("horizon", horizon, 1), T)
    names = {*(entry.name for entry in REMEDIES), "clipping", "truncation"} if only is None else set(only)
    before = vital_signs(step, params, h0, xs, horizon=reach)
    problem = Problem(step, params, h0, xs, reach, before, key)
    found = [measured(problem, entry) for entry in REMEDIES if entry.name in names]
    if "clipping" in names:
        found.append(clipped(problem, loss, targets, clipping))
    if "truncation" in names:
        found.append(truncated(problem, loss, targets, truncation))
    return tuple(sorted((remedy for remedy in found if remedy is not None), key=_rank))


def default_horizon(evidence: Evidence | None, T: int) -> int:
    """Return four times the lag at which the gradient has fallen to 1 %, at most T - 1."""
    most = max(1, T - 1)
    if evidence is None or evidence.log_norm is None or evidence.lag is None:
        return most
    below = np.flatnonzero(median_log_norm(evidence) <= FADES)
    return min(most, 4 * int(np.asarray(evidence.lag)[below[0]])) if len(below) else most


def measured(problem: Problem, entry: Entry) -> Remedy | None:
    """Make the change of a remedy on a copy and measure it; None if the remedy does not apply."""
    change = entry.change(problem)
    if change is None:
        return None
    before, horizon = problem.before, problem.horizon
    after = vital_signs(change.step, change.params, problem.h0, problem.xs, horizon=horizon)
    words = f"{change.words}: {compared(before, after, horizon)}. {entry.costs}"
    return Remedy(entry.name, change.words, words, before, after, helps(before, after), change.step, change.params)


def compared(before: dict[str, float], after: dict[str, float], horizon: int) -> str:
    """Return the vital signs before and after in words."""
    parts = [
        f"gradient at lag {horizon} from {as_power(before['log_gradient'])} to {as_power(after['log_gradient'])}",
        f"exploding directions {before['exploding']:g} → {after['exploding']:g}",
        f"saturated {percent(before['saturated'])} → {percent(after['saturated'])}",
        f"effect of an input {as_power(before['log_input'])} → {as_power(after['log_input'])}",
    ]
    return "; ".join(parts)


def helps(before: dict[str, float], after: dict[str, float]) -> bool:
    """Return whether the gradient came closer to its full size without a new problem."""
    distance, left = abs(before["log_gradient"]), abs(after["log_gradient"])
    if not math.isfinite(left):
        return False
    closer = math.isinf(distance) or distance - left >= max(CLOSER, 0.1 * distance)
    explodes = after["exploding"] > before["exploding"] and after["log_gradient"] > FULL
    saturates = after["saturated"] > before["saturated"] + MORE_SATURATED
    return closer and not explodes and not saturates


def _rank(remedy: Remedy) -> tuple[bool, float]:
    left = abs(remedy.after["log_gradient"])
    return not remedy.helps, left if math.isfinite(left) else math.inf
