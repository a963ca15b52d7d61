"""Which nets can be run in parallel over time?

Newton's method finds all T states of a net at once, if errors of its guess fade along the trajectory, which is what
gradients do on their way back. So the exponent that decides whether gradients vanish decides this too: below λ₁ = 0 few
iterations suffice, of depth O(log T) each, and above it each iteration hardly does more than make one more state exact
(Gonzalez et al. 2025). A net is quick to run in parallel where its gradients vanish, and its gradients reach far only
where it is not.

λ₁ < 0 along the trajectory is not enough: the net must contract at the states that the iterations pass, too.

Three cells with state vectors of one size are driven by weak noise. Each is run once, for the longest T. A state depends
on no later one, so how many of the first states were known after each iteration gives the iterations of every shorter
run.
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
from rnn_dynamics.plot.caveats import note

from .critical import NAMES, regime
from .figure import Output, write

MARKERS = {"elman": "o", "gru": "s", "lstm": "^"}
FATES = {-1.0: ("C0", r"$\lambda_1 < 0$"), 0.0: ("0.55", r"$\lambda_1 \approx 0$"), 1.0: ("C3", r"$\lambda_1 > 0$")}


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
    iterations: int = 60
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
    figure = plt.figure(figsize=(10.5, 6.2))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.05))
    top = figure.add_subplot(grid[0, 0])
    over_exponent(top, dataset)
    bottom = figure.add_subplot(grid[1, 0], sharex=top)
    gradients(bottom, dataset)
    over_time(figure.add_subplot(grid[:, 1]), dataset)
    return figure


def nets_of(dataset: xarray.Dataset, *names: str) -> list[np.ndarray]:
    """Return these variables with one entry per net and gain."""
    dims = [dim for dim in ("cell", "step", "net") if dim in dataset.dims]
    return [dataset[name].stack(point=dims).values for name in names]


def over_exponent(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the iterations for the longest T over λ₁; what did not converge lies on the line of the limit."""
    most, T = dataset.attrs["most"], dataset.attrs["T"]
    axes.axvspan(0, 1, color="C3", alpha=0.08, lw=0)
    axes.axvline(0, lw=1, color="black")
    axes.axhline(most, lw=1, ls=":", color="0.4")
    failed = 0
    for cell in dataset.cell.values:
        at = dataset.sel(cell=cell)
        exponents, converged = nets_of(at, "exponent", "converged")
        counts = np.sum(np.isfinite(at.fronts.stack(point=("step", "net")).values), axis=0)
        color = f"C{list(MARKERS).index(cell) + 4}"
        axes.plot(exponents[converged], counts[converged], MARKERS[cell], ms=5, mew=0, color=color, label=NAMES[cell])
        axes.plot(exponents[~converged], counts[~converged], MARKERS[cell], ms=5, mfc="none", color=color)
        failed += int(np.sum(~converged & (exponents > 0)))
    positive = int(np.sum(nets_of(dataset, "exponent")[0] > 0))
    axes.set(
        yscale="log",
        ylabel=f"iterations for T = {T}",
        title=f"With $\\lambda_1 > 0$, {failed} of {positive} nets do not converge",
    )
    axes.legend(loc="center left")
    axes.tick_params(labelbottom=False)
    note(axes, f"open: not converged after {most}")


def gradients(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot what is left of a gradient after some steps over λ₁, and what e^{λ₁ ℓ} predicts."""
    lags = dataset.attrs["lags"]
    axes.axvspan(0, 1, color="C3", alpha=0.08, lw=0)
    axes.axvline(0, lw=1, color="black")
    exponents, fates = nets_of(dataset, "exponent", "fate")
    ends = np.array([exponents.min(), exponents.max()])
    axes.plot(ends, lags * ends / np.log(10), lw=1, ls="--", color="0.4", label=r"$e^{\lambda_1\ell}$")
    for cell in dataset.cell.values:
        exponents, logs = nets_of(dataset.sel(cell=cell), "exponent", "log_norm")
        color = f"C{list(MARKERS).index(cell) + 4}"
        axes.plot(exponents, logs / np.log(10), MARKERS[cell], ms=5, mew=0, color=color)
    margin = 0.04 * np.ptp(ends)
    axes.set(
        xlim=(ends[0] - margin, max(ends[1], 0) + margin),
        xlabel=r"largest exponent $\lambda_1$ (nats per step)",
        ylabel=rf"$\Vert\partial h_T/\partial h_{{T-{lags}}}\Vert$",
        title="The same exponent decides how far a gradient reaches",
    )
    plot.in_powers_of_ten(axes.yaxis)
    axes.legend(loc="upper left")


def over_time(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the iterations over T, a line for each net in the colour of the sign of its λ₁."""
    T, most = dataset.attrs["T"], dataset.attrs["most"]
    times = np.unique(np.geomspace(10, T, 60).astype(int)) if T > 10 else np.arange(1, T + 1)
    fronts = dataset.fronts.stack(point=("cell", "step", "net")).values.T
    (fates,) = nets_of(dataset, "fate")
    for fate, (color, label) in sorted(FATES.items(), reverse=True):
        for line in fronts[fates == fate]:
            counts = np.array([iterations_for(line, int(t)) for t in times])
            axes.plot(times, counts, lw=1, alpha=0.6, color=color, label=label)
            label = "_"
    axes.plot([1, most], [1, most], lw=1.2, ls="--", color="black", label="one state an iteration")
    axes.axhline(most, lw=1, ls=":", color="0.4")
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(times[0], T),
        ylim=(1, 1.3 * most),
        xlabel="T (steps)",
        ylabel="iterations until the first T states are known",
        title=f"Iterations grow with T until they reach the limit of {most}",
    )
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.9))


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
    exponents, converged, fates = nets_of(dataset, "exponent", "converged", "fate")
    for fate, (_, _label) in FATES.items():
        those = fates == fate
        print(f"λ₁ {'<≈>'[int(fate) + 1]} 0: {np.sum(converged & those)} of {np.sum(those)} nets converge")
    write("parallel_in_time", config, draw, dataset)


if __name__ == "__main__":
    main()
