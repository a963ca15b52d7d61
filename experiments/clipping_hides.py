"""How does clipping change the direction of an exploding gradient, and is the true direction worth keeping?

The nets are untrained tanh nets on the adding problem. Their gradient over a batch, in float64, is compared with the
same gradient clipped

    by norm     to `limit`: the same direction, a shorter step
    by value    every entry to ±limit/√(number of parameters), so that its norm is at most `limit` too
    each step   every ∂L/∂h_t of every example to `limit` during the backward pass

and with the gradient that float32 computes. If a change of W by one part in 10¹³ turns the float64 gradient by more
than a degree, angles to it mean nothing. Such nets are not trusted: they are counted, and left out of the angles.

A second batch shows what the direction is worth: by the angle between the gradients of the two batches, and by the
fraction by which the loss of the second falls in a step of length `stride` down the gradient of the first. All
gradients are those in W, U and b only, because an untrained readout gains from nearly every step and would hide what
the recurrent net does. All gains and lengths use the same nets, so falls are averaged over gains or lengths before nets
are counted.
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
NUDGE, TURN = 1e-13, 1.0  # not trusted: gradients that turn by over TURN degrees when W changes by the fraction NUDGE


@dataclass(frozen=True)
class Config(Output):
    """`gains` are (first, last, number), measured at `length`; `lengths` are measured at `gain`."""

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
    """Return the loss of every example."""

    def one(example: train.Example) -> jax.Array:
        states = rd.unroll(cell.step, net.params, cell.initial_state(net.params), example.xs)
        return loss_of_states(cell, task, net.readout, states, example)

    return jax.vmap(one)(examples)


def gradient(cell: rd.cells.Cell, task: train.Task, net: train.Net, examples: train.Example) -> rd.cells.Affine:
    """Return the mean over the examples of the gradient in W, U and b.

    The mean is taken after differentiation, so that clipping each step treats an example as if it were alone.
    """

    def total(params: rd.cells.Affine) -> jax.Array:
        return jnp.sum(losses(cell, task, net._replace(params=params), examples))

    return jax.tree.map(lambda leaf: leaf / len(examples.mask), jax.grad(total)(net.params))


def vector(tree: Any) -> jax.Array:
    """Return all numbers of a tree as one float64 vector."""
    return jnp.concatenate([leaf.ravel().astype(jnp.float64) for leaf in jax.tree.leaves(tree)])


def angle(one: jax.Array, other: jax.Array) -> jax.Array:
    """Return the angle between two vectors in degrees, accurate for small angles too; NaN if one is not finite."""
    one, other = (each / jnp.linalg.norm(each) for each in (one, other))
    return jnp.degrees(2 * jnp.arctan2(jnp.linalg.norm(one - other), jnp.linalg.norm(one + other)))


def examine(key: jax.Array, gain: jax.Array, *, task: train.Task, config: Config) -> dict[str, jax.Array]:
    """Measure norms, angles and the fall of the loss in a step, for one net."""
    for_net, *for_batches = jax.random.split(key, 3)
    net = train.init_net(CELL, task, key=for_net, hidden=config.hidden, gain=gain)
    batch, other = (jax.vmap(task.sample)(jax.random.split(each, config.batch)) for each in for_batches)
    true = gradient(CELL, task, net, batch)
    p = vector(true)
    cut = train.clip_each_step(CELL, config.limit)
    single_net, single_batch = in_single_precision((net, batch))
    nudged = net._replace(params=net.params._replace(W=net.params.W * (1 + NUDGE)))
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
    """Return the tree with its floats as float32."""
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def clipped(transformation: Any, tree: rd.cells.Affine) -> rd.cells.Affine:
    """Return what an optax transformation makes of a gradient at its first update."""
    found: rd.cells.Affine = transformation.update(tree, transformation.init(tree))[0]
    return found


def fall(task: train.Task, net: train.Net, examples: train.Example, along: rd.cells.Affine, stride: float) -> jax.Array:
    """Return the relative fall of the loss on the examples in a step of length `stride` down the direction `along`."""
    size = jnp.linalg.norm(vector(along))
    moved = jax.tree.map(lambda leaf, d: leaf - (stride / size) * d.astype(leaf.dtype), net.params, along)
    before, after = (jnp.mean(losses(CELL, task, net._replace(params=cell), examples)) for cell in (net.params, moved))
    return 1 - after / before


def over_nets(config: Config, length: int, gains: np.ndarray) -> dict[str, np.ndarray]:
    """Return the results of `examine`, (gain, net), for the same nets and examples at every gain."""
    task = train.tasks.adding(length)
    keys = jax.random.split(jax.random.key(config.seed), config.nets)
    one = partial(examine, task=task, config=config)
    found = jax.jit(lambda gains: jax.lax.map(lambda gain: jax.vmap(one, (0, None))(keys, gain), gains))
    return {name: np.asarray(values) for name, values in found(jnp.asarray(gains)).items()}


def run(config: Config = Config()) -> xarray.Dataset:
    """Return each result over (gain, net) at one length, and as `..._of_length` over (length, net) at one gain."""
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
    """Print the medians and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    for at, x in ((dataset, "gain"), (of_length(dataset), "length")):
        fixed = f"T = {config.length}" if x == "gain" else f"g = {config.gain:g}"
        print(f"{fixed}: angle to the true gradient (°), angle between two batches (°), fall of the second's loss (%)")
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
