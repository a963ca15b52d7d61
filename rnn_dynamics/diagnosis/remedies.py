"""Changes that are known to help: each is made on a copy of the net, and the copy is measured.

`REMEDIES` lists them; `changes.py` makes them.

When a remedy helps
    The gradient at the horizon comes closer to its full size, e^0: by at least half a nat, and by half of what is
    missing. No problem is new: no more directions than before grow more than e-fold over the horizon, and of all values
    of the state at most a tenth more are saturated.
Those that bring it within a factor of ten count as equally good and keep the order of the table. Time scales come
first because chrono initialisation leaves few fast units (one of 32 for a horizon of 200): nets that start from it
learn what was shown long before they learn its order (`experiments/rescue.py`). A critical gain carries the gradient
along one direction, from which no LSTM learnt there.
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
from .changes import Change, Problem, all_time_scales, chrono, critical_gain, equal_bias, floss, gated_cell, orthogonal
from .clipping import Clipping
from .evidence import Evidence, median_log_norm
from .result import Finding, Remedy
from .training_remedies import clipped, truncated
from .truncation import Truncation
from .vital_signs import COLUMNS, vital_signs
from .words import as_power, share

CLOSER, MORE_SATURATED, FULL = 0.5, 0.1, math.log(10)
FADES = math.log(0.01)


class Entry(NamedTuple):
    """A line of the table of remedies: its name, what makes the change, and what it costs, in words."""

    name: str
    change: Callable[[Problem], Change | None]
    costs: str


AGAIN = "What a trained net has learnt is lost: train again."
REMEDIES: tuple[Entry, ...] = (
    Entry("time scales", all_time_scales, f"The slow units take in little of each input. {AGAIN}"),
    Entry("chrono", chrono, f"Nearly all units are slow and take in little of each input. {AGAIN}"),
    Entry("gate bias", equal_bias, f"All units forget equally slowly; an LSTM's c may grow. {AGAIN}"),
    Entry("gated cell", gated_cell, f"Three times the weights and the time. {AGAIN}"),
    Entry("orthogonal", orthogonal, f"Saturated units still shrink gradients. {AGAIN}"),
    Entry("critical gain", critical_gain, f"It fits these inputs and this horizon, and training moves it. {AGAIN}"),
    Entry("flossing", floss, "It takes some updates before training. What a trained net has learnt is disturbed."),
)
# each of these compiles another program; they wait until there is something to mend
EXPENSIVE = ("gated cell", "flossing")


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
        findings: What is wrong with it. Default: unknown. A gated cell and flossing are tried only if there is a
            finding, or if the vital signs are bad.
        clipping: The result of `clipping`. Default: measured, where there is a loss.
        truncation: The result of `truncation`. Default: measured, where there is a loss.
        key: A JAX random key for flossing, which is left out without one, and tried only if nothing else helps, and for
            the weights of the gates of a gated cell, which are 0 without one.
        only: The names of the remedies to try. Default: all.

    Returns:
        The remedies, those that help first, each group by the gradient that they reach.

    Cost:
        About eight runs of `vital_signs`, which compile once; one more program each for flossing and a gated cell.
    """
    _, T = leading_axes(xs)
    needed = default_horizon(evidence, T) if horizon is None else argument.size("horizon", horizon, 1)
    known = (*(entry.name for entry in REMEDIES), "clipping", "truncation")
    names = known if only is None else tuple(argument.choice("only", name, known) for name in only)
    before = vital_signs(step, params, h0, xs, horizon=min(needed, T))
    problem = Problem(step, params, h0, xs, min(needed, T), needed, before, key)
    found: list[Remedy | None] = []
    for entry in REMEDIES:
        wanted = entry.name in names and (entry.name not in EXPENSIVE or bool(findings) or unwell(before))
        # flossing takes longer than all others together
        if wanted and not (entry.name == "flossing" and any(remedy and remedy.helps for remedy in found)):
            found.append(measured(problem, entry))
    if "clipping" in names:
        found.append(clipped(problem, loss, targets, clipping))
    if "truncation" in names:
        found.append(truncated(problem, loss, targets, truncation))
    return tuple(sorted((remedy for remedy in found if remedy is not None), key=_rank))


def unwell(signs: dict[str, float]) -> bool:
    """Return whether the gradient at the horizon is below 1 %, or a direction explodes, or a number is not finite."""
    return not signs["log_gradient"] > FADES or signs["exploding"] > 0


def default_horizon(evidence: Evidence | None, T: int) -> int:
    """Return the horizon of the evidence, or four times the lag at which the gradient is down to 1 %, at most T - 1."""
    most = max(1, T - 1)
    if evidence is not None and evidence.horizon is not None:
        return evidence.horizon
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
    words = f"{change.words}: {compared(before, after, horizon)}. {change.also}{entry.costs}"
    return Remedy(entry.name, change.words, words, before, after, helps(before, after), change.step, change.params)


def compared(before: dict[str, float], after: dict[str, float], horizon: int) -> str:
    """Return the vital signs before and after in words."""
    parts = [
        f"gradient at lag {horizon} from {as_power(before['log_gradient'])} to {as_power(after['log_gradient'])}",
        f"exploding directions {_directions(before)} → {_directions(after)}",
        f"saturated {share(before['saturated'])} → {share(after['saturated'])}",
    ]
    if math.isfinite(before["log_input"]):
        parts.append(f"effect of an input {as_power(before['log_input'])} → {as_power(after['log_input'])}")
    return "; ".join(parts)


def _directions(signs: dict[str, float]) -> str:
    return f"{signs['exploding']:g}" + (" or more" if signs["exploding"] >= COLUMNS else "")


def helps(before: dict[str, float], after: dict[str, float]) -> bool:
    """Return whether the gradient came closer to its full size without a new problem."""
    distance, left = abs(before["log_gradient"]), abs(after["log_gradient"])
    if not math.isfinite(left):
        return False
    closer = not math.isfinite(distance) or distance - left >= max(CLOSER, distance / 2)
    explodes = after["exploding"] > before["exploding"]
    saturates = after["saturated"] > before["saturated"] + MORE_SATURATED
    return closer and not explodes and not saturates


def _rank(remedy: Remedy) -> tuple[bool, float]:
    left = abs(remedy.after["log_gradient"])
    return not remedy.helps, max(0.0, left - FULL) if math.isfinite(left) else math.inf
