"""Does a net that learns to add find the adder that was wired by hand, and does its gradient show the carry?

tanh nets of three units are trained to add two numbers bit by bit, from the least significant. The net of the exercise
(`exercises.adder`) was wired by hand for the same task, with hard thresholds. After training, all pairs are added. The
best trained net, which has the lowest held-out loss among those that add most pairs, is compared with the wired one:
its weights, and its states over the sum of the two bits and the carry, 0 to 3. In the wired net unit k tells whether
that sum is at least k, so the carry is its second unit.

Where the two bits differ the carry is passed on, over any number of such steps. Every net that adds all pairs is tested
on long sums that pass one carry on all the way. The gradient ∂h_t/∂h_{t-ℓ} along such a carry is compared with that
over random bits, for the trained nets and for the wired one. There σ(βz) replaces the threshold, whose gradient is 0. A
net can add short numbers without holding a carry for long, and the nets that hold it have the smaller median gradient.
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

import rnn_dynamics as rd
from rnn_dynamics import train

from .exercises import adder
from .figure import Output, write
from .learned_adder_figure import draw, keeping, said_right

TANH, LOGISTIC = rd.cells.elman, rd.cells.make_elman("logistic")
STREAMS = ("carried", "random")


@dataclass(frozen=True)
class Config(Output):
    """`nets` nets of `hidden` units learn sums of `bits` bits; `far` is the number of bits of the long sums."""

    hidden: int = 3
    bits: int = 6
    far: int = 60
    nets: int = 32
    updates: int = 4000
    batch: int = 64
    rate: float = 0.01
    slope: float = 8.0
    lags: int = 30
    seed: int = 0


class Adder(NamedTuple):
    """A net that adds: its cell, its parameters, and its readout V h + c, positive for a bit of 1."""

    cell: rd.cells.Cell
    params: rd.cells.Affine
    V: np.ndarray
    c: float


def learn(config: Config) -> train.Fit:
    """Train all nets at once; the results have a leading axis."""
    task, optimizer = train.tasks.binary_addition(config.bits), optax.adam(config.rate)
    options: dict[str, Any] = {"updates": config.updates, "hidden": config.hidden, "batch": config.batch}
    looks = train.Evaluation(every=max(1, config.updates // 40))

    def one(key: jax.Array) -> train.Fit:
        return train.fit(TANH, task, optimizer, key=key, evaluation=looks, **options)

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(config.seed), config.nets))


def as_adder(net: train.Net) -> Adder:
    """Return the trained net with the two classes of its readout as one number, positive for a bit of 1."""
    V, c = net.readout
    return Adder(TANH, net.params, np.asarray(V[1] - V[0]), float(c[1] - c[0]))


def wired(slope: float) -> Adder:
    """Return the adder of the exercise with logistic units of that slope."""
    params = rd.cells.Affine(W=jnp.asarray(adder.W), U=jnp.asarray(adder.U), b=jnp.asarray(adder.B))
    return Adder(LOGISTIC, jax.tree.map(lambda leaf: slope * leaf, params), adder.V, adder.B_Y)


def states(net: Adder, xs: np.ndarray) -> np.ndarray:
    """Return h_1 .. h_T of every example, (examples, T, hidden)."""
    return np.asarray(unrolled(net.cell, net.params, jnp.asarray(xs, net.params.W.dtype)))


@partial(jax.jit, static_argnames="cell")
def unrolled(cell: rd.cells.Cell, params: rd.cells.Affine, inputs: jax.Array) -> jax.Array:
    """Compute the states; compiled once for all nets of a cell."""
    h0 = cell.initial_state(params)
    return jax.vmap(lambda x: rd.unroll(cell.step, params, h0, x))(inputs)


def wrong(net: Adder, xs: np.ndarray, right: np.ndarray) -> int:
    """Return how many sums have a wrong bit."""
    answers = states(net, xs) @ net.V + net.c > 0
    return int(np.any(answers != (right > 0.5), axis=1).sum())


def to_add(xs: np.ndarray) -> np.ndarray:
    """Return the sum of both bits and the carry at every step, 0 to 3."""
    count = xs.sum(axis=2).astype(int)
    for t in range(1, xs.shape[1]):
        count[:, t] += count[:, t - 1] // 2
    return count


def by_count(net: Adder, bits: int) -> tuple[np.ndarray, ...]:
    """Return every unit's minimum, mean and maximum state where bits and carry sum to 0 .. 3, each (4, hidden)."""
    xs, _ = adder.all_pairs(bits)
    found, count = states(net, xs), to_add(xs)
    groups = [found[count == number] for number in range(4)]
    return tuple(np.array([of(group, axis=0) for group in groups]) for of in (np.min, np.mean, np.max))


def stream(name: str, steps: int, key: jax.Array) -> jax.Array:
    """Return pairs of bits: random ones, or one pair that makes a carry and then unequal pairs, which pass it on."""
    if name == "random":
        return jax.random.bernoulli(key, 0.5, (steps, 2)).astype(jnp.float64)
    first = jax.random.bernoulli(key, 0.5, (steps,)).astype(jnp.float64)
    return jnp.stack([first, 1 - first], axis=1).at[0].set(1.0)


@partial(jax.jit, static_argnames=("cell", "kind", "lags"))
def log_norms(cell: rd.cells.Cell, params: rd.cells.Affine, keys: jax.Array, *, kind: str, lags: int) -> jax.Array:
    """Return ln ‖∂h_t/∂h_{t-ℓ}‖ (example, lag) along one kind of input."""
    h0 = cell.initial_state(params)

    def one(key: jax.Array) -> jax.Array:
        return rd.gradient_flow(cell.step, params, h0, stream(kind, lags + 1, key), lags=lags).log_norm

    return jax.vmap(one)(keys)


