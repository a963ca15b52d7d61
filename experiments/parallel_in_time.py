"""Which nets can be run in parallel over time?

Newton's method finds all T states of a net at once. It needs few iterations if errors of its guess fade along the
trajectory, as gradients do on their way back. So the largest Lyapunov exponent λ₁ decides both. Far below λ₁ = 0 some
iterations suffice, each O(log T) deep; above it the iterations grow in proportion to T, and nothing is gained (Gonzalez
et al. 2025). λ₁ < 0 along the trajectory is necessary but not sufficient: the net must also contract at the states that
the iterations pass.

Three cells with states of one size are driven by weak noise. Each net is run once, for the longest T. A state depends
on no later one, so the number of known states after each iteration also gives the iterations of every shorter run.
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

import rnn_dynamics as rd
from rnn_dynamics import plot

from .critical import NAMES, regime
from .figure import Output, write

MARKERS = {"elman": "o", "gru": "s", "lstm": "^"}
COLORS = {"elman": "C1", "gru": "C0", "lstm": "C2"}
# nets are grouped by λ₁ between these, each group with a colour
EDGES = (-np.inf, -0.1, -0.02, 0.0, np.inf)
GROUPS = (
    (r"$\lambda_1 < -0.1$", "#2166ac"),
    (r"$-0.1 < \lambda_1 < -0.02$", "#67a9cf"),
    (r"$-0.02 < \lambda_1 < 0$", "0.5"),
    (r"$\lambda_1 > 0$", "#b2182b"),
)


@dataclass(frozen=True)
class Config(Output):
    """Gains are spaced evenly in their logarithm, from `first` to the `last` of each cell (tanh, GRU, LSTM).

    `size` is the number of numbers in a state: an LSTM has half as many units. `method` is that of
    `rd.parallel_states`.
    """

    first: float = 0.5
    last: tuple[float, float, float] = (2.5, 6.0, 8.0)
    steps: int = 9
    nets: int = 3
    size: int = 16
    T: int = 3000
    lags: int = 100
    iterations: int = 100
    method: str = "damped"
    drive: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse lengths that do not fit."""
        if not 1 <= self.lags < self.T:
            raise ValueError(f"lags: got {self.lags}, expected at least 1 and fewer than T = {self.T}")


def run(config: Config = Config()) -> xarray.Dataset:
    """Measure every net: iterations, exponents and the norm of ∂h_T/∂h_{T-lags}.

    `fronts` is the number of known states after each iteration; the attribute `measured` is the number of steps behind
    each exponent.
    """
    with jax.enable_x64(False):
        cells = [
            xarray.concat(
                [
                    xarray.concat([measure(cell, gain, net, config) for net in range(config.nets)], "net")
                    for gain in np.geomspace(config.first, last, config.steps)
                ],
                "step",
            )
            for cell, last in zip(MARKERS, config.last, strict=True)
        ]
    found = xarray.concat(cells, "cell").assign_coords(cell=list(MARKERS))
    measured = config.T - config.T // 4
    fates = regime(found.exponent.values, found.stderr.values, found.reliable.values, measured)
    found["fate"] = (found.exponent.dims, fates)
    return found.assign_attrs(measured=measured, T=config.T, lags=config.lags, most=config.iterations)


