"""A scalar linear recurrence h_t = a h_{t-1} + b x_t with L = ½(h_T - y)²: a^{T-t} of the gradient reaches step t.

    ∂L/∂h_t = (h_T - y) a^{T-t}
    s_t = ∂h_t/∂a = h_{t-1} + a s_{t-1} = Σ_{τ<=t} a^{t-τ} h_{τ-1}
    r_t = ∂h_t/∂b = x_t + a r_{t-1}     = Σ_{τ<=t} a^{t-τ} x_τ

The gradient vanishes for |a| < 1 and explodes for |a| > 1. For a matrix A the eigenvalues decide in the limit; the
figure shows what they miss before that.
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

from ..figure import Output
from .report import Report, Row, present


@dataclass(frozen=True)
class Config(Output):
    """The numbers of the exercise; x_1 .. x_T = linspace(-1, 1, T)."""

    a: float = 0.9
    b: float = 0.5
    y: float = 1.0
    h_0: float = 0.3
    T: int = 10


def by_hand(c: Config) -> dict[str, Any]:
    """Compute the document's derivation in numpy; index t of an array is time t, so h[0] = h_0."""
    x = np.concatenate([[np.nan], np.linspace(-1, 1, c.T)])
    h, s, r = np.zeros(c.T + 1), np.zeros(c.T + 1), np.zeros(c.T + 1)
    h[0] = c.h_0
    for t in range(1, c.T + 1):
        h[t] = c.a * h[t - 1] + c.b * x[t]
        s[t] = h[t - 1] + c.a * s[t - 1]
        r[t] = x[t] + c.a * r[t - 1]
    powers = c.a ** (c.T - np.arange(1, c.T + 1))
    error = h[-1] - c.y
    return {
        "h_T": h[-1],
        "∂L/∂h_T": error,
        "∂L/∂h_t, all t": error * powers,
        "s_t by its recursion, all t": s[1:],
        "s_T as a sum": powers @ h[:-1],
        "r_t by its recursion, all t": r[1:],
        "r_T as a sum": powers @ x[1:],
        "∂L/∂a": error * s[-1],
        "∂L/∂b": error * r[-1],
    }


def by_toolkit(c: Config) -> dict[str, Any]:
    """Compute the same by the toolkit's backward pass, its double sum, and forward mode through the unrolled cell."""
    cell = rd.cells.linear
    params = rd.cells.Affine(W=jnp.array([[c.a]]), U=jnp.array([[c.b]]))
    h_0, xs = jnp.array([c.h_0]), jnp.linspace(-1, 1, c.T)[:, None]

    def states(params: rd.cells.Affine) -> jax.Array:
        return rd.unroll(cell.step, params, h_0, xs)[:, 0]

    def loss(states: jax.Array) -> jax.Array:
        return (states[-1, 0] - c.y) ** 2 / 2

    h_T = states(params)[-1]
    error = h_T - c.y
    sensitivity = jax.jacfwd(states)(params)
    gradient = rd.gradient_contributions(cell.step, params, h_0, xs, loss).gradient
    s, r = sensitivity.W[:, 0, 0], sensitivity.U[:, 0, 0]
    return {
        "h_T": h_T,
        "∂L/∂h_T": error,
        "∂L/∂h_t, all t": rd.state_gradients(cell.step, params, h_0, xs, loss)[:, 0],
        "s_t by its recursion, all t": s,
        "s_T as a sum": s[-1],
        "r_t by its recursion, all t": r,
        "r_T as a sum": r[-1],
        "∂L/∂a": gradient.W.item(),
        "∂L/∂b": gradient.U.item(),
    }


def norms_of_powers(A: Any, lags: int) -> np.ndarray:
    """Return ‖∂h_T/∂h_{T-ℓ}‖ for ℓ = 0 .. lags of the linear net with recurrent matrix A."""
    A = jnp.asarray(A)
    params = rd.cells.Affine(W=A, U=jnp.zeros((len(A), 0)))
    flow = rd.gradient_flow(rd.cells.linear.step, params, jnp.zeros(len(A)), None, length=lags)
    return np.exp(flow.log_norm)


