"""How much noise, or how strong a bias, does it take to quench chaos?

tanh nets whose units get independent inputs of standard deviation s: white noise, drawn anew each step, or a bias,
drawn once. Both push units into saturation, where tanh' is small, so that a larger gain is needed before gradients
explode. In a wide net both do the same (`rd.theory`): with q = g² E[tanh²(√q z)] + s², the edge
χ₁ = g² E[sech⁴(√q z)] = 1 is
dashed beside the measured one.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.sweep import Variable, described, one_device_per_core

from .critical import begins_to_explode
from .figure import write

KINDS = ("noise", "bias")


@dataclass(frozen=True)
class Config:
    """`gains` and `strengths` are (first, last, how many)."""

    hidden: int = 100
    gains: tuple[float, float, int] = (0.5, 3.0, 26)
    strengths: tuple[float, float, int] = (0.0, 1.5, 16)
    nets: int = 8
    length: int = 800
    burn_in: int = 200
    seed: int = 0


@described(
    kind=Variable("1", "what the units get beside their recurrent input"),
    gain=Variable("1", "gain g of the recurrent weights"),
    strength=Variable("1", "standard deviation s of noise or bias"),
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
)
def measure(
    key: jax.Array, *, kind: str, hidden: int, length: int, burn_in: int, gain: jax.Array, strength: jax.Array
) -> dict[str, jax.Array]:
    """λ₁ of one net."""
    for_params, for_state, for_inputs, for_tangent = jax.random.split(key, 4)
    cell = rd.cells.elman
    # inputs of unit weight, one a unit: U is the identity times their strength
    params = cell.init(for_params, inputs=hidden, hidden=hidden, gain=gain)._replace(U=strength * jnp.eye(hidden))
    steps = length + burn_in
    drawn = jax.random.normal(for_inputs, (steps, hidden) if kind == "noise" else (hidden,))
    h0 = jax.random.normal(for_state, (hidden,))
    found = rd.largest_exponent(
        cell.step, params, h0, jnp.broadcast_to(drawn, (steps, hidden)), burn_in=burn_in, key=for_tangent
    )
    return {"exponent": found.exponent, "stderr": found.stderr}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """λ₁ over gain and strength, of noise and of bias."""
    grid: dict[str, Any] = {
        "kind": list(KINDS),
        "hidden": [config.hidden],
        "length": [config.length],
        "burn_in": [config.burn_in],
        "gain": np.linspace(*config.gains),
        "strength": np.linspace(*config.strengths),
    }
    key = jax.random.key(config.seed)
    dataset = rd.sweep(measure, grid, key=key, repeats=config.nets, progress=progress)
    return dataset.squeeze(("hidden", "length", "burn_in"))


def edge(strengths: np.ndarray) -> np.ndarray:
    """The critical gain of wide nets."""
    return np.array([float(rd.theory.edge_of_order(float(strength) ** 2)) ** 0.5 for strength in strengths])


def draw(dataset: xarray.Dataset) -> Figure:
    """A phase diagram for noise, and one for bias."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    for axis, kind in zip(axes, KINDS, strict=True):
        phases(axis, dataset.sel(kind=kind))
    return figure


def phases(axes: Axes, at: xarray.Dataset) -> None:
    gains, strengths = at.gain.values, at.strength.values
    exponents = at.exponent.mean("repeat").transpose("gain", "strength").values
    plot.phase_diagram(axes, strengths, gains, exponents)
    expected = edge(strengths)
    axes.plot(strengths, expected, "--", color="black", lw=1.4, label="_edge")
    axes.text(0.97, 0.05, r"dashed: mean field, $\chi_1 = 1$", color="white", ha="right", transform=axes.transAxes)
    kind = at.kind.item()
    axes.set(xlabel=f"standard deviation $s$ of the {kind}", ylabel="gain $g$")
    axes.set_ylim(gains[0], gains[-1])
    calm = quenched_at(at, 2.0)
    said = f"no chaos at g = 2 beyond s = {calm:.1f}" if np.isfinite(calm) else "chaos at g = 2 throughout"
    axes.set_title(f"{kind.capitalize()}: {said}")


def quenched_at(at: xarray.Dataset, gain: float) -> float:
    """The least strength beyond which the mean λ₁ at that gain stays negative; NaN if there is none."""
    exponents = at.exponent.mean("repeat").sel(gain=gain, method="nearest").values
    chaotic = np.flatnonzero(~(exponents < 0))
    last = chaotic[-1] if len(chaotic) else -1
    return float(at.strength.values[last + 1]) if last + 1 < len(exponents) else np.nan


def main() -> None:
    """Print the critical gains, write figures/saturation.png."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    strengths = dataset.strength.values
    print(f"gain at which the mean λ₁ of {config.nets} nets of {config.hidden} units passes 0 for the last time")
    print(f"{'s':>6}" + "".join(f"{name:>12}" for name in (*KINDS, "mean field")))
    for strength, expected in zip(strengths, edge(strengths), strict=True):
        means = [dataset.exponent.sel(kind=kind, strength=strength).mean("repeat").values for kind in KINDS]
        gains = [begins_to_explode(dataset.gain.values, mean, np.sign(mean)) for mean in means]
        print(f"{strength:6.2f}" + "".join(f"{gain:12.3f}" for gain in (*gains, expected)))
    write("saturation", draw, dataset)


if __name__ == "__main__":
    main()
