"""Three steps of a logistic RNN: every derivative of the exercise by hand, for vectors.

    h_t = σ(W_xh x_t + W_hh h_{t-1} + b_h),  y_t = σ(W_hy h_t + b_y),  L = Σ_t ‖t_t - y_t‖²,  t = 1 .. 3

    ∂L/∂y_t       = -2 (t_t - y_t)
    ∂L_t/∂h_t     = (∂L_t/∂y_t ⊙ σ'(ỹ_t)) W_hy
    ∂h_t/∂h_{t-1} = diag(σ'(h̃_t)) W_hh
    ∂L/∂h_k       = Σ_{t>=k} ∂L_t/∂h_t ∂h_t/∂h_{t-1} ··· ∂h_{k+1}/∂h_k
    ∂L/∂W_xh      = Σ_t Σ_{k<=t} (∂L_t/∂h_t ∂h_t/∂h_k ⊙ σ'(h̃_k)) ⊗ x_k        and with h_{k-1} in place of x_k for W_hh

The last line uses the immediate partials ∂⁺h_k/∂W, with h_{k-1} held constant; the document writes them as ∂h_k/∂W.
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.cells.activations import logistic

from ..figure import Output
from .report import Report, Row, present

CELL = rd.cells.make_elman("logistic")


@dataclass(frozen=True)
class Config(Output):
    """Sizes of the net (1, 1, 1 gives the scalar exercise) and of the nets of exercise 2."""

    inputs: int = 2
    hidden: int = 3
    outputs: int = 2
    seed: int = 0
    long_T: int = 60
    long_hidden: int = 64
    gains: tuple[float, ...] = (1.0, 4.0, 8.0, 30.0)


class Net(NamedTuple):
    """Recurrent part (W, U, b), readout V and b_y, initial state, inputs and targets, as numpy or JAX arrays."""

    recurrent: Any
    V: Any
    b_y: Any
    h_0: Any
    x: Any
    targets: Any


def draw_net(c: Config) -> Net:
    """Draw a random net with h_0 ≠ 0, so that no term of a sum is zero by accident."""
    rng = np.random.default_rng(c.seed)
    n, m, k = c.hidden, c.inputs, c.outputs
    shapes = (n, n), (n, m), (n,), (k, n), (k,), (n,)
    W, U, b, V, b_y, h_0 = (np.asarray(rng.normal(size=shape)) for shape in shapes)
    return Net((W, U, b), V, b_y, h_0, rng.normal(size=(3, m)), rng.uniform(size=(3, k)))


def sigma(a: np.ndarray) -> np.ndarray:
    """Compute the logistic function."""
    return 1 / (1 + np.exp(-a))


def by_hand(net: Net) -> dict[str, Any]:
    """Compute the exercise in numpy; lists are indexed by time, and entry 0 belongs to h_0."""
    (W, U, b), V = net.recurrent, net.V
    x, h, y, slope = [net.h_0, *net.x], [net.h_0], [net.h_0], [net.h_0]
    for t in (1, 2, 3):
        h.append(sigma(U @ x[t] + W @ h[t - 1] + b))
        y.append(sigma(V @ h[t] + net.b_y))
        slope.append(h[t] * (1 - h[t]))
    L_y = [net.h_0, *(-2 * (net.targets[t - 1] - y[t]) for t in (1, 2, 3))]
    L_h = [net.h_0, *((L_y[t] * y[t] * (1 - y[t])) @ V for t in (1, 2, 3))]
    J = [W, *(slope[t][:, None] * W for t in (1, 2, 3))]
    by_h3 = L_h[3]
    by_h2 = L_h[2] + L_h[3] @ J[3]
    by_h1 = L_h[1] + L_h[2] @ J[2] + L_h[3] @ J[3] @ J[2]
    total = [net.h_0, by_h1, by_h2, by_h3]
    from_3_to_1 = L_h[3] @ J[3] @ J[2]
    return {
        "(a1) ∂L/∂y_3": L_y[3],
        "(a2) ∂L/∂y_2": L_y[2],
        "(a3) ∂L_3/∂h_3": L_h[3],
        "(a4) ∂h_3/∂h_2": J[3],
        "(a5) ∂L/∂h_2": by_h2,
        "(a6) ∂L/∂h_1": by_h1,
        "(b1) ∂⁺h_3/∂W_xh": np.diag(slope[3])[:, :, None] * x[3],
        "(b2) ∂⁺h_3/∂W_hh": np.diag(slope[3])[:, :, None] * h[2],
        "(b3) ∂L/∂W_xh": sum(np.outer(total[k] * slope[k], x[k]) for k in (1, 2, 3)),
        "(b4) ∂L/∂W_hh": sum(np.outer(total[k] * slope[k], h[k - 1]) for k in (1, 2, 3)),
        "∂L_1/∂W_hh, dropped by (33)": np.outer(L_h[1] * slope[1], h[0]),
        "all of step 1 in ∂L/∂W_hh": np.outer(total[1] * slope[1], h[0]),
        "path of L_3 to step 1 as in (32)": np.outer(from_3_to_1 * slope[2], x[2]),
        "path of L_3 to step 1, corrected": np.outer(from_3_to_1 * slope[1], x[1]),
    }


def by_toolkit(net: Net) -> dict[str, Any]:
    """Compute the same by automatic differentiation through the cell, its step Jacobians and the unrolled net."""
    p = rd.cells.Affine(*net.recurrent)

    def loss_of_outputs(y: jax.Array) -> jax.Array:
        return jnp.sum((net.targets[: len(y)] - y) ** 2)

    def outputs(states: jax.Array) -> jax.Array:
        return jax.vmap(lambda h: logistic(net.V @ h + net.b_y))(states)

    def loss(p: rd.cells.Affine, steps: int = 3) -> jax.Array:
        return loss_of_outputs(outputs(rd.unroll(CELL.step, p, net.h_0, net.x[:steps])))

    states = rd.unroll(CELL.step, p, net.h_0, net.x)
    direct = jax.grad(lambda states: loss_of_outputs(outputs(states)))(states)  # ∂L_t/∂h_t, one row per time
    J = rd.step_jacobians(CELL.step, p, net.h_0, net.x)
    L_y = jax.grad(loss_of_outputs)(outputs(states))
    immediate = jax.jacfwd(lambda p: CELL.step(p, states[1], net.x[2]))(p)
    gradient = jax.grad(loss)(p)
    total = rd.state_gradients(CELL.step, p, net.h_0, net.x, lambda states: loss_of_outputs(outputs(states)))
    return {
        "(a1) ∂L/∂y_3": L_y[2],
        "(a2) ∂L/∂y_2": L_y[1],
        "(a3) ∂L_3/∂h_3": direct[2],
        "(a4) ∂h_3/∂h_2": J[2],
        "(a5) ∂L/∂h_2": total[1],
        "(a6) ∂L/∂h_1": total[0],
        "(b1) ∂⁺h_3/∂W_xh": immediate.U,
        "(b2) ∂⁺h_3/∂W_hh": immediate.W,
        "(b3) ∂L/∂W_xh": gradient.U,
        "(b4) ∂L/∂W_hh": gradient.W,
        "∂L_1/∂W_hh, dropped by (33)": jax.grad(lambda p: loss(p, 1))(p).W,
    }


def log10_curves(c: Config, gain: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return log₁₀ of ‖∂h_T/∂h_{T-ℓ}‖₂ and of its bound (σ_max(W)/4)^ℓ over lag, and σ_max(W), for a long run."""
    key_p, key_x = jax.random.split(jax.random.key(c.seed))
    params = CELL.init(key_p, inputs=1, hidden=c.long_hidden, gain=gain)
    xs = jax.random.normal(key_x, (c.long_T, 1))
    flow = rd.gradient_flow(CELL.step, params, CELL.initial_state(params), xs)
    largest = float(np.linalg.norm(params.W, 2))
    return flow.log_norm / np.log(10), np.arange(c.long_T + 1) * np.log10(largest / 4), largest


