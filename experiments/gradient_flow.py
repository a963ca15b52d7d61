"""What is left of a gradient after ℓ steps, at a gain where it vanishes, stays or explodes?

Beside the measured ‖∂h_T/∂h_{T-ℓ}‖ of a tanh net stand two answers that are often given instead: the bound Π ‖J_t‖,
and ρ(W)^ℓ, which would be right for a linear net.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot

FIGURE = Path("figures") / "gradient_flow.png"


@dataclass(frozen=True)
class Config:
    """A tanh net driven by weak noise."""

    gains: tuple[float, ...] = (0.5, 1.1, 2.0)
    hidden: int = 128
    T: int = 100
    input_scale: float = 0.1
    seed: int = 0


class Curves(NamedTuple):
    """Natural logarithms over the lag, (gains, T + 1), and the spectral radius of each W."""

    log_norm: np.ndarray
    log_bound: np.ndarray
    radius: np.ndarray


def run(config: Config = Config()) -> Curves:
    """The curves at every gain, of the same random matrix scaled."""
    cell = rd.cells.elman

    def at(gain: jax.Array) -> tuple[rd.GradientFlow, jax.Array]:
        key_params, key_xs = jax.random.split(jax.random.key(config.seed))
        xs = config.input_scale * jax.random.normal(key_xs, (config.T, 1))
        params = cell.init(key_params, inputs=1, hidden=config.hidden, gain=gain)
        flow = rd.gradient_flow(cell.step, params, cell.initial_state(params), xs)
        return flow, jnp.abs(jnp.linalg.eigvals(params.W)).max()

    with jax.enable_x64(False):
        flow, radius = jax.vmap(at)(jnp.array(config.gains))
    return Curves(*map(np.asarray, (flow.log_norm, flow.log_bound, radius)))


def draw(curves: Curves, config: Config = Config()) -> Figure:
    """One panel a gain: measured, bound, ρ(W)^ℓ."""
    figure, axes = plt.subplots(1, len(config.gains), figsize=(11, 3.8), squeeze=False)
    lags = np.arange(config.T + 1)
    for axis, gain, norm, bound, radius in zip(axes[0], config.gains, *curves, strict=True):
        panel: tuple[tuple[np.ndarray, str, dict[str, Any]], ...] = (
            (norm, "measured", {"lw": 2.2}),
            (lags * np.log(radius), r"$\rho(W)^\ell$", {"ls": "--"}),
            (bound, r"bound $\prod\Vert J_t\Vert$", {"ls": ":"}),
        )
        for logs, label, style in panel:
            axis.plot(lags, logs / np.log(10), label=label, **style)
        plot.label_ends(axis)
        end = norm[-1] / np.log(10)
        fate = "vanishes" if end < -2 else "explodes" if end > 2 else "stays"
        axis.set(xlabel="lag $\\ell$ (steps)", title=f"g = {gain:g}, $\\rho(W)$ = {radius:.2f}: {fate}")
    axes[0, 0].set_ylabel(r"$\log_{10}\,\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
    return figure


def main() -> None:
    """Print where the curves end and write figures/gradient_flow.png."""
    config = tyro.cli(Config)
    curves = run(config)
    print(f"log₁₀ after {config.T} steps")
    print(f"{'gain':>6} {'ρ(W)':>6} {'measured':>9} {'ρ(W)^ℓ':>9} {'bound':>9}")
    for gain, norm, bound, radius in zip(config.gains, *curves, strict=True):
        ends = (norm[-1], config.T * np.log(radius), bound[-1])
        print(f"{gain:6g} {radius:6.2f}", *(f"{end / np.log(10):9.1f}" for end in ends))
    FIGURE.parent.mkdir(exist_ok=True)
    with plt.style.context(plot.STYLE):
        draw(curves, config).savefig(FIGURE, metadata={"Software": None})
    print(f"figure: {FIGURE}")


if __name__ == "__main__":
    main()
