"""Does the advice of a diagnosis make a net learn that does not learn as it is initialised by default?

An LSTM and a GRU learn adding and copying over T = 200 steps. They are drawn as PyTorch draws its layers: every number
from U(-1/√n, 1/√n), with two such biases for each gate, so that half of a state is forgotten in a step. Each net is
diagnosed before its first update (`rd.diagnose`, with the T steps as its horizon), changed as the first remedy that
helps says, and trained from the changed weights, with the same examples and budget as the net as it was. The remedies
named by `also` are trained too, wherever they stand among the advice.

Copying asks for `letters` letters in their order, always after the same delay. The marks of the adding problem come at
random times, so that some examples need only a short memory, from which a net can work its way up. With the default
seed the GRUs as drawn learn to add in this way, although their gradient over T steps is below 10⁻³⁰ at first, and
nothing else is learnt as drawn. The first advice is to spread the time constants of the gates evenly over all scales up
to T. Nearly all nets learn from there. With chrono initialisation, which leaves one unit of 32 with a time constant
below ten steps, nets soon name the letters, but not in their order.

A task counts as learnt if at one of the looks the held-out loss is at most the level that the task calls solved. All
nets get the same budget; what is not learnt within it may be learnt in a larger one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
import xarray
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.sweeps import one_device_per_core

from .counts import wilson
from .figure import Output, write
from .rescue_figure import AS_DRAWN, FIRST, draw, solved_after

# each cell in PyTorch's convention, and its gates whose two biases add up; in a GRU's candidate the reset parts them
CELLS: dict[str, tuple[rd.cells.Cell, tuple[str, ...]]] = {
    "LSTM": (rd.cells.lstm, ("input", "forget", "cell", "output")),
    "GRU": (rd.cells.make_gru(reset="after"), ("update", "reset")),
}
TASKS = ("adding", "copying")


@dataclass(frozen=True)
class Config(Output):
    """Each of `cells` learns each of `tasks` over `length` steps, from `seeds` initialisations."""

    cells: tuple[str, ...] = tuple(CELLS)
    tasks: tuple[str, ...] = TASKS
    length: int = 200
    letters: int = 2
    alphabet: int = 8
    also: tuple[str, ...] = ("chrono",)
    seeds: int = 8
    hidden: int = 32
    updates: int = 1200
    looks: int = 24
    batch: int = 32
    rate: float = 0.02
    limit: float = 1.0
    sequences: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before any net is trained."""
        remedies = {name for rule in rd.diagnosis.RULES for name in rule.remedies}
        unknown = (set(self.cells) - set(CELLS)) | (set(self.tasks) - set(TASKS)) | (set(self.also) - remedies)
        if unknown or self.updates % self.looks:
            raise ValueError(
                f"cells, tasks, also, looks: got {unknown or None}, {self.looks}, expected some of {tuple(CELLS)}, "
                f"some of {TASKS}, remedies such as 'chrono', a divisor of {self.updates}"
            )


class Advised(NamedTuple):
    """A net after a remedy: its name, its change in words, and the parameters of the cell."""

    name: str
    words: str
    params: Any


def task_of(name: str, config: Config) -> train.Task:
    """Return a task of `length` steps."""
    if name == "adding":
        return train.tasks.adding(config.length)
    return train.tasks.copy_memory(config.length - 2 * config.letters, config.letters, config.alphabet)


def as_drawn(cell: str, task: train.Task, key: jax.Array, hidden: int) -> train.Net:
    """Draw a net as PyTorch draws an LSTM or GRU below a linear readout: every number from U(-1/√n, 1/√n)."""
    chosen, gates = CELLS[cell]
    shapes = jax.eval_shape(lambda key: train.init_net(chosen, task, key=key, hidden=hidden), key)
    leaves, tree = jax.tree.flatten(shapes)

    def drawn(key: jax.Array) -> train.Net:
        keys, bound = jax.random.split(key, len(leaves)), hidden**-0.5
        pairs = zip(keys, leaves, strict=True)
        draws = [jax.random.uniform(key, leaf.shape, minval=-bound, maxval=bound) for key, leaf in pairs]
        return jax.tree.unflatten(tree, draws)

    net, other = (drawn(key) for key in jax.random.split(key))
    both = {name: with_sum(getattr(net.params, name), getattr(other.params, name)) for name in gates}
    return net._replace(params=net.params._replace(**both))


