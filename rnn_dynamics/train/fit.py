"""Train a net on a task, and look at it while it learns."""

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
from . import program
from .checkpoint import Checkpoints
from .moment import Moment
from .net import Net, init_net
from .objective import Unrolling, precision
from .probe import Probe, as_probe
from .program import RUNNING, Record, Settings, State, Update
from .progress import bar
from .task import Task


class Fit(NamedTuple):
    """A trained net and how it came to be.

    net                the parameters after the last update that left them finite
    updates            the number of updates made
    outcome            0 all steps were made, 1 stopped when solved, 2 stopped before an update that was not finite
    loss               (steps,) the loss of each batch, without penalties; NaN for updates that were not made, as
    penalty            (steps,) what penalties added to it, and
    log_gradient_norm  (steps,) ln of the norm of the gradient of both, in nats, before the optimizer
    recorded           (records,) after how many updates the net was looked at, from 0 to all steps; what follows is
                       of held-out examples, NaN (0 for integers) after the end of a training that was stopped:
    held_out_loss      (records,)
    correct            (records,) the fraction of correct answers
    probes             {name: (records, ...)}
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
    """A net trained for `steps` updates of `batch` fresh examples each.

    net               initial parameters, of `init_net`; by default those of the cell's `init` with `hidden` units (64)
    every             updates from one look at the net to the next, of which `steps` is a multiple; by default the
                      fewest that divide `steps` and make ten looks at most, so that a prime number of steps has one.
                      Then the held-out loss is taken, probes are run, a checkpoint of all so far is written
    probes            {name: measurement of a Moment}; `rnn_dynamics.train.probes` has some
    penalties         functions of a Moment whose sum is added to the loss, and to the value some optimizers ask for
    noise             the standard deviation of Gaussian noise on every number of the state at every step of an example
    truncate          K: no gradient passes the steps K, 2K, ... of an example (truncated backpropagation)
    checkpoint_every  K: keep the state of every K-th step and compute the others again on the way back, for memory
    clip_each_step    the greatest norm of ∂L/∂h_t, with L the loss of one example, that goes back through a step;
                      probes and penalties see the plain cell
    held_out          the number of examples that the net is looked at with, the same ones each time, of `held_out_task`
    stop_when_solved  stop at the first look at which the held-out loss is at most `solved` of the held-out task
    directory         where checkpoints are kept (Orbax); the same call goes on from the last one, bit for bit
    devices           what shares a batch; by default all local devices, if their number divides the batch

    The same key and settings give the same numbers. The programs are traced at each call, to see the arrays that task,
    optimizer, probes and penalties capture as they are then, and compiled once for the same computation. An update that
    would leave a parameter, the loss or what the optimizer keeps NaN or infinite is not made, and ends the training:
    the last good net is returned. Examples are drawn in the precision of the net. Under a transformation, as in a sweep
    over seeds, all is one program: no checkpoints, no progress, no sharing of devices.
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
    """The net to start from, which has to answer what the task asks."""
    if net is None:
        return init_net(cell, task, key=key, hidden=64 if hidden is None else hidden)
    argument.instance("net", net, Net, "a Net, as of init_net")
    if hidden is not None:
        raise ValueError(f"hidden: got {hidden!r}, expected None beside a net that is given")
    if net.readout.V.shape[0] != task.outputs:
        raise ValueError(f"net: got a readout of {net.readout.V.shape[0]} outputs, expected {task.outputs}")
    return net


def _interval(steps: int, every: int | None) -> int:
    """The number of updates between looks: as given, or for ten looks, fewer where no such number divides `steps`."""
    if every is None:
        return next(number for number in range(math.ceil(steps / 10), steps + 1) if steps % number == 0)
    if steps % argument.size("every", every, 1):
        raise ValueError(f"steps: got {steps}, expected a multiple of every = {every}")
    return every


def _steps(name: str, value: int | None) -> int | None:
    return None if value is None else argument.size(name, value, 1)


