"""A scalar GRU over two steps, L = ½(h_2 - y)²: every gradient by hand, and whether a GRU's is really more stable.

    z = σ(W_xz x + W_hz h + b_z)        r = σ(W_xr x + W_hr h + b_r)        n = tanh(W_xh x + W_hh r h + b_h)
    h' = z h + (1 - z) n        (the document's parts 1 and 2)
    h' = (1 - z) h + z n        (its part 3: the same net with every weight of z negated)

The backward pass, where bars mean ∂L/∂· and a_z, a_r, a_n are the arguments of σ, σ and tanh:

    ā_n = h̄' (1 - z)(1 - n²)      ā_z = h̄' (h - n) z(1 - z)      ā_r = ā_n W_hh h r(1 - r)
    h̄ = h̄' z + ā_z W_hz + ā_r W_hr + ā_n W_hh r
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot

from ..figure import Output
from .report import Report, Row, present

WEIGHTS = {
    "W_xz": 0.5, "W_hz": 0.1, "b_z": 0.0,
    "W_xr": 0.4, "W_hr": 0.2, "b_r": 0.0,
    "W_xh": 0.3, "W_hh": 0.3, "b_h": 0.0,
}  # fmt: skip

# the nets whose gradients are compared: cell and initial biases
NETS: dict[str, tuple[rd.cells.Cell, dict[str, float]]] = {
    "tanh RNN": (rd.cells.elman, {}),
    "GRU": (rd.cells.gru, {}),
    "GRU, $b_z = 4$": (rd.cells.gru, {"update_bias": 4.0}),
}


@dataclass(frozen=True)
class Config(Output):
    """The numbers of the exercise, and the sizes of the nets whose gradients it compares at the end."""

    inputs: tuple[float, ...] = (0.0, 1.0)
    y: float = 2.0
    h_0: float = 0.0
    hidden: int = 32
    T: int = 100
    seeds: int = 8
    gains: tuple[float, ...] = (0.5, 1.0, 1.5, 3.0)


def sigma(a: Any) -> Any:
    """Compute the logistic function."""
    return 1 / (1 + np.exp(-a))


def by_hand(c: Config) -> dict[str, float]:
    """Compute the forward and the backward pass by the rules above."""
    w, h, tape = WEIGHTS, c.h_0, []
    for x in c.inputs:
        z = sigma(w["W_xz"] * x + w["W_hz"] * h + w["b_z"])
        r = sigma(w["W_xr"] * x + w["W_hr"] * h + w["b_r"])
        n = np.tanh(w["W_xh"] * x + w["W_hh"] * r * h + w["b_h"])
        tape.append((x, h, z, r, n))
        h = z * h + (1 - z) * n
    gradient = dict.fromkeys(WEIGHTS, 0.0)
    h_bar = error = h - c.y
    for x, h_before, z, r, n in reversed(tape):
        n_bar = h_bar * (1 - z) * (1 - n**2)
        z_bar = h_bar * (h_before - n) * z * (1 - z)
        r_bar = n_bar * w["W_hh"] * h_before * r * (1 - r)
        for gate, bar, fed_back in (("z", z_bar, h_before), ("r", r_bar, h_before), ("h", n_bar, r * h_before)):
            gradient[f"W_x{gate}"] += bar * x
            gradient[f"W_h{gate}"] += bar * fed_back
            gradient[f"b_{gate}"] += bar
        h_bar = h_bar * z + z_bar * w["W_hz"] + r_bar * w["W_hr"] + n_bar * w["W_hh"] * r
    T = len(c.inputs)
    return {f"h_{T}": h, f"∂L/∂h_{T}": error, **{f"∂L/∂{name}": value for name, value in gradient.items()}}


def parameters() -> rd.cells.GRUParams:
    """Return the weights of the exercise as the toolkit's parameters."""

    def gate(suffix: str) -> rd.cells.Affine:
        x, h, b = (WEIGHTS[name + suffix] for name in ("W_x", "W_h", "b_"))
        return rd.cells.Affine(W=jnp.array([[h]]), U=jnp.array([[x]]), b=jnp.array([b]))

    return rd.cells.GRUParams(update=gate("z"), reset=gate("r"), candidate=gate("h"))


def by_toolkit(c: Config) -> dict[str, float]:
    """Compute the same by reverse mode through the unrolled cell."""
    xs = jnp.array(c.inputs)[:, None]

    def final(params: rd.cells.GRUParams) -> jax.Array:
        return rd.unroll(rd.cells.gru.step, params, jnp.array([c.h_0]), xs)[-1, 0]

    params = parameters()
    gradient = jax.grad(lambda p: (final(p) - c.y) ** 2 / 2)(params)
    T = len(c.inputs)
    result = {f"h_{T}": final(params), f"∂L/∂h_{T}": final(params) - c.y}
    for suffix, gate in (("z", gradient.update), ("r", gradient.reset), ("h", gradient.candidate)):
        result |= {f"∂L/∂W_x{suffix}": gate.U, f"∂L/∂W_h{suffix}": gate.W, f"∂L/∂b_{suffix}": gate.b}
    return {name: value.item() for name, value in result.items()}


