"""Does a net learn a longer delay if its Lyapunov exponents are brought to 0 before training?

Yes, if nearly all of them are brought to 0 (Engelken 2023, who flosses 75 exponents of 80; here the sizes are smaller).
tanh nets learn to output b_{t-d/2} XOR b_{t-d} of a stream of bits. They start in four ways: from a Gaussian W with
gain 1, from an orthogonal W, and from the Gaussian W after `floss_updates` updates of flossing few or nearly all
exponents. All get the same training budget. λ_1 near 0 is not enough, because d bits must be carried back along d
directions. An orthogonal W does not keep λ near 0, because the inputs saturate the units.

A delay counts as learnt if at one of the looks at most one held-out answer in twenty is wrong. Each net starts from the
same weights for every delay.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import tyro
import xarray

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.sweeps import Variable, described, one_device_per_core
from rnn_dynamics.train.tasks.temporal_xor import compared

from .counts import wilson
from .figure import Output, write
from .preflossing_figure import draw, learnt


class Start(NamedTuple):
    """How W is drawn, and the fraction of all exponents that flossing then brings to 0."""

    recurrent: Any = rd.cells.initializers.gaussian
    flossed: float = 0.0


STARTS = {
    "Gaussian": Start(),
    "orthogonal": Start(rd.cells.initializers.orthogonal),
    "a quarter flossed": Start(flossed=0.25),
    "nearly all flossed": Start(flossed=0.92),
}


@dataclass(frozen=True)
class Config(Output):
    """Each of `starts` learns the delays `spacing` times 1 to `delays`, from `seeds` initialisations."""

    starts: tuple[str, ...] = tuple(STARTS)
    spacing: int = 10
    delays: int = 4
    seeds: int = 6
    hidden: int = 48
    floss_updates: int = 200
    floss_length: int = 55
    floss_rate: float = 0.005
    updates: int = 1000
    looks: int = 20
    batch: int = 16
    rate: float = 0.001
    limit: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the sweep starts."""
        unknown = set(self.starts) - set(STARTS)
        if unknown or self.updates % self.looks or self.spacing % 2:
            raise ValueError(
                f"starts, looks, spacing: got {unknown or None}, {self.looks}, {self.spacing}, "
                f"expected some of {tuple(STARTS)}, a divisor of {self.updates}, an even number"
            )


def after(delay: Any, hardest: train.Task) -> train.Task:
    """Return temporal XOR with the inputs of the hardest task but another delay, which may be traced."""

    def sample(key: jax.Array) -> train.Example:
        xs = hardest.sample(key).xs
        return train.Example(xs, *compared(xs[:, 0].astype(int), delay))

    return hardest._replace(sample=sample)


@described(
    exponents=Variable("nats per step", "Lyapunov exponents before training", ("index",)),
    correct=Variable("1", "fraction of held-out answers that are right", ("delay", "look")),
    loss=Variable("nats", "held-out loss", ("delay", "look")),
    outcome=Variable("1", "2 where an update was not finite", ("delay",)),
)
def learn(
    key: jax.Array,
    *,
    start: str,
    spacing: int,
    delays: int,
    hidden: int,
    floss_updates: int,
    floss_length: int,
    floss_rate: Any,
    updates: int,
    looks: int,
    batch: int,
    rate: Any,
    limit: Any,
) -> dict[str, jax.Array]:
    """Measure the exponents of one net before training, then train it on every delay."""
    for_net, for_floss, for_fit, for_stream = jax.random.split(key, 4)
    cell, longest = rd.cells.elman, spacing * delays
    hardest = train.tasks.temporal_xor(max(2 * longest, floss_length), longest)
    net = train.init_net(cell, hardest, key=for_net, hidden=hidden, recurrent=STARTS[start].recurrent)
    k = round(STARTS[start].flossed * hidden)
    if k:
        options: dict[str, Any] = {
            "updates": floss_updates,
            "optimizer": optax.adam(floss_rate),
            "length": floss_length,
        }
        net = train.prefloss(cell, net, hardest, key=for_floss, k=k, **options).net
    stream = train.tasks.temporal_xor(500, longest).sample(for_stream).xs
    spectrum = rd.lyapunov_spectrum(cell.step, net.params, cell.initial_state(net.params), stream, burn_in=100)
    optimizer = optax.chain(optax.clip_by_global_norm(limit), optax.adam(rate))

    def fitted(delay: jax.Array) -> train.Fit:
        evaluation = train.Evaluation(every=updates // looks, examples=64)
        given: dict[str, Any] = {
            "key": for_fit,
            "updates": updates,
            "net": net,
            "batch": batch,
            "evaluation": evaluation,
        }
        return train.fit(cell, after(delay, hardest), optimizer, **given)

    found = jax.vmap(fitted)(spacing * (1 + jnp.arange(delays)))
    return {
        "exponents": spectrum.exponents,
        "correct": found.correct,
        "loss": found.held_out_loss,
        "outcome": found.outcome,
    }


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Run `learn` over (start, repeat) and add `learnt`: at some look at most one answer in twenty was wrong."""
    numbers = {
        name: [value] for name, value in asdict(config).items() if name not in ("out", "starts", "seeds", "seed")
    }
    grid: dict[str, Any] = {"start": list(config.starts)} | numbers
    found = rd.sweep(learn, grid, key=jax.random.key(config.seed), repeats=config.seeds, progress=progress)
    delay, look = config.spacing * (1 + found.delay), found.look * (config.updates // config.looks)
    found = found.squeeze(tuple(numbers)).load().assign_coords(delay=delay, look=look)
    return found.assign(learnt=(found.correct >= 1 - train.tasks.levels.FEW).any("look"))


def main() -> None:
    """Print how many nets learnt each delay from each start, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(
        f"nets out of {config.seeds} that learnt in {config.updates} updates of {config.batch} (median best accuracy)"
    )
    print(f"{'delay':>20}" + "".join(f"{delay:>14}" for delay in dataset.delay.values) + f"{'λ₁':>10}{'last λ':>10}")
    for name, counts in zip(dataset.start.values, learnt(dataset), strict=True):
        at = dataset.sel(start=name)
        most = at.correct.max("look").median("repeat").values
        λ = at.exponents.median("repeat").values
        cells = "".join(f"{count:>5} ({share:.3f})".rjust(14) for count, share in zip(counts, most, strict=True))
        failed = int((at.outcome == 2).sum())
        print(f"{name:>20}{cells}{λ[0]:10.3f}{λ[-1]:10.3f}" + (f"  {failed} stopped: not finite" if failed else ""))
    low, high = wilson(config.seeds, config.seeds)
    print(f"95 % confidence interval of the rate {config.seeds} of {config.seeds}: {low:.2f} to {high:.2f}")
    write("preflossing", config, draw, dataset)


if __name__ == "__main__":
    main()
