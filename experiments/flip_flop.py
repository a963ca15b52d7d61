"""Where does a net keep three bits, and what separates one memory from the next?

A tanh net and a GRU learn the 3-bit flip-flop: each of three outputs holds the sign of the last pulse of its channel.
Then all fixed points without a pulse are searched from states between those that the nets visit, in float64, and told
apart by their numbers of unstable directions. Both nets build a cube: a stable point at each of the 8 corners, which is
a memory, and saddles at the middles of the 12 edges, of the 6 faces and of the whole, with 1, 2 and 3 unstable
directions. From each saddle with one unstable direction the net is run both ways along it, and ends in two memories:
with the default seed always in two that differ in one bit.

Eigenvalues tell how long a gradient lives. At a memory all are inside the unit circle, so that perturbations fade, and
with them the gradient; a saddle, which the net passes while it decides, makes both grow.

Both nets map a cube of states into itself. The points of a full list therefore obey Σ sign det(I - J) = 1 (Lefschetz),
which is 8 - 12 + 6 - 1 here, and is printed as a check.

The tanh nets tried all have this cube. Of GRUs with 12, 16 and 24 units, 5 of 6, 2 of 6 and none of 4 had it, and the
default was chosen among those that do. The others have other numbers of memories.

References:
    Sussillo & Barak (2013), Opening the black box: low-dimensional dynamics in high-dimensional recurrent neural
        networks. Neural Computation 25, 626-649.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.fixed_points import FixedPoints
from rnn_dynamics.train.net import answer

from .figure import Output, write
from .flip_flop_figure import draw, finding

CELLS = {"tanh net": rd.cells.elman, "GRU": rd.cells.gru}
CHANNELS = 3


@dataclass(frozen=True)
class Config(Output):
    """Each of `cells` learns the flip-flop; its fixed points are searched from `candidates` states."""

    cells: tuple[str, ...] = tuple(CELLS)
    hidden: int = 12
    length: int = 100
    updates: int = 2000
    batch: int = 64
    rate: float = 0.01
    sequences: int = 64
    candidates: int = 2048
    escape: int = 3000
    reach: float = 0.01
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse cells that are not known before any net is trained."""
        if not set(self.cells) <= set(CELLS):
            raise ValueError(f"cells: got {self.cells}, expected some of {tuple(CELLS)}")


class Opened(NamedTuple):
    """A trained net and what is found inside.

    Attributes:
        cell: Its name.
        loss: The held-out loss.
        correct: The fraction of correct answers.
        found: The fixed points without input, in float64.
        outputs: The outputs at these points, (N, 3).
        paths: The outputs along some examples, (sequences, T, 3).
        edges: The points with one unstable direction, as indices of `found`, (S,).
        escapes: The outputs along the two ways out of each of them, (S, 2, steps, 3).
        reached: The points that the net reaches so, (S, 2); -1 for none.
    """

    cell: str
    loss: float
    correct: float
    found: FixedPoints
    outputs: np.ndarray
    paths: np.ndarray
    edges: np.ndarray
    escapes: np.ndarray
    reached: np.ndarray


def run(config: Config = Config()) -> tuple[Opened, ...]:
    """Train every net and open it."""
    return tuple(
        one(name, jax.random.fold_in(jax.random.key(config.seed), list(CELLS).index(name)), config)
        for name in config.cells
    )


def one(name: str, key: jax.Array, config: Config) -> Opened:
    """Train one net in float32 and search its fixed points in float64."""
    cell, task = CELLS[name], train.tasks.flip_flop(config.length, CHANNELS)
    for_fit, for_examples, for_search = jax.random.split(key, 3)
    with jax.enable_x64(False):
        fit = trained(cell, task, for_fit, config)
        examples = jax.vmap(task.sample)(jax.random.split(for_examples, config.sequences))
    with jax.enable_x64(True):
        net, xs = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (fit.net, examples.xs))
        h0 = cell.initial_state(net.params)
        visited = jax.vmap(partial(rd.unroll, cell.step, net.params, h0))(xs)
        starts = between(visited.reshape(-1, config.hidden), config.candidates, for_search)
        found = rd.find_fixed_points(cell.step, net.params, starts, jnp.zeros(CHANNELS))
        edges = np.flatnonzero(kept(found) & (np.asarray(found.unstable) == 1))
        ways = ways_out(cell, net, found, edges, config)
        outputs = partial(outputs_of, cell, net.readout)
        return Opened(
            name,
            float(fit.held_out_loss[-1]),
            float(fit.correct[-1]),
            jax.tree.map(np.asarray, found),
            outputs(found.points),
            outputs(visited),
            edges,
            outputs(ways),
            arrivals(np.asarray(ways[..., -1, :]), found),
        )