def other_convention(c: Config) -> tuple[Row, Row]:
    """Compute h_T with the convention that z replaces: with the same weights, and with those of z negated."""
    cell = rd.cells.make_gru(update="replace")
    xs, h_0, params = jnp.array(c.inputs)[:, None], jnp.array([c.h_0]), parameters()
    negated = params._replace(update=jax.tree.map(jnp.negative, params.update))
    h = c.h_0
    for x in c.inputs:
        w = WEIGHTS
        z, r = (sigma(w[f"W_x{g}"] * x + w[f"W_h{g}"] * h + w[f"b_{g}"]) for g in "zr")
        h = (1 - z) * h + z * np.tanh(w["W_xh"] * x + w["W_hh"] * r * h + w["b_h"])
    name, kept = f"h_{len(c.inputs)}", by_hand(c)[f"h_{len(c.inputs)}"]
    return (
        Row(f"{name}, z replaces", h, rd.unroll(cell.step, params, h_0, xs)[-1].item()),
        Row(f"{name}, z replaces, negated", kept, rd.unroll(cell.step, negated, h_0, xs)[-1].item()),
    )


def log10_norms(net: str, c: Config, gain: float) -> np.ndarray:
    """Return log₁₀ ‖∂h_T/∂h_{T-ℓ}‖₂ as an array (seeds, lag), lag 0 .. T, for inputs N(0, 1)."""
    cell, biases = NETS[net]

    def flow(key: jax.Array) -> jax.Array:
        key_params, key_xs = jax.random.split(key)
        params = cell.init(key_params, inputs=1, hidden=c.hidden, gain=gain, **biases)
        xs = jax.random.normal(key_xs, (c.T, 1))
        return rd.gradient_flow(cell.step, params, cell.initial_state(params), xs).log_norm

    return np.asarray(jax.vmap(flow)(jax.random.split(jax.random.key(0), c.seeds))) / np.log(10)


def run(config: Config = Config()) -> Report:
    """Compute every quantity of the exercise, and compare an RNN's and a GRU's gradient over many steps."""
    with jax.enable_x64(True):
        hand, tool = by_hand(config), by_toolkit(config)
        rows = [Row(name, hand[name], tool[name]) for name in hand]
        rows += other_convention(config)
        findings = [stability_sentence(config, gain) for gain in config.gains]
    return Report(
        title="Scalar GRU (document 000)",
        rows=rows,
        errata=[
            f"∂L/∂W_xh is {by_hand(Config())['∂L/∂W_xh']:.8f}; the document multiplies rounded factors, "
            "and prints -.6528",
            "part 3 writes h_t = (1 - z) h_(t-1) + z n, but parts 1 and 2 swap z and 1 - z: with the same weights "
            f"{rows[0].quantity} is {rows[-2].by_hand:.8f} instead of {rows[0].by_hand:.8f}",
        ],
        findings=[
            f"Part 3, {config.hidden} units, {config.seeds} seeds, inputs N(0, 1): median and range over seeds of "
            f"log₁₀ ‖∂h_T/∂h_(T-{config.T})‖",
            *findings,
            "where z keeps the old state, an update gate near 1 holds that state: what keeps a GRU's gradient is a "
            "bias b_z that holds the gate near 1, not the gate as such",
        ],
    )


def stability_sentence(c: Config, gain: float) -> str:
    """State how much of the gradient is left after T steps at one gain, in each net."""
    ends = {net: log10_norms(net, c, gain)[:, -1] for net in NETS}
    shown = (
        f"{net.replace('$', '')} {np.median(end):.1f} ({end.min():.1f} to {end.max():.1f})" for net, end in ends.items()
    )
    return f"gain {gain:g}: " + "; ".join(shown)


def draw(config: Config = Config()) -> Figure:
    """Plot the norm of the Jacobian product over the lag at several gains, for all nets on one scale."""
    with jax.enable_x64(True):
        figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
        seen = ("vanishes or explodes", "slower, but still vanishes", "gradient is kept")
        for axis, net, note in zip(axes, NETS, seen, strict=True):
            logs = np.stack([log10_norms(net, config, gain) for gain in config.gains])
            ends = np.median(logs, axis=1)[:, -1]
            crowded = np.ptp(ends) < 5  # decades: too close for one label per curve
            for gain, low, middle, high in zip(config.gains, *np.quantile(logs, [0, 0.5, 1], axis=1), strict=True):
                (line,) = axis.plot(middle)
                axis.fill_between(np.arange(config.T + 1), low, high, color=line.get_color(), alpha=0.2, lw=0)
                if not crowded:
                    place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
                    axis.annotate(f"g = {gain:g}", (config.T, middle[-1]), color=line.get_color(), **place)
            if crowded:
                axis.text(config.T, ends.max() + 1.5, f"g = {min(config.gains):g} to {max(config.gains):g}", ha="right")
            axis.set(xlabel="lag $\\ell$ (steps)", title=f"{net}: {note}")
        plot.in_powers_of_ten(axes[0].yaxis)
        axes[0].set_ylabel(r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
    return figure


def main() -> None:
    """Print the table and draw the figure."""
    present(sys.modules[__name__], tyro.cli(Config))


if __name__ == "__main__":
    main()
