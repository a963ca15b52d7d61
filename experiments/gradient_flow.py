"""How much of a gradient is left after ℓ steps where it vanishes, persists or explodes: five answers on one axis.

‖∂L/∂h_{T-ℓ}‖            the gradient of a loss at step T, relative to ‖∂L/∂h_T‖: a single direction, propagated back
‖∂h_T/∂h_{T-ℓ}‖          the most that any direction can grow: the 2-norm of the product of Jacobians
Π ‖J_t‖                  an upper bound on it: the product of the norms of the steps
e^{λ₁ ℓ}                 the Lyapunov prediction, from a long run of the same net
ρ(W)^ℓ                   the prediction of a linear net
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
from rnn_dynamics.sweeps import Variable, described

from .critical import NAMES, RECURRENT, regime
from .figure import Output, write

FATES = {-1: "gradients vanish", 0: "gradients keep their size", 1: "gradients explode"}


@dataclass(frozen=True)
class Config(Output):
    """A net driven by weak noise. Exponents are measured over `length` steps, gradients over the last `lags` of them.

    `cell` is linear, elman, gru or lstm. W is its recurrent matrix, or that of the candidate where there are gates.
    """

    cell: str = "elman"
    gains: tuple[float, ...] = (0.5, 1.1, 2.0)
    hidden: int = 128
    length: int = 2000
    lags: int = 100
    drive: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the sweep starts."""
        if not 1 <= self.lags < self.length:
            raise ValueError(f"lags: got {self.lags}, expected at least 1 and fewer than length = {self.length}")
        if self.cell not in RECURRENT:
            raise ValueError(f"cell: got {self.cell!r}, expected one of {', '.join(RECURRENT)}")
        if not self.gains:
            raise ValueError("gains: got none, expected at least one")


