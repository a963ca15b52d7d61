"""The two compiled programs of a training: a stretch of updates, and the evaluation between stretches."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float, Int

from ..cells.contract import Cell
from ..machinery import compiled_programs
from ..machinery.captured_arrays import Traced, traced
from .moment import Moment
from .net import Net
from .norm import log_norm
from .objective import batch_loss, draw, precision, prepared, verdict
from .options import Evaluation, Unrolling
from .task import Task

RUNNING, SOLVED, NOT_FINITE = 0, 1, 2


class Settings(NamedTuple):
    """Everything that a training is compiled for; arrays that it captures are read when a training begins."""

    cell: Cell
    task: Task
    optimizer: optax.GradientTransformation
    penalties: tuple[Callable[[Moment], Array], ...]
    batch: int
    unrolling: Unrolling  # without its noise, which is an argument of the program
    evaluation: Evaluation
    devices: Sequence[jax.Device] | None


class TrainingState(NamedTuple):
    """The state of a training, from which it continues bit for bit.

    updates  the number of updates made
    outcome  0 running, 1 solved, 2 stopped because the next update was not finite
    """

    updates: Int[Array, ""]
    outcome: Int[Array, ""]
    key: Array
    net: Net
    optimizer: Any


class Update(NamedTuple):
    """The log of one update, also of one refused because it was not finite; NaN once training has stopped.

    loss               the loss of the batch, without penalties
    penalty            the sum of the penalties
    log_gradient_norm  ln of the norm of the gradient of loss plus penalty, before the optimizer
    """

    loss: Float[Array, "*updates"]
    penalty: Float[Array, "*updates"]
    log_gradient_norm: Float[Array, "*updates"]


class Record(NamedTuple):
    """The evaluation of a net on held-out examples: loss, fraction of correct answers, and the probes by name."""

    loss: Float[Array, "*records"]
    correct: Float[Array, "*records"]
    probes: dict[str, Any]


def start(optimizer: optax.GradientTransformation, net: Net, key: Array) -> TrainingState:
    """Return the state before the first update."""
    zero = jnp.zeros((), jnp.int32)
    return TrainingState(zero, zero, key, net, optimizer.init(net))


def record(settings: Settings, state: TrainingState) -> tuple[TrainingState, Record]:
    """Evaluate the net, and mark the training as solved if it is to stop then."""
    evaluation, task = settings.evaluation, settings.evaluation.task
    key_examples, key_probes, _ = jax.random.split(state.key, 3)
    examples = draw(task, jax.random.split(key_examples, evaluation.examples), precision(state.net))
    net = prepared(settings.cell, state.net)
    loss, correct = verdict(settings.cell, task, net, examples)
    key = jax.random.fold_in(key_probes, state.updates)
    moment = Moment(settings.cell, task, net, examples, key, state.updates)
    found = {name: probe.function(moment) for name, probe in evaluation.probes.items()}
    if evaluation.stop_when_solved:
        solved = (state.outcome == RUNNING) & (loss <= task.solved)
        state = state._replace(outcome=jnp.where(solved, SOLVED, state.outcome).astype(jnp.int32))
    return state, Record(loss, correct, found)


def stretch(settings: Settings, state: TrainingState, noise: Any) -> tuple[TrainingState, Update]:
    """Run the updates between two evaluations as one compiled scan; a training that has stopped stays as it is."""
    nothing = Update(*(jnp.full((), jnp.nan, precision(state.net)),) * 3)

    def update(state: TrainingState, _: None) -> tuple[TrainingState, Update]:
        return jax.lax.cond(
            state.outcome == RUNNING, partial(one_update, settings, noise=noise), lambda state: (state, nothing), state
        )

    return jax.lax.scan(update, state, length=settings.evaluation.every)


def one_update(settings: Settings, state: TrainingState, noise: Any) -> tuple[TrainingState, Update]:
    """Make one update, unless the loss, the net or a number kept by the optimizer would become NaN or infinite.

    The optimizer's numbers count because Adam's mean of squares overflows first, and the net would then never move
    again. A number that the optimizer starts as infinite, such as the lowest loss so far, may stay infinite.
    """
    _, _, key = jax.random.split(state.key, 3)
    key_batch, key_penalty = jax.random.split(jax.random.fold_in(key, state.updates))
    keys = jax.random.split(key_batch, settings.batch)
    loss, gradient = task_gradient(settings, state.net, keys, noise)
    penalty = jnp.zeros_like(loss)
    if settings.penalties:

        def of_penalties(net: Net) -> Array:
            example_keys = jax.vmap(partial(jax.random.split, num=2))(keys)[:, 0]
            examples = draw(settings.task, example_keys, precision(net))
            net = prepared(settings.cell, net)
            moment = Moment(settings.cell, settings.task, net, examples, key_penalty, state.updates)
            return sum((scalar(judge, moment).astype(loss.dtype) for judge in settings.penalties), start=penalty)

        penalty, more = jax.value_and_grad(of_penalties)(state.net)
        gradient = jax.tree.map(jnp.add, gradient, more)
    optimizer = optax.with_extra_args_support(settings.optimizer)
    updates, after = optimizer.update(gradient, state.optimizer, state.net, value=loss + penalty)
    net = optax.apply_updates(state.net, updates)
    fine = jnp.isfinite(loss + penalty) & still_finite((state.net, state.optimizer), (net, after))
    moved = TrainingState(state.updates + 1, state.outcome, state.key, net, after)
    stayed = state._replace(outcome=jnp.full_like(state.outcome, NOT_FINITE))
    state = jax.tree.map(partial(jnp.where, fine), moved, stayed)
    return state, Update(loss, penalty, log_norm(gradient).astype(loss.dtype))


def scalar(penalty: Callable[[Moment], Array], moment: Moment) -> Array:
    """Return the value of a penalty at the moment, checked to be one real floating number."""
    value = penalty(moment)
    if not isinstance(value, jax.Array) or value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
        got = getattr(value, "aval", repr(value))
        raise TypeError(f"penalties: got {got} from {penalty!r}, expected one real floating number")
    return value


def still_finite(before: Any, after: Any) -> Array:
    """Return whether every number that was finite is still finite."""
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    kept = [
        jnp.all(jnp.isfinite(new) | ~jnp.isfinite(old)) for old, new in pairs if jnp.issubdtype(new.dtype, jnp.inexact)
    ]
    return jnp.all(jnp.stack(kept))


def task_gradient(settings: Settings, net: Net, keys: Array, noise: Any) -> tuple[Array, Net]:
    """Compute the loss of a batch and its gradient; several devices share the batch."""

    def loss(net: Net, keys: Array) -> Array:
        return batch_loss(settings.cell, settings.task, net, keys, settings.unrolling, noise)

    if settings.devices is None:
        return jax.value_and_grad(loss)(net, keys)

    def share(net: Net, keys: Array) -> tuple[Array, Net]:
        return jax.lax.pmean(jax.value_and_grad(loss)(net, keys), "examples")

    mesh = jax.make_mesh((len(settings.devices),), ("examples",), (AxisType.Auto,), devices=settings.devices)
    specs = PartitionSpec(), PartitionSpec("examples")
    return jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)(net, keys)


class Compiled(NamedTuple):
    """A compiled program for arguments of certain shapes, with the arrays that it captures."""

    function: Traced
    run: Any

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns for these arguments."""
        return self.run(self.function, *args)


def compiled(function: Callable[..., Any], *args: Any) -> Compiled:
    """Trace `function` with the arrays that it captures now; an equal computation is not compiled again."""
    found = traced(function, *args)
    return Compiled(found, compiled_programs.program(_call, (found, *args), {}))


def _call(function: Traced, *args: Any) -> Any:
    return function(*args)