def with_sum(gate: Any, other: Any) -> Any:
    """Return a gate with the sum of its own bias and that of the other."""
    return gate._replace(b=gate.b + other.b)


def diagnosed(cell: str, task: train.Task, net: train.Net, key: jax.Array, config: Config) -> Any:
    """Diagnose one net on some examples of its task."""
    chosen, _ = CELLS[cell]
    examples = jax.vmap(task.sample)(jax.random.split(key, config.sequences))
    moment = train.Moment(chosen, task, net, examples, key, jnp.asarray(0))

    def loss(states: Any, index: jax.Array) -> jax.Array:
        return train.loss_along(moment, index)(states)

    return rd.diagnose(
        chosen.step,
        net.params,
        chosen.initial_state(net.params),
        examples.xs,
        loss=loss,
        targets=jnp.arange(config.sequences),
        horizon=config.length,
        batched=True,
    )


def advice(diagnosis: Any, params: Any, also: tuple[str, ...]) -> dict[str, Advised]:
    """Return the first remedy that helps and those named by `also`; one that is not given leaves the net as it is."""
    first = [remedy for remedy in diagnosis.remedies if remedy.helps][:1]
    chosen = {FIRST: first} | {name: [r for r in diagnosis.remedies if r.name == name] for name in also}
    none = Advised("none", "nothing", params)
    return {
        start: Advised(found[0].name, found[0].change, found[0].params) if found else none
        for start, found in chosen.items()
    }


def over_cores(tree: Any, nets: int) -> Any:
    """Share the leading axis of nets between the devices, where it can be divided."""
    devices = jax.devices()
    if nets % len(devices):
        return tree
    mesh = jax.make_mesh((len(devices),), ("net",), (AxisType.Auto,))
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec("net")))


@partial(jax.jit, static_argnames=("cell", "task", "config"))
def learn(cell: str, task: train.Task, nets: train.Net, keys: jax.Array, config: Config) -> train.Fit:
    """Train all nets at once; the results have a leading axis."""
    optimizer = optax.chain(train.clip_by_norm(config.limit), optax.adam(config.rate))
    evaluation = train.Evaluation(every=config.updates // config.looks)
    options: dict[str, Any] = {"updates": config.updates, "batch": config.batch, "evaluation": evaluation}

    def one(net: train.Net, key: jax.Array) -> train.Fit:
        return train.fit(CELLS[cell][0], task, optimizer, key=key, net=net, **options)

    return jax.vmap(one)(nets, keys)


@partial(jax.jit, static_argnames=("cell", "task", "config"))
def log_flow(cell: str, task: train.Task, nets: train.Net, keys: jax.Array, config: Config) -> jax.Array:
    """Return ln ‖∂h_T/∂h_{T-ℓ}‖ of each net along one example, (net, lag)."""
    chosen, _ = CELLS[cell]

    def one(net: train.Net, key: jax.Array) -> jax.Array:
        h0, xs = chosen.initial_state(net.params), task.sample(key).xs
        return rd.gradient_flow(chosen.step, net.params, h0, xs, lags=config.length).log_norm

    return jax.vmap(one)(nets, keys)


def rescued(cell: str, name: str, config: Config) -> xarray.Dataset:
    """Draw the nets of one cell and task, diagnose and change each, and train all from every start."""
    task = task_of(name, config)
    place = len(CELLS) * TASKS.index(name) + tuple(CELLS).index(cell)
    for_nets, for_examples, for_fit = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), place), 3)
    nets = [as_drawn(cell, task, key, config.hidden) for key in jax.random.split(for_nets, config.seeds)]
    keys = jax.random.split(for_examples, config.seeds)
    found = [diagnosed(cell, task, net, key, config) for net, key in zip(nets, keys, strict=True)]
    given = [advice(diagnosis, net.params, config.also) for diagnosis, net in zip(found, nets, strict=True)]
    starts = {AS_DRAWN: nets} | {
        start: [net._replace(params=of[start].params) for net, of in zip(nets, given, strict=True)]
        for start in given[0]
    }
    runs = [followed(cell, task, starts[start], keys, for_fit, config) for start in starts]
    return xarray.concat(runs, xarray.Variable("start", list(starts))).assign(
        advice=(("start", "net"), [["none"] * config.seeds, *([of[s].name for of in given] for s in given[0])]),
        change=("start", ["none", *(given[0][start].words for start in given[0])]),
        finding=found[0].findings[0].sentence if found[0].findings else "nothing is wrong",
    )


