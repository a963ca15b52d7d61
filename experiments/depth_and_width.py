"""How much does a finite net differ from the theory of wide ones, and what do layers add?

tanh nets without input, of 16 to 512 units. Deep in chaos λ₁ of one draw scatters around the mean-field value, less the
wider the net. Near the edge it is biased: the gain beyond which a net is chaotic comes down to the 1 of wide nets only
slowly. A stack of layers, each driven by the one below, has a block-triangular Jacobian: its exponents are those of its
layers, and λ₁ is the largest of them; but a layer that is driven by chaos is not the layer that runs alone.
"""

from dataclasses import dataclass
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.sweep import Variable, described, one_device_per_core

from .critical import begins_to_explode
from .figure import write


@dataclass(frozen=True)
class Config:
    """`gain` lies deep in chaos; the edge is sought among `gains`, (first, last, how many)."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    gain: float = 3.0
    gains: tuple[float, float, int] = (0.8, 2.4, 17)
    layers: tuple[int, ...] = (1, 2, 3, 4)
    layer_width: int = 64
    nets: int = 16
    length: int = 1000
    burn_in: int = 500
    seed: int = 0


@described(
    hidden=Variable("1", "units of a layer"),
    layers=Variable("1", "layers"),
    gain=Variable("1", "gain g of the recurrent weights"),
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
)
def measure(
    key: jax.Array, *, hidden: int, layers: int, length: int, burn_in: int, net: jax.Array, gain: jax.Array
) -> dict[str, jax.Array]:
    """λ₁ of a net whose random draw is the same at every gain."""
    del key
    for_params, for_state, for_tangent = jax.random.split(jax.random.key(net.astype("int32")), 3)
    cell = rd.cells.stack(*[rd.cells.elman] * layers)
    params = cell.init(for_params, inputs=1, hidden=hidden, gain=gain)
    keys = jax.random.split(for_state, layers)
    h0 = tuple(jax.random.normal(layer, (hidden,)) for layer in keys)
    found = rd.largest_exponent(
        cell.step,
        params,
        h0,
        None,
        length=length + 2 * burn_in,
        burn_in=burn_in,
        frame_burn_in=burn_in,
        key=for_tangent,
    )
    return {"exponent": found.exponent, "stderr": found.stderr}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """`edge` over width and gain, `wide` over width deep in chaos, `deep` over layers and gain; all of them λ₁."""
    common: dict[str, Any] = {
        "length": [config.length],
        "burn_in": [config.burn_in],
        "net": 1000 * config.seed + np.arange(float(config.nets)),
    }
    gains = np.linspace(*config.gains)
    grids: dict[str, dict[str, Any]] = {
        "edge": {"hidden": list(config.widths), "layers": [1], "gain": gains},
        "wide": {"hidden": list(config.widths), "layers": [1], "gain": [config.gain]},
        "deep": {"hidden": [config.layer_width], "layers": list(config.layers), "gain": gains},
    }
    found = {}
    for name, grid in grids.items():
        dataset = rd.sweep(measure, grid | common, key=jax.random.key(config.seed), progress=progress)
        kept = [dim for dim, values in grid.items() if len(values) > 1]
        found[name] = dataset.exponent.squeeze(
            [dim for dim in dataset.status.dims if dim not in (*kept, "net")], drop=True
        )
    return xarray.Dataset(found, attrs={"gain": config.gain, "layer_width": config.layer_width})


def edges(exponents: xarray.DataArray) -> np.ndarray:
    """The critical gains of the nets in order, inf beyond the last gain."""
    gain, curves = exponents.gain.values, exponents.transpose("net", "gain").values
    return np.sort([begins_to_explode(gain, curve, np.sign(curve)) for curve in curves])


def middle(ordered: np.ndarray) -> float:
    """The median, the lower one of two: inf has no mean with another number."""
    return float(ordered[(len(ordered) - 1) // 2])


def draw(dataset: xarray.Dataset) -> Figure:
    """λ₁ over width, the edge over width, λ₁ of stacks over gain."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.0))
    fluctuations(axes[0], dataset)
    edge_over_width(axes[1], dataset)
    stacks(axes[2], dataset)
    return figure


def fluctuations(axes: Axes, dataset: xarray.Dataset) -> None:
    gain, widths = dataset.attrs["gain"], dataset.hidden.values
    exponents = dataset.wide.transpose("hidden", "net").values
    axes.plot(np.repeat(widths, exponents.shape[1]), exponents.ravel(), "o", ms=3, mew=0, alpha=0.5, color="C0")
    means, scatter = exponents.mean(axis=1), exponents.std(axis=1, ddof=1)
    axes.errorbar(widths, means, scatter, fmt="s-", ms=4, color="C0", capsize=3)
    theory = float(rd.theory.largest_exponent(gain))
    plot.level(axes, theory, f"mean field {theory:.3f}", right=True)
    slope = np.polyfit(np.log(widths), np.log(scatter), 1)[0]
    over_widths(axes, widths)
    axes.set(ylabel=r"$\lambda_1$ (nats per step)", title=f"g = {gain:g}: scatter falls as $n^{{{slope:.1f}}}$")


def edge_over_width(axes: Axes, dataset: xarray.Dataset) -> None:
    widths = dataset.hidden.values
    for width in widths:
        found = edges(dataset.edge.sel(hidden=width))
        axes.plot(np.full(len(found), width), found, "o", ms=3, mew=0, alpha=0.5, color="C1")
    medians = [middle(edges(dataset.edge.sel(hidden=width))) for width in widths]
    axes.plot(widths, medians, "s-", ms=4, color="C1")
    plot.level(axes, 1.0, "mean field 1", right=True)
    over_widths(axes, widths)
    axes.set(
        ylabel="gain beyond which a net is chaotic",
        title=f"Chaos from {medians[-1]:.2f} on at n = {widths[-1]} (median)",
    )


def stacks(axes: Axes, dataset: xarray.Dataset) -> None:
    for position, layers in enumerate(dataset.layers.values):
        exponents = dataset.deep.sel(layers=layers).mean("net")
        label = "1 layer" if layers == 1 else f"{layers} layers"
        axes.plot(dataset.gain, exponents, ("-", "--", "-.", ":")[position % 4], label=label)
    axes.axhline(0, lw=1, color="black", label="_zero")
    width = dataset.attrs["layer_width"]
    axes.set(xlabel="gain $g$", ylabel=r"mean $\lambda_1$ (nats per step)", title=f"Stacks of {width} units a layer")
    axes.margins(y=0.2)
    plot.label_ends(axes)


def over_widths(axes: Axes, widths: np.ndarray) -> None:
    axes.set(xscale="log", xlabel="units $n$", xticks=widths)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()


def main() -> None:
    """Print λ₁ and the edge by width, write figures/depth_and_width.png."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"{'units':>6}{'λ₁ at g = ' + format(config.gain, 'g'):>20}{'chaos begins at g':>30}")
    for width in dataset.hidden.values:
        exponents, found = dataset.wide.sel(hidden=width).values, edges(dataset.edge.sel(hidden=width))
        edge = f"{middle(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"
        print(f"{width:6d}{exponents.mean():12.4f} ± {exponents.std(ddof=1):.4f}{edge:>30}")
    print(f"{'∞':>6}{float(rd.theory.largest_exponent(config.gain)):12.4f}{1:20.2f}")
    write("depth_and_width", draw, dataset)


if __name__ == "__main__":
    main()
