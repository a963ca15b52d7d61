"""How does the gradient change while a net learns to remember?

tanh, GRU and LSTM nets learn the adding problem over T = 50, 100 and 200 steps. At several looks during training the
experiment records the loss of held-out examples, the norm of ∂L/∂h_{T-ℓ} for every lag ℓ, and the largest Lyapunov
exponent λ_1 along the examples. Before training every gradient vanishes, fastest in the GRU. The gated nets learn as
their λ_1 T rises from below -5 to -3 and above. The tanh nets start with a larger gradient than the GRU, lose it, and
stay at chance.

All nets get the same budget: `updates` updates of `batch` examples, Adam, gradients clipped by norm. What is not learnt
within it may be learnt in a larger one. λ_1 is the mean over T steps from h_0 = 0 and over examples; exp(λ_1 T) is
about the fraction of a gradient that is left after T steps. With only two nets per cell and length, the figure gives
their range and no error.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import optax
import tyro
import xarray

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .figure import Output, write
from .training_dynamics_figure import SOLVED, draw, name_of, solved_after


@dataclass(frozen=True)
class Config(Output):
    """Every cell of `cells` learns every length of `lengths`, from `seeds` initialisations."""

    cells: tuple[str, ...] = ("elman", "gru", "lstm")
    lengths: tuple[int, ...] = (50, 100, 200)
    seeds: int = 2
    hidden: int = 32
    updates: int = 900
    looks: int = 18
    batch: int = 32
    rate: float = 0.01
    limit: float = 1.0
    seed: int = 0


@described(
    loss=Variable("1", "held-out loss", ("look",)),
    made=Variable("1", "number of updates so far", ("look",)),
    log_state_gradient=Variable("nats", "ln of the norm of the loss's gradient in h_t", ("look", "time")),
    exponent=Variable("nats per step", "largest Lyapunov exponent", ("look",)),
    stderr=Variable("nats per step", "its standard error", ("look",)),
    reliable=Variable("1", "whether the exponent is reliable", ("look",)),
)
def learn(
    key: jax.Array, *, cell: str, length: int, hidden: int, updates: int, looks: int, batch: int, rate: Any, limit: Any
) -> dict[str, jax.Array]:
    """Train one net and return what was recorded during training."""
    probes = {
        "states": train.probes.log_state_gradients(examples=16),
        "lyapunov": train.probes.lyapunov(examples=4),
    }
    optimizer = optax.chain(train.clip_by_norm(limit), optax.adam(rate))
    task, chosen = train.tasks.adding(length), rd.cells.CELLS[cell]
    evaluation = train.Evaluation(every=updates // looks, probes=probes)
    found = train.fit(
        chosen, task, optimizer, key=key, updates=updates, hidden=hidden, batch=batch, evaluation=evaluation
    )
    return {
        "loss": found.held_out_loss,
        "made": found.recorded,
        "log_state_gradient": found.probes["states"],
        "exponent": found.probes["lyapunov"]["exponents"][:, 0],
        "stderr": found.probes["lyapunov"]["stderr"][:, 0],
        "reliable": found.probes["lyapunov"]["reliable"][:, 0],
    }


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Train all nets and return the records over (cell, length, repeat, look)."""
    grid: dict[str, Any] = {"cell": list(config.cells), "length": list(config.lengths)}
    grid |= {name: [getattr(config, name)] for name in ("hidden", "updates", "looks", "batch", "rate", "limit")}
    found = rd.sweep(learn, grid, key=jax.random.key(config.seed), repeats=config.seeds, progress=progress)
    return found.squeeze(("hidden", "updates", "looks", "batch", "rate", "limit")).load()


def main() -> None:
    """Print which nets solve the task, with λ_1 before and after training, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"{config.updates} updates of {config.batch} examples; solved: held-out loss below {SOLVED}")
    print(f"{'cell':>6}{'T':>5}{'net':>5}{'solved after':>14}{'loss':>10}{'λ₁ before':>12}{'after':>9}{'2 errors':>10}")
    for cell in dataset.cell.values:
        for length in dataset.length.values:
            at = dataset.sel(cell=cell, length=length)
            for net, after in enumerate(solved_after(at)):
                one = at.isel(repeat=net)
                before, final = one.exponent.values[[0, -1]]
                errors = 2 * one.stderr.values[-1]
                shown = f"{after:14.0f}" if np.isfinite(after) else f"{'never':>14}"
                print(
                    f"{name_of(cell):>6}{length:5d}{net:5d}{shown}{one.loss.values[-1]:10.2g}{before:12.3f}{final:9.3f}"
                    f"{errors:10.3f}" + ("" if one.reliable.values[-1] else "  unreliable")
                )
    write("training_dynamics", config, draw, dataset)


if __name__ == "__main__":
    main()