def _alike(task: Task, held_out: Task | None) -> Task:
    """The task of the held-out examples, which has to ask the same of the same net."""
    if held_out is None:
        return task
    argument.instance("held_out_task", held_out, Task)
    for name in ("inputs", "outputs"):
        if getattr(held_out, name) != getattr(task, name):
            raise ValueError(f"held_out_task: got {getattr(held_out, name)} {name}, expected {getattr(task, name)}")
    if held_out.loss is not task.loss:
        raise ValueError(f"held_out_task: got {held_out.name} with another loss, expected that of {task.name}")
    return held_out


def _sharing(devices: Sequence[jax.Device] | None, batch: int) -> tuple[jax.Device, ...] | None:
    """The devices that share a batch, None for the default one alone."""
    if devices is None:
        local = tuple(jax.local_devices())
        return local if len(local) > 1 and batch % len(local) == 0 else None
    argument.instance("devices", devices, Sequence, "a sequence of devices such as jax.devices()")
    for device in devices:
        argument.instance("devices", device, jax.Device, "devices such as those of jax.devices()")
    if not devices or len(set(devices)) < len(devices) or batch % len(devices):
        raise ValueError(
            f"devices: got {len(devices)}, expected one or more, each once, that divide the batch of {batch}"
        )
    return tuple(devices)


def _in_one_program(settings: Settings, state: State, noise: Any, stretches: int) -> Fit:
    """For tracing: the scan over all stretches, in which a stopped training idles."""

    def one(carry: tuple[State, Array], _: None) -> tuple[tuple[State, Array], tuple[Record, Update]]:
        state, record, runs = _look(settings, *carry)
        state, update = program.stretch(settings, state, noise)
        return (state, runs), (record, update)

    (state, runs), (records, updates) = jax.lax.scan(one, (state, jnp.asarray(True)), length=stretches)
    state, last, _ = _look(settings, state, runs)
    records = jax.tree.map(lambda all_but, last: jnp.concatenate([all_but, last[None]]), records, last)
    updates = jax.tree.map(jnp.ravel, updates)
    return _fit(settings, state, records, updates)


def _look(settings: Settings, state: State, runs: Array) -> tuple[State, Record, Array]:
    """A record, blank for a training that had stopped before, and whether it still runs."""
    state, found = program.record(settings, state)
    found = jax.tree.map(lambda leaf: jnp.where(runs, leaf, _blank(leaf.dtype)), found)
    return state, found, runs & (state.outcome == RUNNING)


def _in_stretches(
    settings: Settings, state: State, noise: Any, stretches: int, directory: str | Path | None, progress: bool
) -> Fit:
    """From the host: one compiled stretch after the other, with checkpoints between them."""
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
    none = Update(*(jnp.empty(0, precision(state.net)),) * 3)  # a training may be solved before it has begun
    return _fit(
        settings,
        state,
        jax.tree.map(lambda *each: _padded(np.stack(each), stretches + 1), *records),
        jax.tree.map(lambda *each: _padded(np.concatenate(each), stretches * settings.every), none, *updates),
    )


def _seen(log: Any) -> Any:
    """The log on the host."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(log)):
        raise TypeError(
            "optimizer, penalties, probes: got one that holds a traced number, expected plain ones, or jax.jit around "
            "the transformation, as in jax.jit(jax.vmap(...))"
        )
    return jax.device_get(log)


def _padded(array: np.ndarray, length: int) -> Array:
    """With what is said of updates and records that were not made."""
    rest = np.full((length - len(array), *array.shape[1:]), _blank(array.dtype), array.dtype)
    return jnp.asarray(np.concatenate([array, rest]))


def _blank(dtype: Any) -> Any:
    return np.asarray(np.nan if jnp.issubdtype(dtype, jnp.inexact) else 0, dtype)


def _fit(settings: Settings, state: State, records: Record, updates: Update) -> Fit:
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
