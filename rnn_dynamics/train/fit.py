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
from collections.abc import Callable, Sequence
from functools import partial
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
from .objective import precision
from .options import Evaluation, Execution, Unrolling, checked_evaluation, checked_execution, checked_unrolling
from .program import RUNNING, Record, Settings, TrainingState, Update
from .progress import bar
from .task import Task

# what `Fit.outcome` says
OUTCOMES = ("all updates made", "stopped when solved", "stopped before a non-finite update")


@printable
class Fit(NamedTuple):
    """The result of `fit`: the trained net and the record of its training.

    After an early stop, entries for updates and evaluations that did not take place are NaN (0 for integers). An update
    that was refused because it was not finite still records its own loss, penalty and gradient norm.

    Attributes:
        net: The parameters after the last update that left them finite.
        updates: The number of updates made.
        outcome: 0 if all updates were made, 1 if training stopped because the task was solved, 2 if it stopped before
            an update that was not finite.
        loss: (updates,) the loss of each batch, without penalties.
        penalty: (updates,) the sum of the penalties, which was added to the loss.
        log_gradient_norm: (updates,) ln of the norm of the gradient of loss plus penalty, in nats, before the
            optimizer.
        recorded: (records,) the number of updates made before each evaluation, from 0 to the last.
        held_out_loss: (records,) the mean loss of the held-out examples.
        correct: (records,) the fraction of correct answers on the held-out examples.
        probes: {name: (records, ...)} the results of the probes on the held-out examples.
    """

    net: Net
    updates: Int[Array, ""]
    outcome: Int[Array, ""]
    loss: Float[Array, " updates"]
    penalty: Float[Array, " updates"]
    log_gradient_norm: Float[Array, " updates"]
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
        known = "" if np.isnan(np.asarray(self.correct, float)).all() else f", correct {correct}"
        return f"(updates={int(self.updates)}, {how}): held-out loss {loss}{known}"

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
    updates: int,
    net: Net | None = None,
    hidden: Any = None,
    batch: int = 64,
    penalties: Sequence[Callable[[Moment], Array]] = (),
    unrolling: Unrolling = Unrolling(),
    evaluation: Evaluation = Evaluation(),
    execution: Execution = Execution(),
) -> Fit:
    """Train a net, each update on a batch of fresh examples, and evaluate it at regular intervals.

        θ ← θ + optimizer(∂(L + Σ penalties)/∂θ),    L = mean over the batch of the loss of an example

    Before the first update and after each `evaluation.every` updates the net is evaluated on the same held-out
    examples: their loss, the fraction of correct answers and the probes. If there is an `execution.directory`, a
    checkpoint is kept after each such interval.

    The same key and settings give the same numbers. Each call traces the programs again, so that arrays captured by the
    task, optimizer, probes and penalties are read as they are now; an equal computation is compiled only once. An
    update that would make a parameter, the loss or a number kept by the optimizer NaN or infinite is not made. It ends
    the training, and the last good net is returned. Examples are drawn in the precision of the net. Inside a
    transformation such as jit or vmap (a sweep over seeds, for example) the whole training is one program, without
    checkpoints, progress bar or sharing of devices.

    Args:
        cell: The recurrent map.
        task: What the net learns: one of `rd.train.tasks`, or your own by `rd.train.make_task`.
        optimizer: An optax gradient transformation.
        key: A JAX random key, for the initial net, the examples and the noise.
        updates: The number of updates.
        net: The initial net, for example from `init_net`. Default: drawn with the cell's `init`.
        hidden: The size that the cell's `init` takes, if no `net` is given. Default: 64 units.
        batch: The number of examples in each update. Default: 64.
        penalties: Functions of a Moment whose sum is added to the loss, and to the value that some optimizers ask for.
            Default: none.
        unrolling: How the gradient passes back: truncation, clipping at each step, noise, memory (`Unrolling`).
            Default: the plain gradient.
        evaluation: When the net is evaluated, on what, and by which probes (`Evaluation`). Default: at most eleven
            times, on 256 examples, without probes.
        execution: Checkpoints, devices and a progress bar (`Execution`). Default: all devices, neither of the others.

    Returns:
        A `Fit`.

    Raises:
        ValueError: If `execution.directory` holds a different training, or one of more updates. Under a transformation,
            if a directory or devices are given.

    Cost:
        Time O(T n²) and memory O(T n) for each example of an update, for a dense recurrent matrix; each evaluation adds
        a forward pass over the held-out examples, and the probes.

    Example:
        >>> task, adam = rd.train.tasks.adding(6), optax.adam(0.01)
        >>> twice = rd.train.Evaluation(every=2, examples=4)
        >>> found = rd.train.fit(rd.cells.elman, task, adam, key=key, updates=4, hidden=3, batch=2, evaluation=twice)
        >>> int(found.updates), found.loss.shape, found.recorded.tolist()
        (4, (4,), [0, 2, 4])
    """
    _refuse_others(cell, task, optimizer, penalties)
    updates, batch = argument.size("updates", updates, 1), argument.size("batch", batch, 1)
    given, execution = execution, checked_execution(execution, batch)
    unrolling = checked_unrolling(unrolling)
    evaluation = checked_evaluation(evaluation, task, updates)
    key_net, key = jax.random.split(argument.key(key))
    state = program.start(optimizer, _first_net(cell, task, key_net, net, hidden), key)
    noise, stretches = unrolling.noise, updates // evaluation.every
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((state, noise)))
    settings = Settings(
        cell=cell,
        task=task,
        optimizer=optimizer,
        penalties=tuple(penalties),
        batch=batch,
        unrolling=unrolling._replace(noise=None),
        evaluation=evaluation,
        devices=None if traced else execution.devices,
    )
    if not traced:
        return _in_stretches(settings, state, noise, stretches, execution)
    for name in ("directory", "devices"):
        if (value := getattr(given, name)) is not None:
            raise ValueError(
                f"execution.{name}: got {value!r}, expected None under a transformation such as jit or vmap"
            )
    return _in_one_program(settings, state, noise, stretches)


def _refuse_others(cell: Any, task: Any, optimizer: Any, penalties: Any) -> None:
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    argument.instance("optimizer", optimizer, optax.GradientTransformation, "a gradient transformation of optax")
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


def _in_stretches(settings: Settings, state: TrainingState, noise: Any, stretches: int, execution: Execution) -> Fit:
    """Train from the host: run one compiled stretch after another, with checkpoints between them."""
    record = program.compiled(partial(program.record, settings), state)
    stretch = program.compiled(partial(program.stretch, settings), state, noise)
    with contextlib.closing(Checkpoints(execution.directory, settings, (record, stretch), state, noise)) as checkpoints:
        state, records, updates = checkpoints.latest(stretches)
        with bar(stretches * settings.evaluation.every, shown=execution.progress) as shown:
            while True:
                state, found = record(state)
                records.append(_seen(found))
                shown.update_to(len(updates) * settings.evaluation.every, records[-1].loss)
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
        jax.tree.map(
            lambda *each: _padded(np.concatenate(each), stretches * settings.evaluation.every), none, *updates
        ),
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
        updates=state.updates,
        outcome=state.outcome,
        loss=updates.loss,
        penalty=updates.penalty,
        log_gradient_norm=updates.log_gradient_norm,
        recorded=settings.evaluation.every * jnp.arange(len(records.loss), dtype=jnp.int32),
        held_out_loss=records.loss,
        correct=records.correct,
        probes=records.probes,
    )
