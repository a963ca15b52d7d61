"""Do gates keep a gradient, or is it their bias?

GRU and LSTM driven by white noise, over the bias b of the gate that keeps the old state: the GRU's update gate z, the
LSTM's forget gate f. If that gate were all there is, a memory would fade as σ(b)^ℓ, with the time constant
-1/ln σ(b). What a gradient really does is the largest Lyapunov exponent of all paths, -1/λ₁. For the LSTM the blocks of
∂(h, c)_T/∂(h, c)_{T-ℓ} are taken apart, and ∂c_T/∂c_{T-ℓ} over all paths is compared with the path that never leaves c,
the product of the forget gates.
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
from rnn_dynamics.sweep import Variable, described, one_device_per_core

from .figure import write

BIASES = {"gru": "update_bias", "lstm": "forget_bias"}
NAMES = {"gru": "GRU, update gate", "lstm": "LSTM, forget gate"}
BLOCKS = (("h", "h"), ("h", "c"), ("c", "h"), ("c", "c"))


@dataclass(frozen=True)
class Config:
    """`biases` are (first, last, how many); the LSTM of `shown` is taken apart over the lag."""

    hidden: int = 32
    gain: float = 1.5
    biases: tuple[float, float, int] = (-2.0, 6.0, 17)
    shown: float = 4.0
    nets: int = 8
    length: int = 3000
    lags: int = 200
    seed: int = 0


def draw_net(key: jax.Array, cell: str, hidden: int, steps: int, gain: jax.Array, bias: jax.Array) -> Any:
    """A net with that bias and its noise: what a measurement is called with."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs = jax.random.split(key)
    params = found.init(for_params, inputs=1, hidden=hidden, gain=gain, **{BIASES[cell]: bias})
    return found.step, params, found.initial_state(params), jax.random.normal(for_inputs, (steps, 1))


@described(
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
    bias=Variable("1", "bias of the gate that keeps the old state"),
)
def exponents(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, bias: jax.Array
) -> dict[str, jax.Array]:
    """λ₁ of one net."""
    for_net, for_tangent = jax.random.split(key)
    net = draw_net(for_net, cell, hidden, length, gain, bias)
    found = rd.largest_exponent(*net, burn_in=length // 4, key=for_tangent)
    return {"exponent": found.exponent, "stderr": found.stderr}


@described(
    **{f"log_{to}_{of}": Variable("nats", f"ln of the norm of d{to}_T/d{of}_(T-lag)", ("lag",)) for to, of in BLOCKS},
    log_path=Variable("nats", "ln of the norm of the product of the forget gates", ("lag",)),
)
def blocks(key: jax.Array, *, hidden: int, lags: int, gain: jax.Array, bias: jax.Array) -> dict[str, jax.Array]:
    """The blocks of an LSTM's Jacobian product, after a burn-in as long as it is, and the path through c alone."""
    step, params, h0, xs = draw_net(key, "lstm", hidden, 2 * lags, gain, bias)
    net = (step, params, h0, xs)
    found = {f"log_{to}_{of}": rd.gradient_flow(*net, lags=lags, block=(to, of)).log_norm for to, of in BLOCKS}
    return found | {"log_path": rd.gradient_flow(*net, lags=lags, path="c").log_norm}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """λ₁ of both cells over the bias, and the blocks of the LSTM."""
    biases = np.linspace(*config.biases)
    common: dict[str, Any] = {"hidden": [config.hidden], "gain": [config.gain], "bias": biases}
    options: dict[str, Any] = {"key": jax.random.key(config.seed), "repeats": config.nets, "progress": progress}
    memory = rd.sweep(exponents, {"cell": list(BIASES), "length": [config.length], **common}, **options)
    taken_apart = rd.sweep(blocks, {"lags": [config.lags], **common}, **options)
    left = taken_apart.drop_vars(("status", "error")).squeeze(("lags", "hidden", "gain"))
    return memory.squeeze(("length", "hidden", "gain")).merge(left, compat="override", combine_attrs="override")


def draw(dataset: xarray.Dataset, config: Config = Config()) -> Figure:
    """Time constants over the bias, one LSTM taken apart over the lag, the share of the forget gate over the bias."""
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.2))
    time_constants(axes[0], dataset)
    shown = dataset.sel(bias=config.shown, method="nearest")
    taken_apart(axes[1], shown)
    share_of_the_gate(axes[2], dataset)
    return figure


def time_constants(axes: Axes, dataset: xarray.Dataset) -> None:
    biases = dataset.bias.values
    for position, cell in enumerate(BIASES):
        rates = -dataset.exponent.sel(cell=cell)
        times = np.log(np.where(rates > 0, 1 / rates, np.nan))  # a gradient that grows has none
        plot.gradient_flow(axes, times.T, lag=biases, symbol="$b$", label=NAMES[cell], color=f"C{position}")
    gate = -np.log(np.log1p(np.exp(-biases)))
    plot.gradient_flow(axes, gate, lag=biases, label=r"gate alone, $-1/\ln\sigma(b)$", color="black", ls="--", lw=1)
    axes.set(xlabel="bias $b$ of the gate", ylabel=r"time constant $-1/\lambda_1$ (steps)")
    axes.set_title("The bias makes the memory")
    plot.label_ends(axes)


def taken_apart(axes: Axes, at: xarray.Dataset) -> None:
    curves = {
        rf"$\partial {to}_T/\partial {of}_{{T-\ell}}$": at[f"log_{to}_{of}"].median("repeat").values
        for to, of in (("c", "c"), ("c", "h"), ("h", "c"), ("h", "h"))
    }
    curves["forget gates alone"] = at.log_path.median("repeat").values
    plot.gate_paths(axes, curves)
    axes.set_title(f"LSTM, $b_f$ = {at.bias.item():g}, by blocks: medians")
    plot.label_ends(axes)


def share_of_the_gate(axes: Axes, dataset: xarray.Dataset) -> None:
    """‖Π f‖ over ‖∂c/∂c‖ at some lags."""
    lags = [lag for lag in (1, 10, 50, 200) if lag < dataset.sizes["lag"]]
    for lag in lags:
        share = (dataset.log_path - dataset.log_c_c).isel(lag=lag).transpose("repeat", "bias")
        plot.gradient_flow(axes, share.values, lag=dataset.bias.values, label=rf"$\ell$ = {lag}")
    axes.set(xlabel="bias $b_f$ of the forget gate", ylabel=r"forget gates alone over $\partial c/\partial c$")
    axes.set_title("How much of ∂c/∂c the forget gates are")
    axes.set_ylim(-40, 10)
    plot.label_ends(axes)


def main() -> None:
    """Print the time constants, write figures/gating.png."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print("time constants -1/λ₁ in steps, medians over the nets; a dash where the gradient grows")
    print(f"{'bias':>6}{'gate alone':>12}{'GRU':>9}{'LSTM':>9}{'forget gates in ∂c/∂c at the last lag':>42}")
    last = (dataset.log_path - dataset.log_c_c).isel(lag=-1).median("repeat")
    for bias in dataset.bias.values:
        rates = [-float(dataset.exponent.sel(cell=cell, bias=bias).median()) for cell in BIASES]
        times = "".join(f"{1 / rate:9.1f}" if rate > 0 else f"{'-':>9}" for rate in rates)
        print(f"{bias:6.2f}{1 / np.log1p(np.exp(-bias)):12.1f}{times}{np.exp(float(last.sel(bias=bias))):42.3g}")
    write("gating", draw, dataset, config)


if __name__ == "__main__":
    main()
