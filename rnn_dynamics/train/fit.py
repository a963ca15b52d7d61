"""Train a net on a task and measure it during training.

The specification, for the net alone, with one batch for each update and `loss(net, batch)` its mean loss:

    def fit(net, optimizer, loss, batches):
        state = optimizer.init(net)
        for batch in batches:
            gradient = jax.grad(loss)(net, batch)
            updates, state = optimizer.update(gradient, state, net)
            net = optax.apply_updates(net, updates)
        return net
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from .. import argument
from ..cells.contract import Cell
from ..machinery.printed import Table, fields_of, number, printable, span
from . import program
from .checkpoint import Checkpoints
from .moment import Moment
from .net import Net, init_net
from .objective import Unrolling, precision
from .probe import Probe, as_probe
from .program import RUNNING, Record, Settings, TrainingState, Update
from .progress import bar
from .task import Task

# what `Fit.outcome` says
OUTCOMES = ("all steps made", "stopped when solved", "stopped before a non-finite update")


@printable
class Fit(NamedTuple):
    """The result of `fit`: the trained net and the record of its training.

    After an early stop, entries for updates and evaluations that did not take place are NaN (0 for integers). An update
    that was refused because it was not finite still records its own loss, penalty and gradient norm.

    Attributes:
        net: The parameters after the last update that left them finite.
        updates: The number of updates made.
        outcome: 0 if all steps were made, 1 if training stopped because the task was solved, 2 if it stopped before an
            update that was not finite.
        loss: (steps,) the loss of each batch, without penalties.
        penalty: (steps,) the sum of the penalties, which was added to the loss.
        log_gradient_norm: (steps,) ln of the norm of the gradient of loss plus penalty, in nats, before the optimizer.
        recorded: (records,) the number of updates made before each evaluation, from 0 to `steps`.
        held_out_loss: (records,) the mean loss of the held-out examples.
        correct: (records,) the fraction of correct answers on the held-out examples.
        probes: {name: (records, ...)} the results of the probes on the held-out examples.
    """

    net: Net
    updates: Int[Array, ""]
    outcome: Int[Array, ""]
    loss: Float[Array, " steps"]
    penalty: Float[Array, " steps"]
    log_gradient_norm: Float[Array, " steps"]
    recorded: Int[Array, " records"]
    held_out_loss: Float[Array, " records"]
    correct: Float[Array, " records"]
    probes: dict[str, Any]

    def _headline(self) -> str:
        if np.ndim(self.outcome):
            nets = np.size(self.outcome)
            return f"({nets} nets, updates={span(self.updates)}): held-out loss {span(self.held_out_loss)}"
        seen = np.flatnonzero(~np.isnan(np.asarray(self.held_out_loss, float)))[-1:]  # those after a stop are NaN
        loss, correct = (span(np.asarray(values)[seen]) for values in (self.held_out_loss, self.correct))
        how = OUTCOMES[int(self.outcome)]
        return f"(updates={int(self.updates)}, {how}): held-out loss {loss}, correct {correct}"

    def _table(self) -> Table:
        if np.ndim(self.recorded) > 1:
            return fields_of(self)
        names = ("recorded", "held_out_loss", "correct")
        rows = [[number(value) for value in row] for row in zip(*(getattr(self, name) for name in names), strict=True)]
        return Table(names, rows)


def fit(
    cell: Cell,
    task: Task,
    optimizer: optax.GradientTransformation,
    *,
    key: Array,
    steps: int,
    net: Net | None = None,
    hidden: Any = None,
    batch: int = 64,
    every: int | None = None,
    probes: Mapping[str, Probe | Callable[[Moment], Any]] | None = None,
    penalties: Sequence[Callable[[Moment], Array]] = (),
    noise: Any = None,
    truncate: int | None = None,
    checkpoint_every: int | None = None,
    clip_each_step: float | None = None,
    held_out: int = 256,
    held_out_task: Task | None = None,
    stop_when_solved: bool = False,
    directory: str | Path | None = None,
    devices: Sequence[jax.Device] | None = None,
    progress: bool = False,
) -> Fit:
    """Train a net for `steps` updates, each on a batch of fresh examples.

        θ ← θ + optimizer(∂(L + Σ penalties)/∂θ),    L = mean over the batch of the loss of an example

    Before the first update and after each `every` updates the net is evaluated on the same held-out examples: their
    loss, the fraction of correct answers and the probes. If there is a `directory`, a checkpoint is kept after each
    `every` updates.

    The same key and settings give the same numbers. Each call traces the programs again, so that arrays captured by the
    task, optimizer, probes and penalties are read as they are now; an equal computation is compiled only once. An
    update that would make a parameter, the loss or a number kept by the optimizer NaN or infinite is not made. It ends
    the training, and the last good net is returned. Examples are drawn in the precision of the net. Inside a
    transformation such as jit or vmap (a sweep over seeds, for example) the whole training is one program, without
    checkpoints, progress bar or sharing of devices.

    Args:
        cell: The recurrent map.
        task: What the net learns.
        optimizer: An optax gradient transformation.
        key: A JAX random key, for the initial net, the examples and the noise.
        steps: The number of updates, a multiple of `every`.
        net: The initial net, for example from `init_net`. Default: drawn with the cell's `init`.
        hidden: The size that the cell's `init` takes, if no `net` is given. Default: 64 units.
        batch: The number of examples in each update. Default: 64.
        every: The number of updates between evaluations. Default: the smallest divisor of `steps` that gives at most
            ten such intervals; a prime number of steps above ten gives one.
        probes: {name: a function of a Moment, or a Probe}; `rd.train.probes` has some.
        penalties: Functions of a Moment whose sum is added to the loss, and to the value that some optimizers ask for.
        noise: The standard deviation of Gaussian noise on every number of the state at every step. Default: no noise.
        truncate: K, for truncated backpropagation: no gradient passes steps K, 2K, ... of an example. Default: no cut.
        checkpoint_every: K, to save memory: keep the state of every K-th step and recompute the others in the backward
            pass. Default: keep all.
        clip_each_step: The largest norm of ∂L/∂h_t that passes back through a step, where L is the loss of one example.
            Probes and penalties see the plain cell. Default: no clipping.
        held_out: The number of held-out examples. Default: 256.
        held_out_task: The task of the held-out examples, with the inputs, outputs and loss of `task`. Default: `task`.
        stop_when_solved: Stop at the first evaluation whose held-out loss is at most `solved` of the held-out task.
        directory: Where Orbax keeps checkpoints. The same call continues from the last one, bit for bit.
        devices: The devices that share each batch. Default: all local devices if their number divides `batch`, else
            one.
        progress: Show a progress bar on standard error.

    Returns:
        A `Fit`.

    Raises:
        ValueError: If `directory` holds a different training, or more updates than `steps`.

    Cost:
        Time O(T n²) and memory O(T n) for each example of an update, for a dense recurrent matrix; each evaluation adds
        a forward pass over the held-out examples, and the probes.

    Example:
        >>> task, adam = rd.train.tasks.adding(6), optax.adam(0.01)
        >>> found = rd.train.fit(rd.cells.elman, task, adam, key=key, steps=4, every=2, hidden=3, batch=2, held_out=4)
        >>> int(found.updates), found.loss.shape, found.recorded.tolist()
        (4, (4,), [0, 2, 4])
    """
    _refuse_others(cell, task, optimizer, penalties, probes)
    every = _interval(argument.size("steps", steps, 1), every)
    key_net, key = jax.random.split(argument.key(key))
    net = _first_net(cell, task, key_net, net, hidden)
    noise = None if noise is None else argument.real("noise", noise, at_least=0)
    state = program.start(optimizer, net, key)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((state, noise)))
    batch = argument.size("batch", batch, 1)
    sharing = _sharing(devices, batch)
    limit = None if clip_each_step is None else argument.number("clip_each_step", clip_each_step, above=0)
    settings = Settings(
        cell=cell,
        task=task,
        held_out_task=_alike(task, held_out_task),
        optimizer=optimizer,
        penalties=tuple(penalties),
        probes=tuple((name, as_probe(name, value)) for name, value in (probes or {}).items()),
        batch=batch,
        held_out=argument.size("held_out", held_out, 1),
        every=every,
        unrolling=Unrolling(_steps("truncate", truncate), _steps("checkpoint_every", checkpoint_every), limit),
        stop_when_solved=argument.flag("stop_when_solved", stop_when_solved),
        devices=None if traced else sharing,
    )
    if not traced:
        return _in_stretches(settings, state, noise, steps // every, directory, argument.flag("progress", progress))
    for name, value in (("directory", directory), ("devices", devices)):
        if value is not None:
            raise ValueError(f"{name}: got {value!r}, expected None under a transformation such as jit or vmap")
    return _in_one_program(settings, state, noise, steps // every)


def _refuse_others(cell: Any, task: Any, optimizer: Any, penalties: Any, probes: Any) -> None:
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    argument.instance("optimizer", optimizer, optax.GradientTransformation, "a gradient transformation of optax")
    argument.instance("probes", probes or {}, Mapping, "a dictionary of probes by name")
    for penalty in argument.instance("penalties", penalties, Sequence, "a sequence of penalties such as (one,)"):
        if not callable(penalty):
            raise TypeError(f"penalties: got {penalty!r}, expected functions of a Moment")


def _first_net(cell: Cell, task: Task, key: Array, net: Net | None, hidden: Any) -> Net:
    """Return the net to start from, whose readout must have the outputs of the task."""
    if net is None:
        return init_net(cell, task, key=key, hidden=64 if hidden is None else hidden)
    argument.instance("net", net, Net, "a Net, as init_net returns")
    if hidden is not None:
        raise ValueError(f"hidden: got {hidden!r}, expected None because `net` is given")
    if net.readout.V.shape[0] != task.outputs:
        raise ValueError(f"net: got a readout of {net.readout.V.shape[0]} outputs, expected {task.outputs}")
    return net


def _interval(steps: int, every: int | None) -> int:
    """The number of updates between evaluations: as given, or the smallest divisor of `steps` for at most ten."""
    if every is None:
        return next(number for number in range(math.ceil(steps / 10), steps + 1) if steps % number == 0)
    if steps % argument.size("every", every, 1):
        raise ValueError(f"steps: got {steps}, expected a multiple of every = {every}")
    return every


def _steps(name: str, value: int | None) -> int | None:
    return None if value is None else argument.size(name, value, 1)


def _alike(task: Task, held_out: Task | None) -> Task:
    """Return the task of the held-out examples, which must have the inputs, outputs and loss of the training task."""
    if held_out is None:
        return task
    argument.instance("held_out_task", held_out, Task)
    for name in ("inputs", "outputs"):
        if getattr(held_out, name) != getattr(task, name):
            raise ValueError(f"held_out_task: got {getattr(held_out, name)} {name}, expected {getattr(task, name)}")
    if held_out.loss is not task.loss:
        raise ValueError(f"held_out_task: got {held_out.name} with another loss, expected the loss of {task.name}")
    return held_out


def _sharing(devices: Sequence[jax.Device] | None, batch: int) -> tuple[jax.Device, ...] | None:
    """Return the devices that share a batch, or None for the default device alone."""
    if devices is None:
        local = tuple(jax.local_devices())
        return local if len(local) > 1 and batch % len(local) == 0 else None
    argument.instance("devices", devices, Sequence, "a sequence of devices such as jax.devices()")
    for device in devices:
        argument.instance("devices", device, jax.Device, "devices such as those of jax.devices()")
    if not devices or len(set(devices)) < len(devices) or batch % len(devices):
        raise ValueError(
            f"devices: got {len(devices)}, expected one or more, each once, whose number divides the batch of {batch}"
        )
    return tuple(devices)


def _in_one_program(settings: Settings, state: TrainingState, noise: Any, stretches: int) -> Fit:
    """Train as one scan over all stretches, to be traced; a training that has stopped does nothing more."""

    def one(carry: tuple[TrainingState, Array], _: None) -> tuple[tuple[TrainingState, Array], tuple[Record, Update]]:
        state, record, runs = _evaluated(settings, *carry)
        state, update = program.stretch(settings, state, noise)
        return (state, runs), (record, update)

    (state, runs), (records, updates) = jax.lax.scan(one, (state, jnp.asarray(True)), length=stretches)
    state, last, _ = _evaluated(settings, state, runs)
    records = jax.tree.map(lambda all_but, last: jnp.concatenate([all_but, last[None]]), records, last)
    updates = jax.tree.map(jnp.ravel, updates)
    return _fit(settings, state, records, updates)


def _evaluated(settings: Settings, state: TrainingState, runs: Array) -> tuple[TrainingState, Record, Array]:
    """Evaluate the net: return the state, a record (blank if training had stopped), and whether training still runs."""
    state, found = program.record(settings, state)
    found = jax.tree.map(lambda leaf: jnp.where(runs, leaf, _blank(leaf.dtype)), found)
    return state, found, runs & (state.outcome == RUNNING)


def _in_stretches(
    settings: Settings, state: TrainingState, noise: Any, stretches: int, directory: str | Path | None, progress: bool
) -> Fit:
    """Train from the host: run one compiled stretch after another, with checkpoints between them."""
    record = program.compiled(partial(program.record, settings), state)
    stretch = program.compiled(partial(program.stretch, settings), state, noise)
    with contextlib.closing(Checkpoints(directory, settings, (record, stretch), state, noise)) as checkpoints:
        state, records, updates = checkpoints.latest(stretches)
        with bar(stretches * settings.every, shown=progress) as shown:
            while True:
                state, found = record(state)
                records.append(_seen(found))
                shown.update_to(len(updates) * settings.every, records[-1].loss)
                if len(updates) == stretches or int(state.outcome) != RUNNING:
                    break
                state, update = stretch(state, noise)
                updates.append(_seen(update))
                checkpoints.save(state, records, updates)
    none = Update(*(jnp.empty(0, precision(state.net)),) * 3)  # the task may be solved before the first update
    return _fit(
        settings,
        state,
        jax.tree.map(lambda *each: _padded(np.stack(each), stretches + 1), *records),
        jax.tree.map(lambda *each: _padded(np.concatenate(each), stretches * settings.every), none, *updates),
    )


def _seen(log: Any) -> Any:
    """Copy the log to the host."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(log)):
        raise TypeError(
            "optimizer, penalties, probes: got one that holds a traced number, expected plain numbers, or jax.jit "
            "around the transformation, as in jax.jit(jax.vmap(...))"
        )
    return jax.device_get(log)


def _padded(array: np.ndarray, length: int) -> Array:
    """Extend the array to `length` with the value of updates and records that were not made."""
    rest = np.full((length - len(array), *array.shape[1:]), _blank(array.dtype), array.dtype)
    return jnp.asarray(np.concatenate([array, rest]))


def _blank(dtype: Any) -> Any:
    return np.asarray(np.nan if jnp.issubdtype(dtype, jnp.inexact) else 0, dtype)


def _fit(settings: Settings, state: TrainingState, records: Record, updates: Update) -> Fit:
    return Fit(
        net=state.net,
        updates=state.step,
        outcome=state.outcome,
        loss=updates.loss,
        penalty=updates.penalty,
        log_gradient_norm=updates.log_gradient_norm,
        recorded=settings.every * jnp.arange(len(records.loss), dtype=jnp.int32),
        held_out_loss=records.loss,
        correct=records.correct,
        probes=records.probes,
    )
