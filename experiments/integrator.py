"""How does a trained net hold a number that may take any value, and how fast does it forget it?

A tanh net with leak 0.5 and a GRU learn to output the running sum of noisy inputs. Without input a perfect integrator
would stay wherever it is: a line of fixed points, with an eigenvalue of exactly 1 along it. `rd.slow_manifolds` finds
the line that the nets have built, and how far each step moves the state along it; `rd.find_fixed_points` finds the
points at which it rests. All is in float64.

Both nets have a line with one eigenvalue near 1 and a few fixed points, stable and unstable ones in turn. Between them
the sum creeps towards the nearest stable point. Its slope at a fixed point is λ - 1, so that the eigenvalue tells how
many steps a value is kept: τ = -1/ln λ. All other directions are forgotten within a few steps.

References:
    Seung (1996), How the brain keeps the eyes still. PNAS 93, 13339-13344.
    Maheswaranathan, Williams, Golub, Ganguli & Sussillo (2019), Reverse engineering recurrent networks for sentiment
        classification reveals line attractor dynamics. NeurIPS 32.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.fixed_points import FixedPoints, SlowManifolds

from .figure import Output, write
from .integrator_figure import Line, draw, finding, line_of

CELLS = {"tanh net": rd.cells.make_elman(leak=0.5), "GRU": rd.cells.gru}


@dataclass(frozen=True)
class Config(Output):
    """Each of `cells` learns to integrate `length` inputs, which have a variance of 1 / length."""

    cells: tuple[str, ...] = tuple(CELLS)
    hidden: int = 16
    length: int = 100
    updates: int = 2000
    batch: int = 64
    rate: float = 0.01
    sequences: int = 64
    candidates: int = 512
    time_constant: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse cells that are not known before any net is trained."""
        if not set(self.cells) <= set(CELLS):
            raise ValueError(f"cells: got {self.cells}, expected some of {tuple(CELLS)}")


class Opened(NamedTuple):
    """A trained net and what is found inside.

    Attributes:
        cell: Its name.
        loss: The held-out mean squared error.
        line: The states on its line, in their order along it, with what is measured there.
        found: The fixed points without input.
        values: The outputs at the fixed points, (N,).
        paths: The states along some examples, (sequences, T, n).
        sums: The outputs along them, (sequences, T).
    """

    cell: str
    loss: float
    line: Line
    found: FixedPoints
    values: np.ndarray
    paths: np.ndarray
    sums: np.ndarray


def integration(length: int) -> train.Task:
    """Make the task: the sum of the inputs so far, which are N(0, 1/length); the last sum is N(0, 1)."""

    def sample(key: jax.Array) -> train.Example:
        xs = jax.random.normal(key, (length, 1)) * length**-0.5
        return train.Example(xs, jnp.cumsum(xs, axis=0), jnp.ones(length, bool))

    # the mean over time of the variance of the sum
    return train.make_task(sample, train.squared_error, chance=(length + 1) / (2 * length), name="integration")


def run(config: Config = Config()) -> tuple[Opened, ...]:
    """Train every net and open it."""
    return tuple(
        one(name, jax.random.fold_in(jax.random.key(config.seed), list(CELLS).index(name)), config)
        for name in config.cells
    )


def one(name: str, key: jax.Array, config: Config) -> Opened:
    """Train one net in float32, and find its line and its fixed points in float64."""
    cell = CELLS[name]
    for_fit, for_examples, for_search = jax.random.split(key, 3)
    with jax.enable_x64(False):
        task = integration(config.length)
        rate = optax.cosine_decay_schedule(config.rate, config.updates)
        fit = train.fit(
            cell,
            task,
            optax.chain(train.clip_by_norm(1.0), optax.adam(rate)),
            key=for_fit,
            updates=config.updates,
            hidden=config.hidden,
            batch=config.batch,
            evaluation=train.Evaluation(every=config.updates),
        )
        examples = jax.vmap(task.sample)(jax.random.split(for_examples, config.sequences))
    with jax.enable_x64(True):
        net, xs = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (fit.net, examples.xs))
        paths = jax.vmap(partial(rd.unroll, cell.step, net.params, cell.initial_state(net.params)))(xs)
        visited = paths.reshape(-1, config.hidden)
        starts = visited[jax.random.randint(for_search, (config.candidates,), 0, len(visited))]
        quiet = jnp.zeros(1)
        slow = rd.slow_manifolds(cell.step, net.params, starts, quiet, time_constant=config.time_constant)
        found = rd.find_fixed_points(cell.step, net.params, starts, quiet)
        V, c = np.asarray(net.readout.V)[0], float(net.readout.c[0])
        line = longest(slow, V, c)
    return Opened(
        name,
        float(fit.held_out_loss[-1]),
        line,
        jax.tree.map(np.asarray, found),
        np.asarray(found.points) @ V + c,
        np.asarray(paths),
        np.asarray(paths) @ V + c,
    )


def longest(slow: SlowManifolds, V: np.ndarray, c: float) -> Line:
    """Return the line that most states were brought onto; an error if there is none."""
    if not len(slow.dimension) or int(slow.dimension[0]) != 1:
        raise RuntimeError(f"the net has no line of slow states, but {slow!r}; train it longer")
    return line_of(jax.tree.map(np.asarray, slow), V, c)


def main() -> None:
    """Print what is known of each line and of its fixed points, and write the figure."""
    config = tyro.cli(Config)
    nets = run(config)
    for net in nets:
        told(net)
    print(f"\n{finding(nets)}")
    write("integrator", config, draw, nets)


def told(net: Opened) -> None:
    """Print the numbers of one net."""
    line = net.line
    print(f"\n{net.cell}: held-out mean squared error {net.loss:.2g}")
    print(
        f"  line over sums {line.sums.min():.2f} to {line.sums.max():.2f}, holds {100 * line.share:.0f} % of candidates"
    )
    print(
        f"  drift per step, in units of the sum: median {np.median(np.abs(line.drift)):.1e}, within ±1 at most "
        f"{np.abs(line.drift[np.abs(line.sums) < 1]).max():.1e}"
    )
    print(f"  time constants: along {np.median(line.along):.0f} steps (median), across at most {line.across.max():.1f}")
    print(f"  {'sum':>8}{'λ':>10}{'τ (steps)':>11}{'slope of the drift + 1':>24}{'residual':>10}")
    for i in np.argsort(net.values):
        if net.found.fixed[i] and not net.found.outlier[i]:
            value = net.values[i]
            on_line = line.sums.min() <= value <= line.sums.max()
            print(
                f"  {value:8.3f}{net.found.eigenvalues[i, 0].real:10.5f}{net.found.time_constants[i, 0]:11.0f}"
                f"{1 + line.slope(value) if on_line else np.nan:24.5f}{net.found.residual[i]:10.0e}"
            )


if __name__ == "__main__":
    main()
