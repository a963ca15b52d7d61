"""How much noise, or how strong a bias, does it take to quench chaos?

The units of tanh nets get independent inputs of standard deviation s: white noise, drawn anew at each step, or a bias,
drawn once. Both push the units into saturation, where tanh' is small, so gradients explode only at a larger gain. In a
wide net both have the same effect (`rd.theory`): with q = g² E[tanh²(√q z)] + s², the edge is
χ₁ = g² E[sech⁴(√q z)] = 1. It is drawn dashed, next to the measured edge.

The sign of a mean λ₁ is known by the rule of `critical.regime`, with the standard error over the nets. Where it is
unknown, the measured edge has islands. This happens where nets with a fixed bias settle into cycles.
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
from rnn_dynamics.plot.caveats import note
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .critical import regime
from .figure import Output, write

KINDS = ("noise", "bias")


@dataclass(frozen=True)
class Config(Output):
    """`gains` and `strengths` are (first, last, number)."""

    hidden: int = 100
    gains: tuple[float, float, int] = (0.5, 3.0, 26)
    strengths: tuple[float, float, int] = (0.0, 1.5, 16)
    nets: int = 8
    length: int = 800
    burn_in: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the sweep starts."""
        for name, (first, last, number) in (("gains", self.gains), ("strengths", self.strengths)):
            if not 0 <= first < last or number < 2 or (name == "gains" and first == 0):
                least = "0 < first" if name == "gains" else "0 <= first"
                got = f"{name}: got {(first, last, number)}"
                raise ValueError(f"{got}, expected (first, last, number) with {least} < last and number >= 2")


@described(
    kind=Variable("1", "input to the units besides the recurrent one"),
    gain=Variable("1", "gain g of the recurrent weights"),
    strength=Variable("1", "standard deviation s of noise or bias"),
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
    reliable=Variable("1", "whether the exponent is reliable"),
)
def measure(
    key: jax.Array, *, kind: str, hidden: int, length: int, burn_in: int, gain: jax.Array, strength: jax.Array
) -> dict[str, jax.Array]:
    """Measure λ₁ of one net."""
    for_params, for_state, for_inputs, for_tangent = jax.random.split(key, 4)
    cell = rd.cells.elman
    # each unit has its own input, so U is the identity times the strength
    params = cell.init(for_params, inputs=hidden, hidden=hidden, gain=gain)._replace(U=strength * jnp.eye(hidden))
    steps = length + burn_in
    drawn = jax.random.normal(for_inputs, (steps, hidden) if kind == "noise" else (hidden,))
    h0 = jax.random.normal(for_state, (hidden,))
    found = rd.largest_exponent(
        cell.step, params, h0, jnp.broadcast_to(drawn, (steps, hidden)), burn_in=burn_in, key=for_tangent
    )
    return {"exponent": found.exponent, "stderr": found.stderr, "reliable": found.reliable}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Measure λ₁ over gain and strength, and add the `mean` over the nets and its `fate`, the sign if known."""
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
    dataset = dataset.squeeze(("hidden", "length", "burn_in")).load()
    nets = dataset.sizes["repeat"]
    scatter = dataset.exponent.std("repeat", ddof=1, skipna=False) / np.sqrt(nets) if nets > 1 else None
    stderr = dataset.stderr.isel(repeat=0) if scatter is None else scatter
    mean, reliable = dataset.exponent.mean("repeat", skipna=False), dataset.reliable.astype(bool).all("repeat")
    return dataset.assign(mean=mean, fate=xarray.apply_ufunc(regime, mean, stderr, reliable, config.length))


def edge(strengths: np.ndarray) -> np.ndarray:
    """Return the critical gain of wide nets at each strength."""
    return np.array([float(rd.theory.edge_of_order(float(strength) ** 2)) ** 0.5 for strength in strengths])


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one phase diagram for noise and one for bias."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    for axis, kind in zip(axes, KINDS, strict=True):
        phases(axis, dataset.sel(kind=kind))
    return figure


def phases(axes: Axes, at: xarray.Dataset) -> None:
    """Plot the mean λ₁ over strength and gain, the edge of wide nets, and dots where the sign is unknown."""
    gains, strengths = at.gain.values, at.strength.values
    plot.phase_diagram(axes, strengths, gains, at["mean"].transpose("gain", "strength").values)
    expected = edge(strengths)
    axes.plot(strengths, expected, "--", color="black", lw=1.4, label="_edge")
    axes.text(0.97, 0.05, r"dashed: mean field, $\chi_1 = 1$", color="white", ha="right", transform=axes.transAxes)
    rows, columns = np.nonzero(np.abs(at.fate.transpose("gain", "strength").values) != 1)
    axes.plot(strengths[columns], gains[rows], ".", ms=3, color="black", label="_unknown")
    note(axes, f"dots: the mean of {at.sizes['repeat']} nets may be 0\n(within 2 standard errors + 1/T);")
    note(axes, "the solid line is uncertain there")
    kind = at.kind.item()
    axes.set(xlabel=f"standard deviation $s$ of the {kind}", ylabel="gain $g$")
    axes.set_ylim(gains[0], gains[-1])
    axes.set_title(f"{kind.capitalize()} {said_of(at, 2.0)}")


def said_of(at: xarray.Dataset, gain: float) -> str:
    """State up to which strength the mean λ₁ is known to be positive, and from which on negative, near this gain."""
    row = at.sel(gain=gain, method="nearest")
    fates, strengths = row.fate.values, row.strength.values
    chaotic, others = np.flatnonzero(fates == 1), np.flatnonzero(fates != -1)
    begins = others[-1] + 1 if len(others) else 0
    parts = [rf"$\lambda_1$ > 0 up to s = {strengths[chaotic[-1]]:.1f}"] if len(chaotic) else []
    symbol = "" if parts else r"$\lambda_1$ "
    parts += [f"{symbol}< 0 from {strengths[begins]:.1f} on"] if begins < len(strengths) else []
    return f"at g = {row.gain.item():.2g}: " + (", ".join(parts) or r"sign of $\lambda_1$ unknown")


def edge_between(gains: np.ndarray, fates: np.ndarray) -> str:
    """Return the last gain where the mean λ₁ is known to be negative, and the gain from which it is known positive."""
    negative, others = np.flatnonzero(fates == -1), np.flatnonzero(fates != 1)
    begins = others[-1] + 1 if len(others) else 0
    low = f"{gains[negative[-1]]:.2f}" if len(negative) else f"< {gains[0]:g}"
    return f"{low} to {gains[begins]:.2f}" if begins < len(gains) else f"{low} to > {gains[-1]:g}"


def main() -> None:
    """Print the critical gains and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    strengths = dataset.strength.values
    print(f"gains between which the mean λ₁ of {config.nets} nets of {config.hidden} units changes sign")
    print(f"{'s':>6}" + "".join(f"{name:>16}" for name in (*KINDS, "mean field")))
    for strength, expected in zip(strengths, edge(strengths), strict=True):
        rows = [dataset.sel(kind=kind, strength=strength) for kind in KINDS]
        between = [edge_between(row.gain.values, row.fate.values) for row in rows]
        print(f"{strength:6.2f}" + "".join(f"{text:>16}" for text in (*between, f"{expected:.2f}")))
    write("saturation", config, draw, dataset)


if __name__ == "__main__":
    main()