def followed(
    cell: str, task: train.Task, nets: list[train.Net], keys: jax.Array, for_fit: jax.Array, config: Config
) -> xarray.Dataset:
    """Measure the gradient of these nets over the lag, and train them."""
    stacked, fit_keys = jax.tree.map(lambda *each: jnp.stack(each), *nets), jax.random.split(for_fit, config.seeds)
    flow = log_flow(cell, task, stacked, keys, config)
    fit = learn(cell, task, *over_cores((stacked, fit_keys), config.seeds), config)
    return xarray.Dataset(
        {
            "loss": (("net", "look"), np.asarray(fit.held_out_loss)),
            "correct": (("net", "look"), np.asarray(fit.correct)),
            "outcome": ("net", np.asarray(fit.outcome)),
            "flow": (("net", "lag"), np.asarray(flow)),
        },
        {"made": ("look", np.asarray(fit.recorded)[0]), "lag": np.arange(config.length + 1)},
    )


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Return the losses and the gradients over (cell, task, start, net), with the level that counts as solved."""
    columns = []
    for name in config.tasks:
        rows = []
        for cell in config.cells:
            rows.append(rescued(cell, name, config))
            if progress:
                print(f"{cell}, {name}: done", flush=True)
        level = task_of(name, config)
        column = xarray.concat(rows, xarray.Variable("cell", list(config.cells)))
        columns.append(column.assign(solved=level.solved, chance=level.chance))
    return xarray.concat(columns, xarray.Variable("task", list(config.tasks))).assign_attrs(length=config.length)


def main() -> None:
    """Print what was found, what was advised, and how many nets learnt before and after, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"{config.updates} updates of {config.batch} examples; nets out of {config.seeds} that learn:")
    for name in config.tasks:
        for cell in config.cells:
            at = dataset.sel(task=name, cell=cell)
            print(f"\n{cell}, {name} over {config.length} steps. {at.finding.item()}")
            for start in at.start.values:
                told(at.sel(start=start), str(start))
    low, high = wilson(config.seeds, config.seeds)
    print(f"95 % confidence interval of the rate {config.seeds} of {config.seeds}: {low:.2f} to {high:.2f}")
    write("rescue", config, draw, dataset)


def told(one: xarray.Dataset, start: str) -> None:
    """Print one line about the nets from one start."""
    after = solved_after(one)
    done = np.isfinite(after)
    when = f", after {np.median(after[done]):.0f} updates (median)" if done.any() else ""
    names, counts = np.unique(one.advice.values, return_counts=True)
    advised = ", ".join(f"{name} for {count}" for name, count in zip(names, counts, strict=True))
    how = "" if start == AS_DRAWN else f" (first net: {one.change.item()}; {advised})"
    left = np.median(one.flow.values[:, -1]) / np.log(10)
    print(
        f"  {start}{how}: gradient at lag {one.lag.values[-1]} 10^{left:.1f}, {done.sum()} learn{when}, median lowest "
        f"loss {np.median(one.loss.min('look')):.3g}"
    )


if __name__ == "__main__":
    main()
