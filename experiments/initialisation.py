"""Which initial weights carry a gradient through T steps in every direction?

The singular values of ∂h_T/∂h_0 tell how much each direction is stretched. If all are 1, the map is an isometry:
nothing vanishes and nothing explodes. Here a direction counts as kept if it is stretched or shrunk by less than a
factor of 10. The state of an LSTM is (h, c), so half of its directions are those of h, which no gate holds. The values
are computed in float64, because they span hundreds of powers of ten and float32 loses the smallest. The nets are
untrained and driven by weak noise:

    Gaussian      tanh, W ~ N(0, 1/n)
    orthogonal    tanh, W orthogonal (Saxe, McClelland, Ganguli 2014)
    identity      tanh, W = I (the start that Le, Jaitly, Hinton 2015 use for relu nets)
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
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .figure import Output, write

# decades below 1 that the figure shows, and the decades around 1 within which a direction is kept
LOWEST, KEPT = 20, 1


@dataclass(frozen=True)
class Config(Output):
    """Singular values are measured after each of `depths` steps."""

    hidden: int = 64
    depths: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100)
    drive: float = 0.1
    nets: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the sweep starts."""
        if not self.depths or min(self.depths) < 1 or sorted(set(self.depths)) != list(self.depths):
            raise ValueError(f"depths: got {self.depths}, expected increasing numbers of steps, at least 1")
        if max(self.depths) < 3:
            raise ValueError(f"depths: got {self.depths}, expected the last to be at least 3, for chrono's biases")


def recurrent(cell: rd.cells.Cell, initializer: initializers.Initializer) -> Callable[..., Any]:
    """Return a function that draws the cell with a recurrent matrix from the initializer."""

    def draw_params(key: jax.Array, hidden: int, longest: int) -> tuple[rd.cells.Cell, Any]:
        del longest
        return cell, cell.init(key, inputs=1, hidden=hidden, recurrent=initializer)

    return draw_params


def with_chrono(key: jax.Array, hidden: int, longest: int) -> tuple[rd.cells.Cell, Any]:
    """Draw an LSTM initialised for dependencies of up to `longest` steps."""
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
    """Compute all singular values of ∂h_T/∂h_0 for h_0 = 0.

    The state is frozen after `depth` of the `longest` steps. A frozen step has the identity as its Jacobian, so one
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
    """Compute the singular values of every net at every depth, in float64."""
    grid: dict[str, Any] = {
        "init": list(INITS),
        "hidden": [config.hidden],
        "longest": [max(config.depths)],
        "drive": [config.drive],
        "net": 1000 * config.seed + np.arange(float(config.nets)),
        "depth": [float(depth) for depth in config.depths],
    }
    with jax.enable_x64(True):
        dataset = rd.sweep(measure, grid, key=jax.random.key(config.seed), progress=progress)
    return dataset.squeeze(("hidden", "longest", "drive", "repeat"))


def spread(at: xarray.Dataset) -> float:
    """Return how many decades the middle 80 % of all nets' directions span at the last depth; NaN if some are unknown.

    The full range would depend on a single direction in hundreds.
    """
    low, high = np.quantile(own_values(at).isel(depth=-1), (0.1, 0.9))
    return float(high - low) / np.log(10)


def kept(at: xarray.Dataset) -> float:
    """Return the fraction of all nets' directions that are kept at the last depth; unknown ones count as lost."""
    return float((np.abs(own_values(at).isel(depth=-1)) < KEPT * np.log(10)).mean())


def own_values(at: xarray.Dataset) -> xarray.DataArray:
    """Return the singular values without the padding up to the largest state."""
    return at.log_singular_values.isel(index=slice(int(at.index_length.max())))


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one panel per initialisation."""
    inits = dataset.init.values
    figure, axes = plt.subplots(1, len(inits), figsize=(2.9 * len(inits), 3.9), sharey=True)
    for axis, init in zip(axes, inits, strict=True):
        at = dataset.sel(init=init)
        values = own_values(at).transpose("depth", "net", "index").values
        plot.singular_values(axis, values, depth=at.depth.values)
        axis.axhspan(-KEPT, KEPT, color="0.85", lw=0, zorder=0.5)
        axis.set_title(
            f"{init}: {100 * kept(at):.0f} % of directions kept,\nthe middle 80 % span {shown(spread(at))} decades"
        )
        axis.label_outer()
    axes[0].set_ylim(-LOWEST, 2)  # lower values are as good as 0
    figure.suptitle(
        "Singular values over the depth: median, the middle 50 and 80 %, extremes (dashed). Kept: within a factor of "
        f"{10**KEPT} of 1 (grey) at T = {dataset.depth.values[-1]:g}",
        fontsize=10,
    )
    return figure


def shown(decades: float) -> str:
    """Format a number of decades."""
    return "unknown" if np.isnan(decades) else f"{decades:.{0 if decades >= 10 else 1}f}"


def main() -> None:
    """Print how far each initialisation is from an isometry, and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(
        f"log₁₀ of the singular values of ∂h_T/∂h_0 at T = {max(config.depths)}, quantiles over all {config.nets} nets"
    )
    shares = {"minimum": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "maximum": 1.0}
    print(f"{'':>12}" + "".join(f"{name:>9}" for name in shares) + f"{'10 to 90 %':>12}{'kept':>7}{'unknown':>9}")
    for init in dataset.init.values:
        at = dataset.sel(init=init)
        last = own_values(at).isel(depth=-1).values / np.log(10)
        row = "".join(f"{number:9.2f}" for number in np.quantile(last, list(shares.values())))
        print(f"{init:>12}{row}{shown(spread(at)):>12}{kept(at):7.0%}{np.isnan(last).sum():9d}")
    write("initialisation", config, draw, dataset)


if __name__ == "__main__":
    main()