def flows(net: Adder, lags: int, key: jax.Array, examples: int = 64) -> dict[str, np.ndarray]:
    """Return ln ‖∂h_t/∂h_{t-ℓ}‖ (example, lag) along both kinds of input, in float64."""
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), net.params)
    keys = jax.random.split(key, examples)
    return {kind: np.asarray(log_norms(net.cell, params, keys, kind=kind, lags=lags)) for kind in STREAMS}


def long_sums(net: Adder, far: int, seed: int, pairs: int = 2000) -> dict[str, float]:
    """Return the fraction of correct sums of `far` bits: random bits, and bits that pass one carry on all the way.

    The latter begin alternately with two ones and with two zeros, and have a 1 and a 0 in every later place. A net that
    forgets the carry gets half of them right.
    """
    random = np.random.default_rng(seed).integers(0, 2, (pairs, far + 1, 2))
    carried = random.copy()
    carried[..., 1] = 1 - carried[..., 0]
    carried[:, 0] = np.arange(pairs)[:, None] % 2
    random[:, -1] = carried[:, -1] = 0
    streams = {"random": random, "carried": carried}
    return {name: 1 - wrong(net, xs.astype(float), to_add(xs) % 2) / pairs for name, xs in streams.items()}


def run(config: Config = Config()) -> xarray.Dataset:
    """Train the nets, count the `wrong` sums of each, and examine the best one and the wired one."""
    found = learn(config)
    xs, right = adder.all_pairs(config.bits)
    nets = [as_adder(jax.tree.map(lambda leaf, i=i: leaf[i], found.net)) for i in range(config.nets)]
    errors = np.array([wrong(net, xs, right) for net in nets])
    ended = np.asarray(found.held_out_loss[:, -1])
    best = int(np.lexsort((np.where(np.isfinite(ended), ended, np.inf), errors))[0])
    weights = np.column_stack([np.asarray(leaf) for leaf in (*nets[best].params, nets[best].V)])
    dataset = xarray.Dataset(
        {
            "loss": (("net", "recorded"), np.asarray(found.held_out_loss)),
            "wrong": ("net", errors),
            **of_perfect(nets, errors == 0, config),
            "trained_weights": (("unit", "weight"), weights),
        },
        coords={"recorded": np.asarray(found.recorded[0])},
        attrs={"best": best, "sums": len(xs), "bits": config.bits, "far": config.far, "slope": config.slope},
    )
    with jax.enable_x64(True):
        for name, net in (("trained", nets[best]), ("wired", wired(config.slope))):
            dataset = dataset.merge(looked_at(name, net, config))
    return dataset


def of_perfect(nets: list[Adder], perfect: np.ndarray, config: Config) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the fraction of correct long sums and the median gradient of every net that adds all pairs, else NaN."""
    found = {f"far_{kind}": np.full(len(nets), np.nan) for kind in STREAMS}
    found |= {f"flow_{kind}": np.full((len(nets), config.lags + 1), np.nan) for kind in STREAMS}
    with jax.enable_x64(True):
        for i in np.flatnonzero(perfect):
            right = long_sums(nets[i], config.far, config.seed)
            gradients = flows(nets[i], config.lags, jax.random.key(config.seed))
            for kind in STREAMS:
                found[f"far_{kind}"][i] = right[kind]
                found[f"flow_{kind}"][i] = np.median(gradients[kind], axis=0)
    return {name: (("net", "lag")[: values.ndim], values) for name, values in found.items()}


def looked_at(name: str, net: Adder, config: Config) -> xarray.Dataset:
    """Measure the states, gradients and long sums of one adder."""
    unit = "unit" if name == "trained" else "wired_unit"
    variables: dict[str, Any] = {
        f"{name}_{part}": (("count", unit), values)
        for part, values in zip(("low", "mean", "high"), by_count(net, config.bits), strict=True)
    }
    for kind, values in flows(net, config.lags, jax.random.key(config.seed)).items():
        variables[f"{name}_flow_{kind}"] = (("example", "lag"), values)
    variables |= {f"{name}_far_{kind}": right for kind, right in long_sums(net, config.far, config.seed).items()}
    return xarray.Dataset(variables, {"count": range(4), "lag": range(config.lags + 1)})


def main() -> None:
    """Print which nets add and what is left of the gradient along a carry, and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    errors = dataset.wrong.values
    print(
        f"{(errors == 0).sum()} of {config.nets} nets add all {dataset.sums} pairs; errors: {sorted(errors.tolist())}"
    )
    for name in ("trained", "wired"):
        for kind in STREAMS:
            right = 100 * dataset[f"{name}_far_{kind}"].item()
            last = np.median(dataset[f"{name}_flow_{kind}"].isel(lag=-1)) / np.log(10)
            print(
                f"{name}, {kind} bits: {right:.1f} % of sums of {config.far} bits are correct, and the median norm of "
                f"the gradient over {config.lags} steps is 10^{last:.1f}"
            )
    print(f"correct sums that pass on a carry over {config.far} steps, {said_right(dataset)}")
    for those, said in zip(keeping(dataset), ("at least 99 %", "fewer"), strict=True):
        if those.any():
            last = np.median(dataset.flow_carried.values[those, -1]) / np.log(10)
            print(f"{said} in {those.sum()} nets; median norm of their gradient over {config.lags} steps 10^{last:.1f}")
    write("learned_adder", config, draw, dataset)


if __name__ == "__main__":
    main()