@described(
    log_gradient=Variable("nats", "ln of the norm of the gradient of a loss, relative to the last step", ("before",)),
    log_norm=Variable("nats", "ln of the 2-norm of the product of Jacobians", ("lag",)),
    log_bound=Variable("nats", "ln of the product of the norms of the Jacobians", ("lag",)),
    exponent=Variable("nats per step", "largest Lyapunov exponent"),
    stderr=Variable("nats per step", "its standard error"),
    reliable=Variable("1", "whether the exponent is reliable"),
    radius=Variable("1", "spectral radius of W"),
)
def measure(
    key: jax.Array, *, cell: str, hidden: int, length: int, lags: int, seed: int, drive: jax.Array, gain: jax.Array
) -> dict[str, jax.Array]:
    """Compute the five answers; all gains use the same random matrix, scaled, and the same noise."""
    net = rd.cells.CELLS[cell]
    for_params, for_xs, for_tangent = jax.random.split(jax.random.key(seed), 3)
    params = net.init(for_params, inputs=1, hidden=hidden, gain=gain)
    xs = drive * jax.random.normal(for_xs, (length, 1))
    h0 = net.initial_state(params)
    first = rd.largest_exponent(net.step, params, h0, xs, burn_in=length // 4, key=for_tangent)
    before = jax.tree.map(lambda leaf: leaf[-1], rd.unroll(net.step, params, h0, xs[:-lags]))
    end = (net.step, params, before, xs[-lags:])
    flow = rd.gradient_flow(*end)

    def loss(states: Any) -> jax.Array:
        """Return ½ (mean h_T - 1)², whose gradient at the last step points in the direction of all ones."""
        return (net.output(jax.tree.map(lambda leaf: leaf[-1], states)).mean() - 1) ** 2 / 2

    log_gradient = rd.log_state_gradients(*end, loss)[::-1]
    return {
        "log_gradient": log_gradient - log_gradient[0],
        "log_norm": flow.log_norm,
        "log_bound": flow.log_bound,
        "exponent": first.exponent,
        "stderr": first.stderr,
        "reliable": first.reliable,
        "radius": rd.eigen.spectral_radius(RECURRENT[cell](params)),
    }


def run(config: Config = Config()) -> xarray.Dataset:
    """Compute the curves at every gain; the attribute `measured` is the number of steps behind each exponent."""
    fixed: dict[str, Any] = {name: [getattr(config, name)] for name in ("cell", "hidden", "length", "lags", "seed")}
    grid = {**fixed, "drive": [config.drive], "gain": list(config.gains)}
    with jax.enable_x64(False):
        dataset = rd.sweep(measure, grid, key=jax.random.key(config.seed), progress=False)
    dataset = dataset.squeeze([dim for dim in dataset.status.dims if dim != "gain"])
    return dataset.assign_attrs(measured=config.length - config.length // 4, cell=NAMES[config.cell])


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one panel per gain."""
    gains = dataset.sizes["gain"]
    figure, axes = plt.subplots(1, gains, figsize=(3.9 * gains, 4.0), squeeze=False)
    for axis, gain in zip(axes[0], dataset.gain.values, strict=True):
        answers(axis, dataset.sel(gain=gain), fate_of(dataset, gain))
        axis.set_ylabel("")
    axes[0, 0].set_ylabel("norm (1 at lag 0)")
    margin = f"two of them + 1/{dataset.attrs['measured']}"
    note(axes[0, 0], f"±: standard error; sign of λ₁ known if |λ₁| > {margin}")
    return figure


def fate_of(dataset: xarray.Dataset, gain: float) -> str:
    """Name the regime by the rule that all experiments share: λ₁ against two standard errors plus 1/T."""
    at = dataset.sel(gain=gain)
    found = regime(at.exponent.values, at.stderr.values, at.reliable.values.astype(bool), dataset.attrs["measured"])
    return "undecided" if np.isnan(found) else FATES[int(found)]


def answers(axes: Axes, at: xarray.Dataset, fate: str) -> None:
    """Plot the five curves at one gain; the title states what happens to the gradient."""
    lags = np.arange(at.sizes["lag"])
    curves: tuple[tuple[Any, str, dict[str, Any]], ...] = (
        (at.log_norm.values, r"$\Vert\partial h_T/\partial h_{T-\ell}\Vert$", {"lw": 2.2}),
        (at.log_gradient.values, r"$\Vert\partial L/\partial h_{T-\ell}\Vert$", {"lw": 1.2}),
        (lags * at.exponent.item(), r"$e^{\lambda_1\ell}$", {"ls": "-."}),
        (lags * np.log(at.radius.item()), r"$\rho(W)^\ell$", {"ls": "--"}),
        (at.log_bound.values, r"$\prod\Vert J_t\Vert$", {"ls": ":"}),
    )
    for logs, label, style in curves:
        plot.gradient_flow(axes, logs, label=label, **style)
    plot.label_ends(axes)
    exponent, stderr, radius = at.exponent.item(), at.stderr.item(), at.radius.item()
    known = f"$\\lambda_1$ = {exponent:.3f} ± {stderr:.3f}, $\\rho(W)$ = {radius:.2f}"
    axes.set_title(f"{at.attrs['cell']}, g = {at.gain.item():g}: {fate}\n{known}")


def main() -> None:
    """Print where the curves end, and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    margin = f"2 standard errors + 1/{dataset.attrs['measured']}"
    for gain in dataset.gain.values:
        at = dataset.sel(gain=gain)
        print(f"g = {gain:g}: λ₁ = {at.exponent.item():.5f} ± {at.stderr.item():.5f}: {fate_of(dataset, gain)}")
    print(f"the sign of λ₁ is known where |λ₁| exceeds {margin}\n")
    end = {"lag": config.lags}
    print(f"log₁₀ of the norms after {config.lags} steps (gradient of the loss: after {config.lags - 1} steps)")
    print(f"{'gain':>6} {'ρ(W)':>6} {'gradient':>9} {'product':>9} {'bound':>9} {'e^λ₁ℓ':>9} {'ρ(W)^ℓ':>9}")
    for gain in dataset.gain.values:
        at = dataset.sel(gain=gain)
        ends = (
            at.log_gradient.values[-1],
            at.log_norm.isel(end).item(),
            at.log_bound.isel(end).item(),
            config.lags * at.exponent.item(),
            config.lags * np.log(at.radius.item()),
        )
        print(f"{gain:6g} {at.radius.item():6.2f}", *(f"{value / np.log(10):9.1f}" for value in ends))
    write("gradient_flow", config, draw, dataset)


if __name__ == "__main__":
    main()
