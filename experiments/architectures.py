"""Which cells keep a gradient at their standard initial weights?

White noise drives every cell of the toolkit, untrained. For each, the experiment measures the largest Lyapunov exponent
and how much of the gradient is left after some steps in its best direction. The linear net runs without noise, at rest:
its Jacobian is W in every state, and a growing driven state would overflow.

A cell counts as keeping a gradient if the median λ₁ of its nets lies within 1/lags of 0: over that many steps the
gradient changes by at most a factor of e either way.
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

from .figure import Output, write


@dataclass(frozen=True)
class Config(Output):
    """The threshold cell is left out by default, because its Jacobian is 0."""

    cells: tuple[str, ...] = tuple(name for name in rd.cells.CELLS if name != "threshold")
    hidden: int = 32
    drive: float = 1.0
    nets: int = 8
    length: int = 1000
    lags: int = 100
    seed: int = 0


@described(
    cell=Variable("1", "recurrent cell"),
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
    log_norm=Variable("nats", "ln of the 2-norm of the derivative of h_T with respect to h_(T-lag)", ("lag",)),
    numbers=Variable("1", "number of parameters"),
)
def measure(
    key: jax.Array, *, cell: str, hidden: int, length: int, lags: int, drive: jax.Array
) -> dict[str, jax.Array]:
    """Measure one net, after a burn-in of a quarter of its steps."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs, for_tangent = jax.random.split(key, 3)
    params = found.init(for_params, inputs=1, hidden=hidden)
    xs = (0 if cell == "linear" else drive) * jax.random.normal(for_inputs, (length, 1))
    net = (found.step, params, found.initial_state(params), xs)
    first = rd.largest_exponent(*net, burn_in=length // 4, frame_burn_in=length // 4, key=for_tangent)
    sizes = [leaf.size * (2 if jnp.iscomplexobj(leaf) else 1) for leaf in jax.tree.leaves(params)]
    return {
        "exponent": first.exponent,
        "stderr": first.stderr,
        "log_norm": rd.gradient_flow(*net, lags=lags).log_norm,
        "numbers": jnp.float32(sum(sizes)),
    }


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Measure every cell, and sort the cells by their median λ₁, the largest first."""
    grid: dict[str, Any] = {
        "cell": list(config.cells),
        "hidden": [config.hidden],
        "length": [config.length],
        "lags": [config.lags],
        "drive": [config.drive],
    }
    key = jax.random.key(config.seed)
    dataset = rd.sweep(measure, grid, key=key, repeats=config.nets, progress=progress)
    dataset = dataset.squeeze(("hidden", "length", "lags", "drive")).load()
    return dataset.isel(cell=np.argsort(-medians(dataset)))


def medians(dataset: xarray.Dataset) -> np.ndarray:
    """Return the median λ₁ over the nets of each cell; NaN where one of them is NaN."""
    return dataset.exponent.median("repeat", skipna=False).values


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw λ₁ of every net and the median norm after some lags, one row per cell."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.33 * dataset.sizes["cell"] + 2.0), sharey=True)
    rows = np.arange(dataset.sizes["cell"])
    exponents(axes[0], dataset, rows)
    axes[0].invert_yaxis()
    norms(axes[1], dataset, rows)
    return figure


def exponents(axes: Axes, dataset: xarray.Dataset, rows: np.ndarray) -> None:
    """Plot a dot per net; the grey band shows where a gradient is kept."""
    found = dataset.exponent.transpose("cell", "repeat").values
    lags, cells = dataset.sizes["lag"] - 1, dataset.cell.values
    axes.axvspan(-1 / lags, 1 / lags, color="0.85", lw=0)
    axes.axvline(0, lw=1, color="black")
    for row, nets in zip(rows, found, strict=True):
        dots_and_edges(axes, nets, row, "o", "C0")
    middle = medians(dataset)
    kept, grow = np.sum(np.abs(middle) <= 1 / lags), np.sum(middle > 1 / lags)
    criterion = rf"(grey: median $|\lambda_1| \leq$ 1/{lags})"
    axes.set(
        yticks=rows,
        yticklabels=cells,
        xlabel=r"largest exponent $\lambda_1$ (nats per step)",
        title=f"A gradient keeps its size in {kept} of {len(cells)} cells\nand grows in {grow} {criterion}",
    )


def norms(axes: Axes, dataset: xarray.Dataset, rows: np.ndarray) -> None:
    """Plot the median norms at three lags, labelled in the row where they are farthest apart."""
    last = dataset.sizes["lag"] - 1
    lags = sorted({1, max(1, last // 10), last})
    decades = dataset.log_norm.median("repeat", skipna=False).transpose("cell", "lag").values[:, lags] / np.log(10)
    axes.axvline(0, lw=1, color="black")
    for place, marker in zip(range(len(lags)), "osD", strict=False):
        for row in rows:
            dots_and_edges(axes, decades[row, place : place + 1], row, marker, f"C{place}")
    spans = np.where(np.isfinite(decades).all(axis=1), np.ptp(np.where(np.isfinite(decades), decades, 0), axis=1), -1)
    if spans.max() >= 0:
        row = int(spans.argmax())
        for place, lag in enumerate(lags):
            axes.annotate(
                rf"$\ell$ = {lag}",
                (decades[row, place], row),
                xytext=(0, 7),
                textcoords="offset points",
                ha="right" if 0 < place < len(lags) - 1 else "left",
                color=f"C{place}",
            )
    plot.in_powers_of_ten(axes.xaxis)
    lost = int(np.sum(decades[:, -1] < -2))
    axes.set(
        xlabel=r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$, median",
        title=f"After {last} steps less than 1 % is left in {lost} of {len(rows)} cells",
    )


def dots_and_edges(axes: Axes, values: np.ndarray, row: int, marker: str, color: str) -> None:
    """Plot the values of a row: infinite ones as arrows at the edges, NaN as a cross at the left edge, with notes."""
    finite = values[np.isfinite(values)]
    axes.plot(finite, np.full(len(finite), row), marker, ms=5, mew=0, alpha=0.7, color=color)
    ends = (
        (values == -np.inf, 0, "<", r"left edge: $-\infty$ or a norm of 0"),
        (values == np.inf, 1, ">", r"right edge: $\infty$"),
        (np.isnan(values), 0, "x", "crosses: NaN"),
    )
    for those, side, arrow, name in ends:
        if those.any():
            style: dict[str, Any] = {"color": color, "ms": 6, "clip_on": False, "transform": axes.get_yaxis_transform()}
            axes.plot([side], [row], arrow, **style)
            note(axes, name)


def main() -> None:
    """Print the table and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"{config.hidden} units, {config.nets} nets per cell, inputs N(0, {config.drive:g}²), medians")
    print(f"{'':>15}{'params':>9}{'λ₁':>9}{'time constant':>15}{'log₁₀ norm at lag ' + str(config.lags):>24}")
    for cell, exponent in zip(dataset.cell.values, medians(dataset), strict=True):
        at = dataset.sel(cell=cell).median("repeat", skipna=False)
        constant = f"{-1 / exponent:.1f}" if exponent < 0 else "-"
        end = float(at.log_norm.isel(lag=-1)) / np.log(10)
        print(f"{cell:>15}{int(at.numbers):9d}{exponent:9.3f}{constant:>15}{end:24.1f}")
    write("architectures", config, draw, dataset)


if __name__ == "__main__":
    main()
