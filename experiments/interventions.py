"""Which interventions let a net learn a longer delay?

The task is copy memory: `symbols` letters are shown, and after a delay of blanks the net must name them. Every sequence
is as long as the longest delay needs, with blanks before the letters, so that one program serves all delays. Each net
gets the same small budget of updates. A delay counts as learnt if at any look the held-out loss is as low as with one
answer in twenty wrong. More updates would lengthen the delays that are learnt, but not equally for all interventions:
the comparison is of learning within the budget. Except for the gated cells every net is tanh, and its W is Gaussian
with gain 1 unless stated otherwise.

Each strength is a single ordinary choice, not tuned, and a difference of one or two nets out of `seeds` is chance
(Wilson's interval is printed). With the default seed, pre-flossing is far ahead at a delay of 20 and alone reaches 40.
The orthogonal cell and flossing during training are ahead by two or three nets. A spectral radius of at most 1 prevents
learning, and cells whose gates start open are too slow for the budget.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import tyro
import xarray

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .counts import wilson
from .figure import Output, write
from .interventions_figure import draw, learnt, longest


class Plan(NamedTuple):
    """A cell, its initialisation, and the changes to its gradient before Adam, to its parameters after, to its loss."""

    cell: rd.cells.Cell = rd.cells.elman
    recurrent: Any = rd.cells.initializers.gaussian
    chrono: tuple[str, str] | tuple[str] | tuple[()] = ()  # the bias of the keeping gate, and of the opposite one
    before: optax.GradientTransformation = optax.identity()
    after: optax.GradientTransformation = optax.identity()
    penalties: tuple[Any, ...] = ()
    unrolling: train.Unrolling = train.Unrolling()
    preflossed: bool = False


FLOSSED = 20  # of 24 exponents; `preflossing` shows why nearly all
# functions, because JAX must not compute anything before `one_device_per_core`
PLANS: dict[str, Callable[[], Plan]] = {
    "none": Plan,
    "clip by norm": lambda: Plan(before=train.clip_by_norm(1.0)),
    "clip by value": lambda: Plan(before=train.clip_by_value(0.1)),
    "clip each step": lambda: Plan(unrolling=train.Unrolling(clip_each_step=1.0)),
    "noise": lambda: Plan(unrolling=train.Unrolling(noise=0.05)),
    "radius at most 1": lambda: Plan(after=train.project_spectral_radius(1.0)),
    "soft orthogonality": lambda: Plan(penalties=(train.soft_orthogonality(1.0),)),
    "orthogonal start": lambda: Plan(recurrent=rd.cells.initializers.orthogonal),
    "orthogonal cell": lambda: Plan(cell=rd.cells.orthogonal, recurrent=None),
    "omega": lambda: Plan(penalties=(train.norm_preserving(0.1),)),
    "flossing": lambda: Plan(penalties=(train.flossing(1.0, k=FLOSSED, every=10),)),
    "pre-flossing": lambda: Plan(preflossed=True),
    "GRU": lambda: Plan(cell=rd.cells.gru),
    "GRU, chrono": lambda: Plan(cell=rd.cells.gru, chrono=("update_bias",)),
    "LSTM": lambda: Plan(cell=rd.cells.lstm),
    "LSTM, chrono": lambda: Plan(cell=rd.cells.lstm, chrono=("forget_bias", "input_bias")),
}
FEW_WRONG = train.tasks.copy_memory().solved


@dataclass(frozen=True)
class Config(Output):
    """Each of `interventions` is tried at every delay, from `seeds` initialisations."""

    interventions: tuple[str, ...] = tuple(PLANS)
    delays: tuple[int, ...] = (5, 10, 20, 40)
    symbols: int = 2
    alphabet: int = 4
    seeds: int = 8
    hidden: int = 24
    updates: int = 400
    looks: int = 8
    batch: int = 16
    rate: float = 0.01
    flossed: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the sweep starts."""
        unknown = set(self.interventions) - set(PLANS)
        if unknown or self.updates % self.looks:
            raise ValueError(
                f"interventions, looks: got {unknown or self.looks}, "
                f"expected some of {tuple(PLANS)}, and a divisor of updates"
            )


def copy_after(delay: Any, longest: int, symbols: int, alphabet: int) -> train.Task:
    """Return copy memory with blanks before the letters, as long as for the longest delay; `delay` may be traced."""
    like = train.tasks.copy_memory(longest, symbols, alphabet)
    begin = longest - jnp.asarray(delay).astype(jnp.int32)

    def sample(key: jax.Array) -> train.Example:
        at_once = like.sample(key)
        letters, blank = at_once.xs[:symbols], at_once.xs[symbols]
        xs = at_once.xs.at[:symbols].set(blank)
        return at_once._replace(xs=jax.lax.dynamic_update_slice(xs, letters, (begin, jnp.zeros_like(begin))))

    return like._replace(sample=sample)


