"""Which initial weights carry a gradient through T steps in every direction?

The singular values of ∂h_T/∂h_0 say how much each direction is stretched. All of them at 1 is an isometry: nothing
vanishes, nothing explodes. Nets driven by weak noise, as they are drawn:

    Gaussian      tanh, W ~ N(0, 1/n)
    orthogonal    tanh, W orthogonal (Saxe, McClelland, Ganguli 2014)
    identity      tanh, W = I (as Le, Jaitly, Hinton 2015 start relu nets)
    LSTM          forget bias 1
    chrono        LSTM, forget biases ln U(1, longest - 1), input biases their negatives (Tallec, Ollivier 2018)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.cells import initializers
from rnn_dynamics.sweep import Variable, described, one_device_per_core

from .figure import write

# decades that the figure reaches down
LOWEST = 20


@dataclass(frozen=True)
class Config:
    """Singular values are looked at after each of `depths` steps."""

    hidden: int = 64
    depths: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100)
    drive: float = 0.1
    nets: int = 4
    seed: int = 0


def recurrent(cell: rd.cells.Cell, initializer: initializers.Initializer) -> Callable[..., Any]:
    """The cell with that recurrent matrix."""

    def draw_params(key: jax.Array, hidden: int, longest: int) -> tuple[rd.cells.Cell, Any]:
        del longest
        return cell, cell.init(key, inputs=1, hidden=hidden, recurrent=initializer)

    return draw_params


def with_chrono(key: jax.Array, hidden: int, longest: int) -> tuple[rd.cells.Cell, Any]:
    """An LSTM that expects dependencies of up to `longest` steps."""
    for_params, for_bias = jax.random.split(key)
    bias = initializers.chrono(for_bias, hidden, longest=float(longest))
    cell = rd.cells.lstm
    return cell, cell.init(for_params, inputs=1, hidden=hidden, forget_bias=bias, input_bias=-bias)


INITS: dict[str, Callable[..., tuple[rd.cells.Cell, Any]]] = {
    "Gaussian": recurrent(rd.cells.elman, initializers.gaussian),
    "orthogonal": recurrent(rd.cells.elman, initializers.orthogonal),
    "identity": recurrent(rd.cells.elman, initializers.identity),
    "LSTM": recurrent(rd.cells.lstm, initializers.gaussian),
    "chrono": with_chrono,
}


@described(
    init=Variable("1", "initial weights"),
    depth=Variable("1", "steps T"),
    net=Variable("1", "number of the random draw"),
    log_singular_values=Variable("nats", "ln of the singular values of dh_T/dh_0", ("index",)),
)
def measure(
    key: jax.Array, *, init: str, hidden: int, longest: int, drive: jax.Array, net: jax.Array, depth: jax.Array
) -> dict[str, jax.Array]:
    """All singular values of ∂h_T/∂h_0, h_0 = 0.

    The state rests after `depth` of the `longest` steps, and a resting state multiplies by the identity: so that one
    compiled program serves every depth. A net is the same at every depth.
    """
    del key
    for_params, for_inputs = jax.random.split(jax.random.key(net.astype(jnp.int32)))
    cell, params = INITS[init](for_params, hidden, longest)
    xs = drive * jax.random.normal(for_inputs, (longest, 1))
    moves = jnp.arange(longest, dtype=depth.dtype) < depth

    def step(params: Any, h: Any, moment: tuple[jax.Array, jax.Array]) -> Any:
        x, moves = moment
        return jax.tree.map(lambda new, old: jnp.where(moves, new, old), cell.step(params, h, x), h)

    return {"log_singular_values": rd.log_singular_values(step, params, cell.initial_state(params), (xs, moves))}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """The singular values of every net at every depth."""
    grid: dict[str, Any] = {
        "init": list(INITS),
        "hidden": [config.hidden],
        "longest": [max(config.depths)],
        "drive": [config.drive],
        "net": 1000 * config.seed + np.arange(float(config.nets)),
        "depth": [float(depth) for depth in config.depths],
    }
    dataset = rd.sweep(measure, grid, key=jax.random.key(config.seed), progress=progress)
    return dataset.squeeze(("hidden", "longest", "drive", "repeat"))


def spread(at: xarray.Dataset) -> float:
    """Powers of ten between the largest and the smallest singular value at the last depth, the median over nets."""
    values = own_values(at).isel(depth=-1)
    return float((values.max("index") - values.min("index")).median() / np.log(10))


def own_values(at: xarray.Dataset) -> xarray.DataArray:
    """Without the padding up to the largest state."""
    return at.log_singular_values.isel(index=slice(int(at.index_length.max())))


def draw(dataset: xarray.Dataset) -> Figure:
    """A panel for each way to begin."""
    inits = dataset.init.values
    figure, axes = plt.subplots(1, len(inits), figsize=(2.9 * len(inits), 3.9), sharey=True)
    for axis, init in zip(axes, inits, strict=True):
        at = dataset.sel(init=init)
        values = own_values(at).transpose("depth", "net", "index").values
        plot.singular_values(axis, values, depth=at.depth.values)
        axis.set_title(f"{init}: {spread(at):.1f} decades")
        axis.label_outer()
    axes[0].set_ylim(-LOWEST, 2)  # what lies lower is as good as 0
    figure.suptitle(
        "Singular values over the depth: median, the middle 50 and 80 %, extremes (dashed), and the decades between "
        f"these at T = {dataset.depth.values[-1]:g}",
        fontsize=10,
    )
    return figure


def main() -> None:
    """Print how far from an isometry each is, write figures/initialisation.png."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"log₁₀ of the singular values of ∂h_T/∂h_0 at T = {max(config.depths)}, medians over {config.nets} nets")
    print(f"{'':>12}{'largest':>9}{'middle':>9}{'smallest':>10}{'decades apart':>15}")
    for init in dataset.init.values:
        at = dataset.sel(init=init)
        last = own_values(at).isel(depth=-1)
        ends = [
            float(part.median()) / np.log(10) for part in (last.max("index"), last.median("index"), last.min("index"))
        ]
        print(f"{init:>12}{ends[0]:9.2f}{ends[1]:9.2f}{ends[2]:10.2f}{spread(at):15.1f}")
    write("initialisation", draw, dataset)


if __name__ == "__main__":
    main()
