"""How much does a finite net differ from the theory of wide nets, and what do more layers add?

The nets are undriven tanh nets of 16 to 512 units. Deep in chaos, λ₁ of a single draw scatters around the mean-field
value, and the wider the net the less. Near the edge it is biased: the gain beyond which a net is chaotic falls only
slowly to the 1 of wide nets. In a stack, each layer is driven by the one below, so the Jacobian is block-triangular:
the exponents of the stack are those of its layers, and λ₁ is the largest of them. But a layer driven by chaos does not
behave like the same layer alone.

A net counts as chaotic where λ₁ > 0 is known by the rule of `critical.regime`. A limit cycle, whose λ₁ is 0, is not.
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
from rnn_dynamics.plot.caveats import note, on_edge
from rnn_dynamics.plot.curves import curve
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .critical import begins_to_explode, regime, shown
from .figure import Output, write
from .layers import scatter_of, stacks


@dataclass(frozen=True)
class Config(Output):
    """`gain` lies deep in chaos; the edge is looked for among `gains`, (first, last, number)."""

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
    reliable=Variable("1", "whether the exponent is reliable"),
)
def measure(
    key: jax.Array, *, hidden: int, layers: int, length: int, burn_in: int, net: jax.Array, gain: jax.Array
) -> dict[str, jax.Array]:
    """Measure λ₁ of a net whose random draw is the same at every gain."""
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
    return {"exponent": found.exponent, "stderr": found.stderr, "reliable": found.reliable}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Measure λ₁: `edge` over width and gain, `wide` over width deep in chaos, `deep` over layers and gain.

    `edge_fate` is 1 where chaos is known by the rule of `critical.regime`.
    """
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
    kept = {"edge": ("hidden", "gain", "net"), "wide": ("hidden", "net"), "deep": ("layers", "gain", "net")}
    found = {}
    for name, grid in grids.items():
        dataset = rd.sweep(measure, grid | common, key=jax.random.key(config.seed), progress=progress)
        dataset = dataset.squeeze([dim for dim in dataset.status.dims if dim not in kept[name]], drop=True)
        found[name] = dataset.exponent
        if name == "edge":
            reliable = dataset.reliable.astype(bool)
            found["edge_fate"] = xarray.apply_ufunc(regime, dataset.exponent, dataset.stderr, reliable, config.length)
    return xarray.Dataset(found, attrs={"gain": config.gain, "layer_width": config.layer_width})


def edges(at: xarray.Dataset) -> np.ndarray:
    """Return the gains beyond which the nets of one width are chaotic, in ascending order.

    inf and -inf lie above and below the swept gains. NaN, for a net of which nothing is known, comes last.
    """
    curves = zip(*(at[name].transpose("net", "gain").values for name in ("edge", "edge_fate")), strict=True)
    return np.sort([begins_to_explode(at.gain.values, *net) for net in curves])


def middle(ordered: np.ndarray) -> float:
    """Return the lower median, because inf cannot be averaged with another number; NaN if any entry is NaN."""
    return np.nan if np.isnan(ordered).any() else float(ordered[(len(ordered) - 1) // 2])


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw λ₁ over width, the edge over width, and λ₁ of stacks over gain."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.0))
    fluctuations(axes[0], dataset)
    edge_over_width(axes[1], dataset)
    stacks(axes[2], dataset)
    return figure


def fluctuations(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot λ₁ deep in chaos over the width: every net, mean and standard deviation, and the theory."""
    gain, widths = dataset.attrs["gain"], dataset.hidden.values
    exponents = dataset.wide.transpose("hidden", "net").values
    axes.plot(np.repeat(widths, exponents.shape[1]), exponents.ravel(), "o", ms=3, mew=0, alpha=0.5, color="C0")
    scatter = scatter_of(exponents)
    bars = scatter if np.isfinite(scatter).all() else None
    axes.errorbar(widths, exponents.mean(axis=1), bars, fmt="s-", ms=4, color="C0", capsize=3)
    theory = float(rd.theory.largest_exponent(gain))
    plot.level(axes, theory, f"mean field {theory:.3f}", right=True)
    said = "mean and nets"
    if bars is not None and len(widths) > 1 and (scatter > 0).all():
        slope = np.polyfit(np.log(widths), np.log(scatter), 1)[0]
        said = f"scatter falls as $n^{{{slope:.1f}}}$\n(bars: standard deviation of the nets)"
    over_widths(axes, widths)
    axes.set(ylabel=r"$\lambda_1$ (nats per step)", title=f"g = {gain:g}: {said}")


def edge_over_width(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the gain beyond which each net is chaotic, and the median; nets without one are marked at the axes' edge."""
    widths = dataset.hidden.values
    ends = (float(dataset.gain[0]), float(dataset.gain[-1]))
    found = {width: edges(dataset.sel(hidden=width)) for width in widths}
    for width, gains in found.items():
        axes.plot(np.full(len(gains), width), gains, "o", ms=3, mew=0, alpha=0.5, color="C1")
    curve(axes, widths, np.array([middle(gains) for gains in found.values()]), marker="s", ms=4, color="C1")
    every = np.stack(list(found.values()))
    kinds = (
        (every == np.inf, "^", f"not chaotic up to {ends[1]:g}"),
        (every == -np.inf, "v", f"chaotic below {ends[0]:g}"),
    )
    for those, marker, name in (*kinds, (np.isnan(every), "x", "edge unknown")):
        if those.any():
            on_edge(axes, widths[those.any(axis=1)], marker, top=marker == "^", color="C1")
            note(axes, f"of {every.shape[1]} nets, {name}:")
            note(axes, ", ".join(f"{n} at n = {w}" for n, w in zip(those.sum(axis=1), widths, strict=True) if n))
    plot.level(axes, 1.0, "mean field 1")
    over_widths(axes, widths)
    axes.set(
        ylabel=r"gain beyond which $\lambda_1$ stays $> 0$",
        title=f"Median net is chaotic beyond {shown(middle(found[widths[-1]]), ends)} at n = {widths[-1]}",
    )


def over_widths(axes: Axes, widths: np.ndarray) -> None:
    """Make the x axis logarithmic, with a tick at each width."""
    axes.set(xscale="log", xlabel="units $n$", xticks=widths)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()


def main() -> None:
    """Print λ₁ and the edge for each width, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    ends = config.gains[:2]
    print("±: standard deviation over the nets; chaos begins at g: median net (minimum to maximum)")
    print(f"{'units':>6}{'λ₁ at g = ' + format(config.gain, 'g'):>20}{'chaos begins at g':>30}")
    for width in dataset.hidden.values:
        at = dataset.sel(hidden=width)
        exponents, found = at.wide.values, edges(at)
        edge = f"{shown(middle(found), ends)} ({shown(found[0], ends)} to {shown(found[-1], ends)})"
        print(f"{width:6d}{exponents.mean():12.4f} ± {scatter_of(exponents):.4f}{edge:>30}")
    print(f"{'∞':>6}{float(rd.theory.largest_exponent(config.gain)):12.4f}{1:20.2f}")
    write("depth_and_width", config, draw, dataset)


if __name__ == "__main__":
    main()