def start(
    plan: Plan, task: train.Task, *, key: jax.Array, hidden: int, longest: int, flossed: int, rate: Any
) -> train.Net:
    """Return the net before its first update; chrono biases depend on the longest delay, which they need to know."""
    for_net, for_bias, for_floss = jax.random.split(key, 3)
    options: dict[str, Any] = {} if plan.recurrent is None else {"recurrent": plan.recurrent}
    bias = rd.cells.initializers.chrono(for_bias, hidden, longest=float(longest))
    options |= {gate: sign * bias for gate, sign in zip(plan.chrono, (1, -1), strict=False)}
    net = train.init_net(plan.cell, task, key=for_net, hidden=hidden, **options)
    if plan.preflossed:
        floss: dict[str, Any] = {"k": FLOSSED, "updates": flossed, "optimizer": optax.adam(rate)}
        net = train.prefloss(plan.cell, net, task, key=for_floss, **floss).net
    return net


@described(
    loss=Variable("nats", "held-out loss", ("look",)),
    correct=Variable("1", "fraction of letters named correctly", ("look",)),
    outcome=Variable("1", "2 where an update was not finite"),
)
def learn(
    key: jax.Array,
    *,
    intervention: str,
    delay: Any,
    longest: int,
    symbols: int,
    alphabet: int,
    hidden: int,
    updates: int,
    looks: int,
    batch: int,
    rate: Any,
    flossed: int,
) -> dict[str, jax.Array]:
    """Train one net on one delay with one intervention."""
    plan, (for_net, for_fit) = PLANS[intervention](), jax.random.split(key)
    hardest = train.tasks.copy_memory(longest, symbols, alphabet)
    net = start(plan, hardest, key=for_net, hidden=hidden, longest=longest, flossed=flossed, rate=rate)
    task = copy_after(delay, longest, symbols, alphabet)
    optimizer = optax.chain(plan.before, optax.adam(rate), plan.after)
    found = train.fit(
        plan.cell,
        task,
        optimizer,
        key=for_fit,
        updates=updates,
        net=net,
        batch=batch,
        penalties=plan.penalties,
        unrolling=plan.unrolling,
        evaluation=train.Evaluation(every=updates // looks),
    )
    return {"loss": found.held_out_loss, "correct": found.correct, "outcome": found.outcome}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Return the held-out loss over (intervention, delay, repeat, look), and `learnt`, whether it was low enough."""
    names = ("symbols", "alphabet", "hidden", "updates", "looks", "batch", "rate", "flossed")
    grid: dict[str, Any] = {"intervention": list(config.interventions), "delay": [float(d) for d in config.delays]}
    grid |= {name: [getattr(config, name)] for name in names} | {"longest": [max(config.delays)]}
    found = rd.sweep(learn, grid, key=jax.random.key(config.seed), repeats=config.seeds, progress=progress)
    found = found.squeeze((*names, "longest")).load()
    ever = (found.loss <= FEW_WRONG).any("look") & (found.status != 3)
    chance = train.tasks.copy_memory(alphabet=config.alphabet).chance
    return found.assign(learnt=ever).assign_attrs(solved=FEW_WRONG, chance=chance, updates=config.updates)


def main() -> None:
    """Print how many nets learnt each delay, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    counts, losses = learnt(dataset), dataset.loss.min("look").median("repeat")
    print(f"nets out of {config.seeds} that learnt in {config.updates} updates of {config.batch} (median lowest loss)")
    print(f"{'delay':>20}" + "".join(f"{delay:>14}" for delay in config.delays))
    for row, name in zip(counts, dataset.intervention.values, strict=True):
        medians = losses.sel(intervention=name).values
        cells = "".join(f"{count:>5} ({median:.3f})".rjust(14) for count, median in zip(row, medians, strict=True))
        failed = int((dataset.outcome.sel(intervention=name) == 2).sum())
        print(f"{name:>20}{cells}" + (f"  {failed} stopped: not finite" if failed else ""))
    low, high = wilson(config.seeds // 2, config.seeds)
    print(f"95 % confidence interval of the rate {config.seeds // 2} of {config.seeds}: {low:.2f} to {high:.2f}")
    for name, reach in zip(dataset.intervention.values, longest(dataset), strict=True):
        print(f"{name:>20}: most nets learn {f'a delay of {reach:g}' if reach else 'no delay'}")
    write("interventions", config, draw, dataset)


if __name__ == "__main__":
    main()
