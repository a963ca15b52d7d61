"""Send the numbers of a record to TensorBoard, Weights & Biases or trackio, through the object that the user passes.

None of these packages is imported here: a sink is anything with one of these two methods.

    add_scalar(name, value, step)       a SummaryWriter of tensorboardX or torch.utils.tensorboard
    log({name: value}, step=step)       a run of wandb, or the module or a run of trackio
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .record import Record

PREFIX = "rnn_dynamics"
# lags that are shown as curves over training, with the horizon
SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def checked(to: Any) -> tuple[Any, ...]:
    """Return the sinks, after checking that each has a method to write with."""
    sinks = tuple(to) if isinstance(to, list | tuple) else (to,)
    for sink in sinks:
        if not any(callable(getattr(sink, method, None)) for method in ("add_scalar", "log")):
            raise TypeError(
                f"to: got {sink!r}, expected objects with a method add_scalar(name, value, step), such as a "
                "SummaryWriter, or log(numbers, step=step), such as a run of wandb or trackio"
            )
    return sinks


def write(sink: Any, numbers: dict[str, float], step: int) -> None:
    """Write the finite numbers to one sink."""
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    if callable(getattr(sink, "add_scalar", None)):
        for name, value in finite.items():
            sink.add_scalar(name, value, step)
    else:
        sink.log(finite, step=step)


def numbers_of(record: Record, rules: Iterable[str]) -> dict[str, float]:
    """Return the numbers to show over training: all but whole curves, and 0 or 1 for each of the rules."""
    evidence, fired = record.evidence, {finding.rule for finding in record.findings}
    found: dict[str, Any] = {f"finding/{rule}": float(rule in fired) for rule in rules}
    for name in ("norm", "clipped", "median", "largest", "clipped_share"):
        found[f"gradient_norm/{name}"] = getattr(record.norms, name)
    if evidence.log_norm is not None:
        last = len(evidence.lag) - 1
        for lag in sorted({lag for lag in SHOWN if lag < last} | {last}):
            found[f"log_norm/lag_{lag}"] = np.median(evidence.log_norm[:, lag])
        found["exponent"], found["exponent_stderr"] = evidence.exponent, evidence.exponent_stderr
    for gate, statistics in (evidence.gates or {}).items():
        for name in ("mean", "shut", "open"):
            found[f"gate/{gate.replace(' ', '_')}/{name}"] = getattr(statistics, name)
    return {f"{PREFIX}/{name}": float(value) for name, value in found.items() if value is not None}