def trained(cell: rd.cells.Cell, task: train.Task, key: jax.Array, config: Config) -> train.Fit:
    """Train a net by Adam, whose rate falls to 0 along a cosine."""
    rate = optax.cosine_decay_schedule(config.rate, config.updates)
    optimizer = optax.chain(train.clip_by_norm(1.0), optax.adam(rate))
    size: dict[str, Any] = {"updates": config.updates, "batch": config.batch, "hidden": config.hidden}
    return train.fit(cell, task, optimizer, key=key, evaluation=train.Evaluation(every=config.updates), **size)


def between(visited: jax.Array, count: int, key: jax.Array) -> jax.Array:
    """Draw states between those visited: weighted means of three each, (count, n).

    Saddles lie between the memories, where the net is only while it changes its mind: noise on the states visited
    misses some.
    """
    for_states, for_weights = jax.random.split(key)
    three = visited[jax.random.randint(for_states, (count, 3), 0, len(visited))]
    weights = jax.random.dirichlet(for_weights, jnp.full(3, 0.5, visited.dtype), (count,))
    return jnp.einsum("cs,csn->cn", weights, three)


def kept(found: FixedPoints) -> np.ndarray:
    """Return which points are fixed, of a stability that is known and near the states visited, (N,)."""
    return np.asarray(found.fixed) & ~np.asarray(found.undecided) & ~np.asarray(found.outlier)


def ways_out(cell: rd.cells.Cell, net: train.Net, found: FixedPoints, edges: np.ndarray, config: Config) -> jax.Array:
    """Run the net without input both ways along the unstable direction of each edge, (S, 2, steps, n)."""
    points, directions = jnp.asarray(found.points)[edges], jnp.real(jnp.asarray(found.right)[edges, :, 0])
    sides = config.reach * jnp.stack([directions, -directions], axis=1)
    xs = jnp.zeros((config.escape, CHANNELS))
    run_on = jax.jit(jax.vmap(jax.vmap(lambda h: rd.unroll(cell.step, net.params, h, xs))))
    return run_on(points[:, None] + sides)


def arrivals(ends: np.ndarray, found: FixedPoints) -> np.ndarray:
    """Return the stable points at which the net arrived; -1 where none is within a hundredth of the points' spread."""
    points = np.asarray(found.points)
    stable = np.flatnonzero(kept(found) & np.asarray(found.stable))
    if not len(stable):
        return np.full(ends.shape[:-1], -1)
    away = np.linalg.norm(ends[..., None, :] - points[stable], axis=-1)
    near = away.min(-1) < 0.01 * np.sqrt(np.sum(np.var(points, axis=0)))
    return np.where(near, stable[away.argmin(-1)], -1)


def outputs_of(cell: rd.cells.Cell, readout: train.Readout, states: jax.Array) -> np.ndarray:
    """Return the outputs at states with any leading axes."""
    flat = states.reshape(-1, states.shape[-1])
    found = jax.vmap(partial(answer, cell, readout))(flat)
    return np.asarray(found).reshape(*states.shape[:-1], -1)


def main() -> None:
    """Print the points by their numbers of unstable directions, and write the figure."""
    config = tyro.cli(Config)
    nets = run(config)
    for net in nets:
        told(net)
    print(f"\n{finding(nets)}")
    write("flip_flop", config, draw, nets)


def told(net: Opened) -> None:
    """Print the table of one net."""
    found, good = net.found, kept(net.found)
    print(f"\n{net.cell}: held-out loss {net.loss:.2g}, {100 * net.correct:.1f} % of the steps correct")
    print(f"{'unstable directions':>20}{'points':>8}{'largest |λ|':>16}{'residual':>10}")
    for unstable in np.unique(found.unstable[good]):
        those = good & (found.unstable == unstable)
        largest = np.abs(found.eigenvalues[those, 0])
        print(
            f"{unstable:>20}{those.sum():8d}{largest.min():9.3f}-{largest.max():.3f}{found.residual[those].max():12.0e}"
        )
    # only real eigenvalues above 1 turn the sign of det(I - J)
    turned = ((np.abs(found.eigenvalues.imag) == 0) & (found.eigenvalues.real > 1)).sum(axis=1)
    print(
        f"left out: {(~good).sum()} points slow, undecided or far; Σ sign det(I - J) = {((-1) ** turned[good]).sum()}"
    )


if __name__ == "__main__":
    main()
