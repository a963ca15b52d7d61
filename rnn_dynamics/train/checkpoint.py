"""Save and restore a training with Orbax: its state, its records so far, and a digest that identifies it."""

import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from . import program
from .program import Compiled, Record, Settings, TrainingState, Update


class Checkpoints:
    """The checkpoints of one training in one directory, which keeps the last two; none for directory = None.

    Each checkpoint identifies its training by a digest of the compiled programs and of the state they start from. A
    changed loss, learning rate, probe or key is therefore refused, and no two trainings are mixed.
    """

    def __init__(
        self,
        directory: str | Path | None,
        settings: Settings,
        programs: tuple[Compiled, Compiled],
        start: TrainingState,
        noise: Any,
    ) -> None:
        self.manager: Any = None
        self.settings, self.start = settings, start
        if directory is None:
            return
        try:
            import orbax.checkpoint
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"execution.directory: got {str(directory)!r}; checkpoints need orbax-checkpoint: "
                "`pip install 'rnn_dynamics[train]'` installs it"
            ) from error
        self.args = orbax.checkpoint.args
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        options = orbax.checkpoint.CheckpointManagerOptions(max_to_keep=2)
        self.manager = orbax.checkpoint.CheckpointManager(self.directory, options=options)
        self.digest, self.kind = digest(programs, start, noise), kind(settings, noise)

    def latest(self, stretches: int) -> tuple[TrainingState, list[Record], list[Update]]:
        """Return the state to continue from, and the records and updates before it."""
        done = None if self.manager is None else self.manager.latest_step()
        if done is None:
            return self.start, [], []
        found = self.manager.restore(done, args=self.args.Composite(meta=self.args.JsonRestore()))
        if found.meta["training"] != self.digest:
            held = found.meta.get("kind", {})
            others = [
                f"{name} = {held.get(name)}, not {given}"
                for name, given in self.kind.items()
                if held.get(name) != given
            ]
            what = ", ".join(others) or "with another cell, task, optimizer, penalties, probes, key or initial net"
            raise ValueError(
                f"execution.directory: {self.directory} holds another training: {what}; expected the same one, or a "
                "new directory"
            )
        if done > stretches:
            every = self.settings.evaluation.every
            raise ValueError(
                f"updates: got {stretches * every}, expected at least the {done * every} updates in {self.directory}"
            )
        _, record = jax.eval_shape(lambda state: program.record(self.settings, state), self.start)
        _, update = jax.eval_shape(lambda state: program.stretch(self.settings, state, None), self.start)
        like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((done, *leaf.shape), leaf.dtype), (record, update))
        leaves, tree = jax.tree.flatten((raw(self.start), *like))
        wanted = {name(place): jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for place, leaf in enumerate(leaves)}
        held = self.manager.restore(done, args=self.args.Composite(arrays=self.args.StandardRestore(wanted))).arrays
        state, records, updates = jax.tree.unflatten(tree, [held[name(place)] for place in range(len(leaves))])
        return as_before(state, self.start), apart(records, done), apart(updates, done)

    def save(self, state: TrainingState, records: list[Record], updates: list[Update]) -> None:
        """Save the state after a stretch, with all records and updates so far; writing runs in the background."""
        if self.manager is None:
            return
        logs = [jax.tree.map(lambda *each: np.stack(each), *log) for log in (records, updates)]
        leaves = jax.device_get(jax.tree.leaves((raw(state), *logs)))
        arrays = {name(place): np.asarray(leaf) for place, leaf in enumerate(leaves)}
        args = self.args.Composite(
            arrays=self.args.StandardSave(arrays),
            meta=self.args.JsonSave({"training": self.digest, "kind": self.kind}),
        )
        self.manager.save(len(updates), args=args)

    def close(self) -> None:
        """Wait until everything is written."""
        if self.manager is not None:
            self.manager.close()


def digest(programs: tuple[Compiled, Compiled], start: TrainingState, noise: Any) -> str:
    """Compute a digest of the programs, of the arrays they capture and of the state they start from."""
    record, stretch = programs
    found = hashlib.sha256()
    found.update(stretch.run.lower(stretch.function, start, noise).as_text().encode())
    found.update(record.run.lower(record.function, start).as_text().encode())
    captured = [plain(leaf) for each in (stretch, record) for leaf in each.function.captured]
    for leaf in jax.device_get((*captured, *jax.tree.leaves((raw(start), noise)))):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()


def kind(settings: Settings, noise: Any) -> dict[str, Any]:
    """Return the settings of a training that can be named in an error message."""
    evaluation = settings.evaluation
    named = {
        "batch": settings.batch,
        "task": settings.task.name,
        "penalties": len(settings.penalties),
        "devices": len(settings.devices or (None,)),
        "jax": jax.__version__,
    }
    unrolling = settings.unrolling._replace(noise=None if noise is None else float(noise))
    named |= {f"unrolling.{name}": str(value) for name, value in unrolling._asdict().items()}
    evaluated = evaluation._asdict() | {"task": evaluation.task.name, "probes": ", ".join(evaluation.probes)}
    return named | {f"evaluation.{name}": value for name, value in evaluated.items()}


def name(place: int) -> str:
    """Return the name of a leaf in a checkpoint."""
    return f"leaf_{place:04d}"


def plain(leaf: Any) -> Any:
    """Return the array itself, or the words of a random key."""
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def raw(state: TrainingState) -> TrainingState:
    """Return the state with its key as plain numbers."""
    typed = jax.dtypes.issubdtype(state.key.dtype, jax.dtypes.prng_key)
    return state._replace(key=jax.random.key_data(state.key)) if typed else state


def as_before(state: TrainingState, start: TrainingState) -> TrainingState:
    """Return the state with arrays as leaves and a key of the same kind as at the start of the training."""
    state = jax.tree.map(jax.numpy.asarray, state)
    typed = jax.dtypes.issubdtype(start.key.dtype, jax.dtypes.prng_key)
    return (
        state._replace(key=jax.random.wrap_key_data(state.key, impl=jax.random.key_impl(start.key))) if typed else state
    )


def apart(log: Any, count: int) -> list[Any]:
    """Split a stacked log into a list of its entries."""
    log = jax.device_get(log)
    return [jax.tree.map(lambda leaf, place=place: leaf[place], log) for place in range(count)]
