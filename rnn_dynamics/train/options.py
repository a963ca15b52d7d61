"""The options of `fit` in three groups: how gradients pass back, when a net is evaluated, and where it all runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from .. import argument
from .probe import as_probe
from .task import Task


class Unrolling(NamedTuple):
    """How the states of a batch are computed, and how the gradient passes back through them.

    Only `noise` changes the states.

    Attributes:
        truncate: K, for truncated backpropagation: no gradient passes steps K, 2K, ... of an example. Default: no cut.
        keep_every: K, to save memory: keep the state of every K-th step and recompute the others in the backward pass.
            Default: keep all.
        clip_each_step: The largest norm of ∂L/∂h_t that passes back through a step. L is the loss of one example, so
            the size of the batch does not matter. Probes and penalties see the plain cell. Default: no clipping.
        noise: The standard deviation of Gaussian noise on every number of the state at every step; may be traced.
            Default: no noise.

    Example:
        >>> rd.train.Unrolling(truncate=20)
        Unrolling(truncate=20, keep_every=None, clip_each_step=None, noise=None)
    """

    truncate: int | None = None
    keep_every: int | None = None
    clip_each_step: float | None = None
    noise: Any = None


class Evaluation(NamedTuple):
    """When, on which examples and by which probes a net is evaluated during its training.

    Attributes:
        every: The number of updates between evaluations; it divides the number of all updates. Default: the smallest
            divisor that gives at most ten such intervals; a prime number of updates above ten gives one.
        examples: The number of held-out examples. Default: 256.
        task: The task of the held-out examples, with the inputs, outputs and loss of the training task. Default: the
            training task.
        probes: {name: a function of a Moment, or a Probe}; `rd.train.probes` has some. Default: none.
        stop_when_solved: Stop at the first evaluation whose loss is at most `solved` of the task. Default: False.

    Example:
        >>> rd.train.Evaluation(every=100, probes={"flow": rd.train.probes.gradient_flow()}).examples
        256
    """

    every: int | Any = None  # `| Any` spares `fit`, which fills in the defaults, a check for None
    examples: int = 256
    task: Task | Any = None
    probes: Mapping[str, Any] | Any = None
    stop_when_solved: bool = False


class Execution(NamedTuple):
    """Where a training runs, where it keeps checkpoints, and whether it shows its progress.

    Attributes:
        directory: Where Orbax keeps a checkpoint after each evaluation interval. The same call continues from the last
            one, bit for bit. Default: no checkpoints.
        devices: The devices that share each batch. Default: all local devices if their number divides the size of the
            batch, else one.
        progress: Show a progress bar on standard error; under a transformation there is none. Default: False.

    Example:
        >>> rd.train.Execution(directory="runs/adding", progress=True).directory
        'runs/adding'
    """

    directory: str | Path | None = None
    devices: Sequence[jax.Device] | None = None
    progress: bool = False


def checked_unrolling(given: Any) -> Unrolling:
    """Return the options as plain numbers; an error names what is wrong."""
    truncate, keep_every, clip_each_step, noise = argument.instance(
        "unrolling", given, Unrolling, "rd.train.Unrolling(...)"
    )
    return Unrolling(
        None if truncate is None else argument.size("unrolling.truncate", truncate, 1),
        None if keep_every is None else argument.size("unrolling.keep_every", keep_every, 1),
        None if clip_each_step is None else argument.number("unrolling.clip_each_step", clip_each_step, above=0),
        None if noise is None else argument.real("unrolling.noise", noise, at_least=0),
    )


def checked_evaluation(given: Any, task: Task, updates: int) -> Evaluation:
    """Return the options with their defaults filled in: the interval, the task, and a Probe for each function."""
    every, examples, other, probes, stop_when_solved = argument.instance(
        "evaluation", given, Evaluation, "rd.train.Evaluation(...)"
    )
    probes = {} if probes is None else probes
    argument.instance("evaluation.probes", probes, Mapping, "a dictionary of probes by name")
    other = task if other is None else _alike(task, other)
    if argument.flag("evaluation.stop_when_solved", stop_when_solved) and math.isnan(other.solved):
        raise ValueError(
            f"evaluation.stop_when_solved: got True, expected a task with a level `solved`, not {other.name}"
        )
    return Evaluation(
        _interval(updates, every),
        argument.size("evaluation.examples", examples, 1),
        other,
        {name: as_probe(name, value) for name, value in probes.items()},
        bool(stop_when_solved),
    )


def checked_execution(given: Any, batch: int) -> Execution:
    """Return the options, with the devices that share a batch as a tuple, or None for the default device alone."""
    directory, devices, progress = argument.instance("execution", given, Execution, "rd.train.Execution(...)")
    if directory is not None:
        argument.instance("execution.directory", directory, (str, Path), "a path")
    return Execution(directory, _sharing(devices, batch), argument.flag("execution.progress", progress))


def _interval(updates: int, every: int | None) -> int:
    if every is None:
        return next(number for number in range(math.ceil(updates / 10), updates + 1) if updates % number == 0)
    every = argument.size("evaluation.every", every, 1)
    if updates % every:
        raise ValueError(f"updates: got {updates}, expected a multiple of evaluation.every = {every}")
    return every


def _alike(task: Task, other: Any) -> Task:
    """Return the task of the held-out examples, after checking that a net for `task` can be judged by it."""
    argument.instance("evaluation.task", other, Task)
    for name in ("inputs", "outputs"):
        if getattr(other, name) != getattr(task, name):
            raise ValueError(f"evaluation.task: got {getattr(other, name)} {name}, expected {getattr(task, name)}")
    if other.loss is not task.loss:
        raise ValueError(f"evaluation.task: got {other.name} with the loss {other.loss}, expected {task.loss}")
    return other


def _sharing(devices: Any, batch: int) -> tuple[jax.Device, ...] | None:
    if devices is None:
        local = tuple(jax.local_devices())
        return local if len(local) > 1 and batch % len(local) == 0 else None
    argument.instance("execution.devices", devices, Sequence, "a sequence of devices such as jax.devices()")
    for device in devices:
        argument.instance("execution.devices", device, jax.Device, "devices such as those of jax.devices()")
    if not devices or len(set(devices)) < len(devices) or batch % len(devices):
        raise ValueError(
            f"execution.devices: got {list(devices)}, expected one or more, each once, whose number divides the batch "
            f"of {batch}"
        )
    return tuple(devices)
