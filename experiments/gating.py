"""Do gates keep a gradient, or does their bias?

A GRU and an LSTM are driven by white noise, at several biases b of the gate that keeps the old state: the GRU's update
gate z, the LSTM's forget gate f. If that gate acted alone, a memory would fade as σ(b)^ℓ, with the time constant
-1/ln σ(b). The gradient itself takes all paths: the largest Lyapunov exponent gives its time constant, -1/λ₁. The
LSTM's ∂(h, c)_T/∂(h, c)_{T-ℓ} is split into its blocks, and ∂c_T/∂c_{T-ℓ} over all paths is compared with the path that
never leaves c, the product of the forget gates.

A time constant is drawn in colour where λ₁ < 0 is known by the rule of `critical.regime`. A gradient that grows has no
time constant, so quantiles are taken of λ₁ and then converted to times.
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
from rnn_dynamics.plot.caveats import DOUBTED, note, on_edge
from rnn_dynamics.plot.curves import curve
from rnn_dynamics.plot.decades import power_of_ten
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from .critical import regime
from .figure import Output, write

BIASES = {"gru": "update_bias", "lstm": "forget_bias"}
NAMES = {"gru": "GRU, update gate", "lstm": "LSTM, forget gate"}
BLOCKS = (("h", "h"), ("h", "c"), ("c", "h"), ("c", "c"))


@dataclass(frozen=True)
class Config(Output):
    """`biases` are (first, last, number). The blocks are shown over the lag for the LSTM whose bias is near `shown`."""

    hidden: int = 32
    gain: float = 1.5
    biases: tuple[float, float, int] = (-2.0, 6.0, 17)
    shown: float = 4.0
    nets: int = 8
    length: int = 40_000
    lags: int = 200
    seed: int = 0


def draw_net(key: jax.Array, cell: str, hidden: int, steps: int, gain: jax.Array, bias: jax.Array) -> Any:
    """Draw a net with that bias and its noise, and return the arguments of a measurement."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs = jax.random.split(key)
    params = found.init(for_params, inputs=1, hidden=hidden, gain=gain, **{BIASES[cell]: bias})
    return found.step, params, found.initial_state(params), jax.random.normal(for_inputs, (steps, 1))


