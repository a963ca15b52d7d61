"""Which cell, as it is drawn at the start, keeps a gradient?

Every cell of the toolkit at its standard initial weights, driven by white noise: the largest Lyapunov exponent, what is
left of the gradient after some steps in its best direction, and how far apart the singular values of the product are.
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

from .figure import write


@dataclass(frozen=True)
class Config:
    """The threshold cell is left out: its Jacobian is 0."""

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
    numbers=Variable("1", "parameters"),
)
def measure(
    key: jax.Array, *, cell: str, hidden: int, length: int, lags: int, drive: jax.Array
) -> dict[str, jax.Array]:
    """One net, after a burn-in of a quarter of the time."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs, for_tangent = jax.random.split(key, 3)
    params = found.init(for_params, inputs=1, hidden=hidden)
    xs = drive * jax.random.normal(for_inputs, (length, 1))
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
    """Every cell, those whose gradient lasts longest first."""
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
    return dataset.isel(cell=np.argsort(-dataset.exponent.median("repeat").values))


def draw(dataset: xarray.Dataset) -> Figure:
    """λ₁ of every net, and the median norm after some lags, a row for each cell."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.33 * dataset.sizes["cell"] + 1.6), sharey=True)
    cells = dataset.cell.values
    rows = np.arange(len(cells))
    exponents = dataset.exponent.transpose("cell", "repeat").values
    axes[0].plot(exponents, rows, "o", ms=4, mew=0, alpha=0.6, color="C0")
    axes[0].axvline(0, lw=1, color="black")
    # a linear net may overflow before it is measured: NaN
    kept = int(np.sum(np.nanmedian(exponents, axis=1) > -1 / dataset.sizes["lag"]))
    axes[0].set(
        yticks=rows,
        yticklabels=cells,
        xlabel=r"largest exponent $\lambda_1$ (nats per step)",
        title=f"{kept} of {len(cells)} cells keep a gradient for {dataset.sizes['lag'] - 1} steps",
    )
    for row in rows[np.isneginf(np.nanmedian(exponents, axis=1))]:
        axes[0].annotate(
            r"$-\infty$ in most nets", (0.02, row), xycoords=("axes fraction", "data"), va="center", color="C0"
        )
    axes[0].invert_yaxis()
    norms(axes[1], dataset, rows)
    return figure


def norms(axes: Axes, dataset: xarray.Dataset, rows: np.ndarray) -> None:
    """Median norms at three lags."""
    last = dataset.sizes["lag"] - 1
    decades = dataset.log_norm.median("repeat").transpose("cell", "lag").values / np.log(10)
    axes.axvline(0, lw=1, color="black")
    for lag, marker in ((1, "o"), (max(1, last // 10), "s"), (last, "D")):
        axes.plot(decades[:, lag], rows, marker, ms=5, label=rf"$\ell$ = {lag}")
    plot.in_powers_of_ten(axes.xaxis)
    axes.set(xlabel=r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$, median", title="What is left of it")
    axes.legend(loc="upper left", handletextpad=0.1)


def main() -> None:
    """Print the table, write figures/architectures.png."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"{config.hidden} units, {config.nets} nets of each cell, inputs N(0, {config.drive:g}²), medians")
    print(f"{'':>15}{'numbers':>9}{'λ₁':>9}{'time constant':>15}{'log₁₀ norm at lag ' + str(config.lags):>24}")
    for cell in dataset.cell.values:
        at = dataset.sel(cell=cell).median("repeat")
        rate = -float(at.exponent)
        constant = f"{1 / rate:.1f}" if rate > 0 else "-"
        end = float(at.log_norm.isel(lag=-1)) / np.log(10)
        print(f"{cell:>15}{int(at.numbers):9d}{-rate:9.3f}{constant:>15}{end:24.1f}")
    write("architectures", draw, dataset)


if __name__ == "__main__":
    main()
