"""What does clipping do to the direction of an exploding gradient, and is the true direction worth keeping?

tanh nets, fresh from their initialisation, on the adding problem. Their gradient over a batch, in float64, is compared
with what is left of it when it is clipped

    by norm     to `limit`: the same direction, a shorter step
    by value    every entry to ±limit/√(number of parameters), so that its norm is at most `limit` too
    each step   every ∂L/∂h_t of every example to `limit` on its way back

and with the gradient that float32 computes. Where weights that differ by one part in 10¹³ turn the float64 gradient
itself by more than a degree, no angle to it means anything: such nets are not trusted, counted and left out of angles.

What the direction is worth is asked of a second batch: the angle between the gradients of the two, and by what share
the loss of the second falls in a step of length `stride` down the gradient of the first. All gradients are those in W,
U and b: a readout that is not trained yet gains from nearly every step, and would hide what the recurrent net does.
All gains and lengths see the same nets, so that falls are averaged over gains or lengths first and nets are counted.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.train.net import loss_of_states

from .clipping_hides_figure import NAMES, draw, median, of_length, said_falls
from .figure import Output, write

CELL = rd.cells.elman
NUDGE, TURN = 1e-13, 1.0  # a gradient that turns by more degrees when weights change by this share is not trusted


@dataclass(frozen=True)
class Config(Output):
    """`gains` are (first, last, how many) at `length`; `lengths` are measured at `gain`."""

    hidden: int = 32
    gains: tuple[float, float, int] = (0.5, 4.0, 15)
    length: int = 50
    lengths: tuple[int, ...] = (10, 20, 30, 50, 70, 100, 140)
    gain: float = 2.5
    nets: int = 16
    batch: int = 64
    limit: float = 1.0
    stride: float = 0.1
    seed: int = 0


def losses(cell: rd.cells.Cell, task: train.Task, net: train.Net, examples: train.Example) -> jax.Array:
    """The loss of every example."""

    def one(example: train.Example) -> jax.Array:
        states = rd.unroll(cell.step, net.cell, cell.initial_state(net.cell), example.xs)
        return loss_of_states(cell, task, net.readout, states, example)

    return jax.vmap(one)(examples)


def gradient(cell: rd.cells.Cell, task: train.Task, net: train.Net, examples: train.Example) -> rd.cells.Affine:
    """The mean of the gradients of the examples in W, U and b, as if each were alone: so it is clipped each step."""

    def total(params: rd.cells.Affine) -> jax.Array:
        return jnp.sum(losses(cell, task, net._replace(cell=params), examples))

    return jax.tree.map(lambda leaf: leaf / len(examples.mask), jax.grad(total)(net.cell))


def vector(tree: Any) -> jax.Array:
    """All numbers of a tree, in float64."""
    return jnp.concatenate([leaf.ravel().astype(jnp.float64) for leaf in jax.tree.leaves(tree)])


def angle(one: jax.Array, other: jax.Array) -> jax.Array:
    """Between two vectors, in degrees, by a formula that keeps its digits for small ones; NaN if one is not finite."""
    one, other = (each / jnp.linalg.norm(each) for each in (one, other))
    return jnp.degrees(2 * jnp.arctan2(jnp.linalg.norm(one - other), jnp.linalg.norm(one + other)))


def examine(key: jax.Array, gain: jax.Array, *, task: train.Task, config: Config) -> dict[str, jax.Array]:
    """Norms, angles and what a step is worth, of one net."""
    for_net, *for_batches = jax.random.split(key, 3)
    net = train.init_net(CELL, task, key=for_net, hidden=config.hidden, gain=gain)
    batch, other = (jax.vmap(task.sample)(jax.random.split(each, config.batch)) for each in for_batches)
    true = gradient(CELL, task, net, batch)
    p = vector(true)
    cut = train.clip_each_step(CELL, config.limit)
    single_net, single_batch = in_single_precision((net, batch))
    nudged = net._replace(cell=net.cell._replace(W=net.cell.W * (1 + NUDGE)))
    directions = {
        "norm": clipped(train.clip_by_norm(config.limit), true),
        "value": clipped(train.clip_by_value(config.limit / p.size**0.5), true),
        "step": gradient(cut, task, net, batch),
        "float32": gradient(CELL, task, single_net, single_batch),
    }
    fell = {f"fall_{name}": fall(task, net, other, each, config.stride) for name, each in directions.items()}
    again = angle(p, vector(gradient(CELL, task, nudged, batch)))
    return {
        "log_norm": jnp.log(jnp.linalg.norm(p)),
        "trusted": again < TURN,
        **{f"angle_{name}": angle(p, vector(each)) for name, each in directions.items()},
        **{f"share_{name}": jnp.linalg.norm(vector(each)) / jnp.linalg.norm(p) for name, each in directions.items()},
        **fell,
        "between_norm": angle(p, vector(gradient(CELL, task, net, other))),
        "between_step": angle(vector(directions["step"]), vector(gradient(cut, task, net, other))),
    }


def in_single_precision(tree: Any) -> Any:
    """Its floats as float32."""
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def clipped(transformation: Any, tree: rd.cells.Affine) -> rd.cells.Affine:
    """What an optax transformation makes of a gradient at its first update."""
    found: rd.cells.Affine = transformation.update(tree, transformation.init(tree))[0]
    return found


def fall(task: train.Task, net: train.Net, examples: train.Example, along: rd.cells.Affine, stride: float) -> jax.Array:
    """The share of its loss that the net loses on the examples in a step of this length down the direction."""
    size = jnp.linalg.norm(vector(along))
    moved = jax.tree.map(lambda leaf, d: leaf - (stride / size) * d.astype(leaf.dtype), net.cell, along)
    before, after = (jnp.mean(losses(CELL, task, net._replace(cell=cell), examples)) for cell in (net.cell, moved))
    return 1 - after / before


def over_nets(config: Config, length: int, gains: np.ndarray) -> dict[str, np.ndarray]:
    """What `examine` finds, (gain, net): the same nets and examples at every gain."""
    task = train.tasks.adding(length)
    keys = jax.random.split(jax.random.key(config.seed), config.nets)
    one = partial(examine, task=task, config=config)
    found = jax.jit(lambda gains: jax.lax.map(lambda gain: jax.vmap(one, (0, None))(keys, gain), gains))
    return {name: np.asarray(values) for name, values in found(jnp.asarray(gains)).items()}


def run(config: Config = Config()) -> xarray.Dataset:
    """`<what>` over (gain, net) at one length and `<what>_of_length` over (length, net) at one gain."""
    gains = np.linspace(*config.gains)
    with jax.enable_x64(True):
        by_gain = over_nets(config, config.length, gains)
        columns = [over_nets(config, length, np.array([config.gain])) for length in config.lengths]
    by_length = {f"{name}_of_length": np.concatenate([column[name] for column in columns]) for name in by_gain}
    variables = {name: (("gain", "net"), values) for name, values in by_gain.items()}
    variables |= {name: (("length", "net"), values) for name, values in by_length.items()}
    coords = {"gain": gains, "length": list(config.lengths), "net": np.arange(config.nets)}
    attributes = {"at_length": config.length, "at_gain": config.gain, "limit": config.limit, "stride": config.stride}
    attributes |= {"nudge": NUDGE, "turn": TURN}
    return xarray.Dataset(variables, coords, attributes)


def main() -> None:
    """Print the medians, write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    for at, x in ((dataset, "gain"), (of_length(dataset), "length")):
        fixed = f"T = {config.length}" if x == "gain" else f"g = {config.gain:g}"
        print(
            f"{fixed}: degrees to the true gradient, degrees between two batches, fall of the loss of the second in %"
        )
        columns = [f"angle_{name}" for name in NAMES] + ["between_norm", "between_step"]
        columns += [f"fall_{name}" for name in ("norm", "value", "step")]
        print(f"{x:>8}{'ln norm':>9}{'trusted':>9}" + "".join(f"{name:>15}" for name in columns))
        for place, value in enumerate(at[x].values):
            shown = [median(at, name)[place] * (100 if name.startswith("fall") else 1) for name in columns]
            known = f"{int(at.trusted.isel({x: place}).sum())}/{config.nets}"
            size = median(at, "log_norm")[place]
            print(f"{value:8.3g}{size:9.2f}{known:>9}" + "".join(f"{number:15.3g}" for number in shown))
        print(said_falls(at, config.stride))
    write("clipping_hides", config, draw, dataset)


if __name__ == "__main__":
    main()