@described(
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
    reliable=Variable("1", "whether the exponent is reliable"),
    bias=Variable("1", "bias of the gate that keeps the old state"),
)
def exponents(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, bias: jax.Array
) -> dict[str, jax.Array]:
    """Measure λ₁ of one net."""
    for_net, for_tangent = jax.random.split(key)
    net = draw_net(for_net, cell, hidden, length, gain, bias)
    found = rd.largest_exponent(*net, burn_in=length // 4, key=for_tangent)
    return {"exponent": found.exponent, "stderr": found.stderr, "reliable": found.reliable}


@described(
    **{f"log_{to}_{of}": Variable("nats", f"ln of the norm of d{to}_T/d{of}_(T-lag)", ("lag",)) for to, of in BLOCKS},
    log_path=Variable("nats", "ln of the norm of the product of the forget gates", ("lag",)),
)
def blocks(key: jax.Array, *, hidden: int, lags: int, gain: jax.Array, bias: jax.Array) -> dict[str, jax.Array]:
    """Measure the blocks of an LSTM's Jacobian product and its path through c alone, after an equally long burn-in."""
    step, params, h0, xs = draw_net(key, "lstm", hidden, 2 * lags, gain, bias)
    net = (step, params, h0, xs)
    found = {f"log_{to}_{of}": rd.gradient_flow(*net, lags=lags, block=(to, of)).log_norm for to, of in BLOCKS}
    return found | {"log_path": rd.gradient_flow(*net, lags=lags, path="c").log_norm}


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Measure λ₁ of both cells over the bias, with its `fate` (-1 where λ₁ < 0 is known), and the LSTM's blocks."""
    biases = np.linspace(*config.biases)
    common: dict[str, Any] = {"hidden": [config.hidden], "gain": [config.gain], "bias": biases}
    options: dict[str, Any] = {"key": jax.random.key(config.seed), "repeats": config.nets, "progress": progress}
    memory = rd.sweep(exponents, {"cell": list(BIASES), "length": [config.length], **common}, **options)
    taken_apart = rd.sweep(blocks, {"lags": [config.lags], **common}, **options)
    left = taken_apart.drop_vars(("status", "error")).squeeze(("lags", "hidden", "gain"))
    dataset = memory.squeeze(("length", "hidden", "gain")).merge(left, compat="override", combine_attrs="override")
    measured = config.length - config.length // 4
    reliable = dataset.reliable.astype(bool)
    fate = xarray.apply_ufunc(regime, dataset.exponent, dataset.stderr, reliable, measured)
    return dataset.assign(fate=fate).assign_attrs(shown=config.shown)


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw time constants over the bias, one LSTM's blocks over the lag, and the forget gates' share over the bias."""
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.2))
    time_constants(axes[0], dataset)
    shown = dataset.sel(bias=dataset.attrs["shown"], method="nearest")
    taken_apart(axes[1], shown)
    share_of_the_gate(axes[2], dataset)
    return figure


def times_of(exponents: np.ndarray) -> np.ndarray:
    """Return -1/λ₁; inf where λ₁ is not negative."""
    return np.where(
        exponents < 0, -1 / np.where(exponents < 0, exponents, -1), np.where(exponents >= 0, np.inf, np.nan)
    )


def known_times(at: xarray.Dataset) -> np.ndarray:
    """Return the time constant of the median λ₁ over the nets of one cell, at each bias.

    NaN unless more than half of the nets are known to have the same regime, which is then that of the median.
    """
    told = ((at.fate == -1).mean("repeat") > 0.5) | ((at.fate == 1).mean("repeat") > 0.5)
    return np.where(told, times_of(at.exponent.median("repeat").values), np.nan)


def time_constants(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot the median's time constant, and a point per net, grey where it is unknown whether its gradient fades."""
    biases = dataset.bias.values
    gate = 1 / np.log1p(np.exp(-biases))
    for position, cell in enumerate(BIASES):
        at, color = dataset.sel(cell=cell).transpose("bias", "repeat", ...), f"C{position}"
        heights = np.log10(times_of(at.exponent.values))
        places = np.broadcast_to((biases + 0.1 * (2 * position - 1))[:, None], heights.shape)
        known = np.abs(at.fate.values) == 1
        for those, dot in ((~known, DOUBTED), (known, color)):
            axes.plot(places[those], heights[those], "o", ms=2.8, mew=0, alpha=0.7, color=dot, label="_nets")
            on_edge(axes, places[those & np.isinf(heights)], "^", top=True, color=dot)
        curve(axes, biases, np.log10(known_times(at)), color=color)
        axes.text(0.03, 0.93 - 0.07 * position, NAMES[cell], color=color, transform=axes.transAxes)
    curve(axes, biases, np.log10(gate), color="black", ls="--", lw=1)
    axes.text(0.03, 0.79, r"dashed: gate alone, $-1/\ln\sigma(b)$", transform=axes.transAxes)
    note(axes, r"grey: $|\lambda_1|$ within 2 standard errors + 1/T of 0; curve: where most nets agree")
    note(axes, r"triangles: $\lambda_1 \geq 0$ in at least one net: its gradient does not fade")
    plot.in_powers_of_ten(axes.yaxis)
    axes.set(xlabel="bias $b$ of the gate", ylabel=r"time constant $-1/\lambda_1$ (steps)")
    longer = np.stack([known_times(dataset.sel(cell=cell)) / gate for cell in BIASES])
    longer = longer[np.isfinite(longer)]
    said = f"{longer.min():.1f} to {longer.max():.0f} times those of the gate alone" if len(longer) else "unknown"
    axes.set_title(f"Time constants are\n{said}")


def taken_apart(axes: Axes, at: xarray.Dataset) -> None:
    """Plot the blocks' norms over the lag, as medians over nets; the title compares those at the last lag."""
    curves = {
        rf"$\partial {to}_T/\partial {of}_{{T-\ell}}$": at[f"log_{to}_{of}"].median("repeat").values
        for to, of in (("c", "c"), ("c", "h"), ("h", "c"), ("h", "h"))
    }
    curves["forget gates alone"] = at.log_path.median("repeat").values
    plot.gate_paths(axes, curves)
    whole = next(iter(curves))
    ends = [power_of_ten(round(curves[name][-1] / np.log(10), 1)) for name in (whole, "forget gates alone")]
    axes.set_title(
        f"LSTM, $b_f$ = {at.bias.item():g}: median ‖∂c/∂c‖ is {ends[0]} after {at.sizes['lag'] - 1} steps,\n"
        f"through the forget gates alone {ends[1]}"
    )
    plot.label_ends(axes)


def share_of_the_gate(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot ‖Π f‖ / ‖∂c/∂c‖ at some lags."""
    lags = [lag for lag in (1, 10, 50, 200) if lag < dataset.sizes["lag"]]
    for lag in lags:
        share = (dataset.log_path - dataset.log_c_c).isel(lag=lag).transpose("repeat", "bias")
        plot.gradient_flow(axes, share.values, lag=dataset.bias.values, label=rf"$\ell$ = {lag}")
    axes.set(xlabel="bias $b_f$ of the forget gate", ylabel=r"share of forget gates in $\partial c/\partial c$")
    most = np.exp(float((dataset.log_path - dataset.log_c_c).isel(lag=-1).median("repeat").max()))
    axes.set_title(
        f"After {dataset.sizes['lag'] - 1} steps the forget gates\ngive at most {100 * most:.0f} % of ∂c/∂c (median)"
    )
    axes.set_ylim(-40, 6)
    plot.label_ends(axes)


def main() -> None:
    """Print the time constants and write the figure."""
    config = tyro.cli(Config)
    one_device_per_core()
    dataset = run(config, progress=True)
    print("time constants -1/λ₁ of the median λ₁, in steps; unknown unless most nets have the same regime")
    print(f"{'bias':>6}{'gate alone':>12}{'GRU':>9}{'LSTM':>9}{'forget gates in ∂c/∂c at the last lag':>42}")
    last = (dataset.log_path - dataset.log_c_c).isel(lag=-1).median("repeat")
    for bias in dataset.bias.values:
        found = [known_times(dataset.sel(cell=cell, bias=[bias]))[0] for cell in BIASES]
        times = "".join(f"{'unknown':>9}" if np.isnan(time) else f"{time:9.1f}" for time in found)
        print(f"{bias:6.2f}{1 / np.log1p(np.exp(-bias)):12.1f}{times}{np.exp(float(last.sel(bias=bias))):42.3g}")
    write("gating", config, draw, dataset)


if __name__ == "__main__":
    main()