def run(config: Config = Config()) -> Report:
    """Compute every quantity of the exercise, by hand and by the toolkit."""
    with jax.enable_x64(True):
        hand, tool = by_hand(config), by_toolkit(config)
        negative = norms_of_powers([[-1.5]], config.T)[-1]
        jordan = norms_of_powers([[0.9, 5.0], [0.0, 0.9]], 200)
    x = np.linspace(-1, 1, config.T)
    total = hand["∂L/∂h_t, all t"] @ hand["s_t by its recursion, all t"]
    repeated = hand["∂L/∂h_T"] * hand["s_t by its recursion, all t"].sum()
    shifted = sum(config.a**t * x[config.T - t - 1] for t in range(1, config.T))
    return Report(
        title="Scalar linear recurrence (document 002)",
        rows=[Row(name, hand[name], tool[name]) for name in hand],
        errata=[
            "(c) ∂L/∂a = Σ_t ∂L/∂h_t ∂h_t/∂a counts every path many times: with the total derivatives s_t it is "
            f"{total:.8g}, and Σ_t (h_T - y) s_t is {repeated:.8g}. That sum needs the immediate partial h_(t-1), "
            f"which gives {hand['∂L/∂a']:.8g}; the last line, (h_T - y) Σ a^(T-t) h_(t-1), is right. The same holds "
            "for b",
            f"(c) r_T = Σ aᵗ x_(T-t) is off by one index: it gives {shifted:.8g} (with x_0 = 0) instead of "
            f"{hand['r_T as a sum']:.8g}; its last line, Σ a^(T-t) x_t, is right",
            f"(d) the condition is |a| < 1, not a < 1: a = -1.5 explodes, |∂h_T/∂h_0| = {negative:.4g} "
            f"after {config.T} steps",
        ],
        findings=[
            "(e) the theorem that the eigenvalues decide is about the limit, for a constant A: "
            f"A = [[.9, 5], [0, .9]] has ‖A^ℓ‖ = {jordan.max():.3g} at lag {jordan.argmax()} before it vanishes",
        ],
    )


def draw(config: Config = Config()) -> Figure:
    """Plot |∂h_T/∂h_t| over the lag for four a (left), and ‖A^ℓ‖ of two matrices with the same eigenvalues (right)."""
    lags = 60
    with jax.enable_x64(True):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
        for a, note, place in (
            (0.9, "vanishes", (24, 3e-3)),
            (1.0, "stays", (46, 1.6)),
            (1.1, "explodes", (38, 4e2)),
            (-1.5, "also explodes", (1, 3e6)),
        ):
            (line,) = left.semilogy(norms_of_powers([[a]], lags))
            left.text(*place, f"a = {a:g}: {note}", color=line.get_color())
        left.set(xlabel="lag T − t (steps)", ylabel=r"$|\partial h_T\,/\,\partial h_t|$", ylim=(1e-4, 1e8))
        left.set_title("Scalar: |a| decides at every lag")
        for A, label, place in (
            (np.diag([0.9, 0.9]), "A = [[0.9, 0], [0, 0.9]]", (16, 0.4)),
            ([[0.9, 5.0], [0.0, 0.9]], "A = [[0.9, 5], [0, 0.9]]", (22, 20.0)),
        ):
            (line,) = right.semilogy(norms_of_powers(A, lags))
            right.text(*place, label, color=line.get_color())
        right.set(xlabel="lag $\\ell$ (steps)", ylabel=r"$\Vert A^{\ell}\Vert_2$", ylim=(1e-3, 1e2))
        right.set_title("Matrix: the same eigenvalues, but one grows first")
    return figure


def main() -> None:
    """Print the table and draw the figure."""
    present(sys.modules[__name__], tyro.cli(Config))


if __name__ == "__main__":
    main()