def run(config: Config = Config()) -> Report:
    """Compute every derivative of the exercise, and answer exercise 2 by measurement."""
    net = draw_net(config)
    hand = by_hand(net)
    with jax.enable_x64(True):
        tool = by_toolkit(jax.tree.map(jnp.asarray, net))
        curves = {gain: log10_curves(config, gain) for gain in config.gains}
    wrong, right = (hand[name] for name in ("path of L_3 to step 1 as in (32)", "path of L_3 to step 1, corrected"))
    return Report(
        title="Three steps of a logistic RNN (document 001)",
        rows=[Row(name, hand[name], tool[name]) for name in tool],
        errata=[
            "(32) ends in ∂h_2/∂W_xh where ∂h_1/∂W_xh belongs: that changes the term of L_3 at step 1 by "
            f"{np.linalg.norm(wrong - right):.4g}, compared with its norm of {np.linalg.norm(right):.4g}",
            "(33)-(35) drop L_1 and the contributions of step 1 to L_2 and L_3, which is right only for h_0 = 0: here "
            f"the part of L_1 has norm {np.linalg.norm(hand['∂L_1/∂W_hh, dropped by (33)']):.4g} and all of step 1 has "
            f"norm {np.linalg.norm(hand['all of step 1 in ∂L/∂W_hh']):.4g}",
            "(25)-(28) write ∂h_t/∂W for the immediate partial, with h_(t-1) held constant; the total derivative has "
            "one term per step",
            "(26), (28) are right for scalars; for vectors ∂⁺h_t/∂W is an array with three indices, as in rows b1, b2",
        ],
        findings=[
            "Exercise 2: large values in W_hh need not make gradients explode, as σ' <= 1/4, and less in saturation",
            *(
                f"g = {gain:g}: σ_max(W) = {largest:.3g}, ‖∂h_T/∂h_(T-{config.long_T})‖ = 10^{norms[-1]:.1f}, "
                f"bound (σ_max/4)^{config.long_T} = 10^{bound[-1]:.1f}"
                for gain, (norms, bound, largest) in curves.items()
            ),
        ],
    )


def draw(config: Config = Config()) -> Figure:
    """Plot the norm of the Jacobian product of a logistic net over the lag, and its bound from σ_max(W)/4."""
    with jax.enable_x64(True):
        figure, axis = plt.subplots(figsize=(6.4, 4))
        for gain in config.gains:
            norms, bound, largest = log10_curves(config, gain)
            (line,) = axis.plot(norms)
            axis.plot(bound, color=line.get_color(), ls=":")
            axis.annotate(
                f"g = {gain:g}, $\\sigma_{{\\max}}$ = {largest:.3g}",
                (config.long_T, norms[-1]),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
            )
        axis.set(xlabel="lag $\\ell$ (steps)", ylim=(-45, 18))
        plot.in_powers_of_ten(axis.yaxis)
        axis.set_ylabel(r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
        axis.set_title(r"Logistic net: large weights need not explode (dotted: bound $(\sigma_{\max}/4)^\ell$)")
    return figure


def main() -> None:
    """Print the table and draw the figure."""
    present(sys.modules[__name__], tyro.cli(Config))


if __name__ == "__main__":
    main()