def measure(name: str, gain: float, net: int, config: Config) -> xarray.Dataset:
    """Measure one net at one gain; a draw is the same at every gain."""
    cell = rd.cells.CELLS[name]
    hidden = config.size // 2 if name == "lstm" else config.size
    for_params, for_xs, for_tangent = jax.random.split(jax.random.key(1000 * config.seed + net), 3)
    params = cell.init(for_params, inputs=1, hidden=hidden, gain=gain)
    xs = config.drive * jax.random.normal(for_xs, (config.T, 1))
    given = (cell.step, params, cell.initial_state(params), xs)
    found = rd.parallel_states(*given, method=config.method, iterations=config.iterations)
    first = rd.largest_exponent(*given, burn_in=config.T // 4, key=for_tangent)
    flow = rd.gradient_flow(*given, lags=config.lags, curves=("norm",))
    return xarray.Dataset(
        {
            "gain": gain,
            "exponent": float(first.exponent),
            "stderr": float(first.stderr),
            "reliable": bool(first.reliable),
            "log_norm": float(flow.log_norm[-1]),
            "converged": bool(found.converged),
            "fronts": ("iteration", np.asarray(found.fronts)),
        }
    )


def iterations_for(fronts: np.ndarray, T: int) -> float:
    """Return after how many iterations the first T states were known; inf if they never were."""
    there = np.flatnonzero(fronts >= T)
    return float(there[0] + 1) if len(there) else np.inf


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw iterations and gradients over λ₁, one above the other, and iterations over T beside them."""
    figure = plt.figure(figsize=(11, 6.2))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.15))
    top = figure.add_subplot(grid[0, 0])
    over_exponent(top, dataset)
    gradients(figure.add_subplot(grid[1, 0], sharex=top), dataset)
    over_time(figure.add_subplot(grid[:, 1]), dataset)
    return figure


def nets_of(dataset: xarray.Dataset, *names: str) -> list[np.ndarray]:
    """Return these variables with one entry per net and gain."""
    dims = [dim for dim in ("cell", "step", "net") if dim in dataset.dims]
    return [dataset[name].stack(point=dims).transpose("point", ...).values for name in names]


def wall(axes: Axes) -> None:
    """Mark where λ₁ is positive."""
    axes.axvspan(0, 10, color="C3", alpha=0.08, lw=0)
    axes.axvline(0, lw=1, color="black")


def over_exponent(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the iterations for the longest T over λ₁; nets that did not converge have a lane per cell at the top."""
    most, T = dataset.attrs["most"], dataset.attrs["T"]
    wall(axes)
    axes.axhline(most, lw=1, ls=":", color="0.4")
    for lane, cell in enumerate(dataset.cell.values):
        exponents, converged, fronts = nets_of(dataset.sel(cell=cell), "exponent", "converged", "fronts")
        counts = np.where(converged, np.sum(np.isfinite(fronts), axis=1), most * 1.25 ** (lane + 1))
        style: dict[str, Any] = {"ms": 5, "color": COLORS[cell], "alpha": 0.8}
        axes.plot(exponents[converged], counts[converged], MARKERS[cell], mew=0, label=NAMES[cell], **style)
        axes.plot(exponents[~converged], counts[~converged], MARKERS[cell], mfc="none", **style)
    converged, fates = nets_of(dataset, "converged", "fate")
    negative, positive = (f"{np.sum(converged & (fates == s))} of {np.sum(fates == s)}" for s in (-1, 1))
    axes.set(
        yscale="log",
        ylim=(3, most * 2.4),
        ylabel=f"iterations, T = {T}",
        title=r"All states at once: few iterations only where $\lambda_1 < 0$",
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    words = f"not converged\nafter {most} (open)"
    axes.text(0.02, most * 1.15, words, transform=axes.get_yaxis_transform())
    for place, side, count in ((0.02, "left", negative), (0.98, "right", positive)):
        words = f"{count}\nconverge"
        axes.text(place, 0.63, words, transform=axes.transAxes, ha=side, weight="bold")
    axes.legend(loc="center left", bbox_to_anchor=(0, 0.4))
    axes.tick_params(labelbottom=False)


def gradients(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot what is left of a gradient after some steps over λ₁, and what e^{λ₁ ℓ} predicts."""
    lags = dataset.attrs["lags"]
    wall(axes)
    (exponents,) = nets_of(dataset, "exponent")
    ends = np.array([exponents.min(), exponents.max()])
    axes.plot(ends, lags * ends / np.log(10), lw=1, ls="--", color="0.4", label=r"$e^{\lambda_1\ell}$")
    for cell in dataset.cell.values:
        exponents, logs = nets_of(dataset.sel(cell=cell), "exponent", "log_norm")
        axes.plot(exponents, logs / np.log(10), MARKERS[cell], ms=5, mew=0, color=COLORS[cell], alpha=0.8)
    margin = 0.04 * np.ptp(ends) + 1e-3
    axes.set(
        xlim=(ends[0] - margin, max(ends[1], 0) + margin),
        xlabel=r"largest exponent $\lambda_1$ (nats per step)",
        ylabel=rf"$\Vert\partial h_T/\partial h_{{T-{lags}}}\Vert$",
        title="Gradients fade or grow by the same exponent",
    )
    plot.in_powers_of_ten(axes.yaxis)
    axes.legend(loc="upper left")


def over_time(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the iterations over T, a thin line for each net and a thick one for the median of each group of λ₁.

    A median ends where half of its group needs more iterations than were run.
    """
    T, most = dataset.attrs["T"], dataset.attrs["most"]
    times = np.unique(np.geomspace(min(10, T), T, 80).astype(int))
    fronts, exponents = nets_of(dataset, "fronts", "exponent")
    counts = np.array([[iterations_for(line, int(t)) for t in times] for line in fronts])
    for low, high, (label, color) in zip(EDGES[:-1], EDGES[1:], GROUPS, strict=True):
        group = counts[(exponents >= low) & (exponents < high)]
        if not len(group):
            continue
        axes.plot(times, group.T, lw=0.6, alpha=0.35, color=color)
        median = np.quantile(group, 0.5, axis=0, method="higher")  # of few nets, the slower
        axes.plot(times, median, lw=3, color=color, label=f"{label}: {len(group)} nets")
    axes.plot([1, most], [1, most], lw=1.2, ls="--", color="black")
    axes.annotate(
        "one state\nan iteration", (most / 3, most / 3), xytext=(-6, 6), textcoords="offset points", ha="right"
    )
    axes.axhline(most, lw=1, ls=":", color="0.4")
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(times[0] / 2, T),
        ylim=(3, most * 2.4),
        xlabel="T (steps)",
        ylabel="iterations until the first T states are known",
        title=r"A longer run costs no more far below $\lambda_1 = 0$",
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper left", ncols=2, title="median of nets with", alignment="left")


def main() -> None:
    """Print the table and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    print(f"states of {config.size} numbers, T = {config.T}, {config.method}, at most {config.iterations} iterations")
    print(f"{'cell':>6}{'gain':>7}{'λ₁ of each net':>30}{'iterations':>20}{'log₁₀ norm, lag ' + str(config.lags):>26}")
    for cell in dataset.cell.values:
        for step in range(dataset.sizes["step"]):
            at: Any = dataset.sel(cell=cell).isel(step=step)
            counts = [iterations_for(line, config.T) for line in at.fronts.transpose("net", "iteration").values]
            texts = [
                " ".join(f"{value:.3f}" for value in at.exponent.values),
                " ".join(f"{count:.0f}" if np.isfinite(count) else "-" for count in counts),
                " ".join(f"{value / np.log(10):.1f}" for value in at.log_norm.values),
            ]
            print(f"{NAMES[cell]:>6}{float(at.gain.values.flat[0]):7.2f}{texts[0]:>30}{texts[1]:>20}{texts[2]:>26}")
    converged, fates = nets_of(dataset, "converged", "fate")
    for fate in (-1, 0, 1):
        those = fates == fate
        print(f"λ₁ {'<≈>'[fate + 1]} 0: {np.sum(converged & those)} of {np.sum(those)} nets converge")
    write("parallel_in_time", config, draw, dataset)


if __name__ == "__main__":
    main()
