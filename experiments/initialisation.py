"""Which initial weights carry a gradient through T steps in every direction?

The singular values of ∂h_T/∂h_0 say how much each direction is stretched. All of them at 1 is an isometry: nothing
vanishes, nothing explodes. A direction is called kept here if it is stretched by less than a factor of 10 either way.
The state of an LSTM is (h, c): half of its directions are those of h, which no gate holds. Computed in float64, since
float32 loses the smallest of values that are hundreds of powers of ten apart. Nets driven by weak noise, as they are
drawn:

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
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .figure import Output, write

# decades that the figure reaches down, and within which of 1 a direction is kept
LOWEST, KEPT = 20, 1


@dataclass(frozen=True)
class Config(Output):
    """Singular values are looked at after each of `depths` steps."""

    hidden: int = 64
    depths: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100)
    drive: float = 0.1
    nets: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Fail before the sweep does."""
        if not self.depths or min(self.depths) < 1 or sorted(set(self.depths)) != list(self.depths):
            raise ValueError(f"depths: got {self.depths}, expected numbers of steps from 1, in order")
        if max(self.depths) < 3:
            raise ValueError(f"depths: got {self.depths}, expected the last to be 3 at least, for chrono's biases")


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
    """The singular values of every net at every depth, in float64."""
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
    """Powers of ten across the middle 80 % of the directions of all nets at the last depth; NaN if these are not known.

    Of extremes alone one direction in hundreds would decide.
    """
    low, high = np.quantile(own_values(at).isel(depth=-1), (0.1, 0.9))
    return float(high - low) / np.log(10)


def kept(at: xarray.Dataset) -> float:
    """The share of the directions of all nets that are kept at the last depth; those that are not known are not."""
    return float((np.abs(own_values(at).isel(depth=-1)) < KEPT * np.log(10)).mean())


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
        axis.axhspan(-KEPT, KEPT, color="0.85", lw=0, zorder=0.5)
        axis.set_title(
            f"{init}: {100 * kept(at):.0f} % of directions kept,\nthe middle 80 % span {shown(spread(at))} decades"
        )
        axis.label_outer()
    axes[0].set_ylim(-LOWEST, 2)  # what lies lower is as good as 0
    figure.suptitle(
        "Singular values over the depth: median, the middle 50 and 80 %, extremes (dashed). Kept: within a factor of "
        f"{10**KEPT} of 1 (grey) at T = {dataset.depth.values[-1]:g}",
        fontsize=10,
    )
    return figure


def shown(decades: float) -> str:
    """A number of decades as text."""
    return "unknown" if np.isnan(decades) else f"{decades:.{0 if decades >= 10 else 1}f}"


def main() -> None:
    """Print how far from an isometry each is, write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print(f"log₁₀ of the singular values of ∂h_T/∂h_0 at T = {max(config.depths)}, quantiles over {config.nets} nets")
    shares = {"least": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "most": 1.0}
    print(f"{'':>12}" + "".join(f"{name:>9}" for name in shares) + f"{'10 to 90 %':>12}{'kept':>7}{'unknown':>9}")
    for init in dataset.init.values:
        at = dataset.sel(init=init)
        last = own_values(at).isel(depth=-1).values / np.log(10)
        row = "".join(f"{number:9.2f}" for number in np.quantile(last, list(shares.values())))
        print(f"{init:>12}{row}{shown(spread(at)):>12}{kept(at):7.0%}{np.isnan(last).sum():9d}")
    write("initialisation", config, draw, dataset)


if __name__ == "__main__":
    main()
