"""∂L/∂W as a double sum, powers of a matrix from its eigenvalues, and the cell path of an LSTM.

h_t = σ(W h_{t-1} + U x_t),  L = Σ_t L_t,  t = 0 .. T; the state before h_0 does not depend on W
∂y/∂x = diag(σ') W ∈ ℝ^{n×d}                                       for y = σ(W x)
∂L/∂W = Σ_t Σ_{k=0}^t (∂L_t/∂h_t)(∂h_t/∂h_k)(∂⁺h_k/∂W)             a (T + 1) × (T + 1) table, k from 0
W^n = Q Λ^n Q⁻¹                                                     where Q exists and is well conditioned
∂C_t/∂C_k = Π f                                                     for an LSTM, along the cell path alone
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
from rnn_dynamics.cells.activations import logistic, tanh

from ..figure import Output
from .report import Report, Row, present

LOGISTIC, LSTM = rd.cells.make_elman("logistic"), rd.cells.lstm
W_EXAMPLE = np.array([[0.58, 0.24], [0.24, 0.72]])
Q_RIGHT, EIGENVALUES = np.array([[-0.6, -0.8], [-0.8, 0.6]]), np.array([0.9, 0.4])
Q_PRINTED = np.array([[-0.6, -0.8], [-0.8, 0.5]])


@dataclass(frozen=True)
class Config(Output):
    """Sizes of the logistic net and of the LSTM; the seed determines their weights and inputs."""

    hidden: int = 4
    inputs: int = 3
    T: int = 9
    power: int = 30
    lstm_T: int = 30
    seed: int = 0


def sigma(a: np.ndarray) -> np.ndarray:
    """Compute the logistic function."""
    return 1 / (1 + np.exp(-a))


def draw_net(c: Config) -> tuple[Any, ...]:
    """Draw W and U, the state before h_0, inputs x_0 .. x_T, and the vectors v_t of the losses L_t = ½ ‖h_t - v_t‖²."""
    rng = np.random.default_rng(c.seed)
    W, U, h, xs, v = (
        rng.normal(size=shape)
        for shape in ((c.hidden, c.hidden), (c.hidden, c.inputs), (c.hidden,), (c.T + 1, c.inputs), (c.T + 1, c.hidden))
    )
    return 3 * W, U, h, xs, v


def contributions_by_hand(c: Config) -> np.ndarray:
    """Return the table of the double sum: [t, k] is the n × n term of L_t through W at step k, zero for k > t."""
    W, U, h, xs, v = draw_net(c)
    states = [h]
    for x in xs:
        states.append(sigma(W @ states[-1] + U @ x))
    before, after = np.array(states[:-1]), np.array(states[1:])
    slopes = after * (1 - after)
    table = np.zeros((c.T + 1, c.T + 1, c.hidden, c.hidden))
    for t in range(c.T + 1):
        row = after[t] - v[t]  # ∂L_t/∂h_t
        for k in range(t, -1, -1):
            table[t, k] = np.outer(row * slopes[k], before[k])
            row = (row * slopes[k]) @ W  # times ∂h_k/∂h_{k-1}
    return table


def contributions_by_toolkit(c: Config) -> Any:
    """Return the same table as norms, and ∂L/∂W as the sum of its terms."""
    W, U, h, xs, v = (jnp.asarray(array) for array in draw_net(c))

    def losses(states: jax.Array) -> jax.Array:
        return jnp.sum((states - v) ** 2, axis=1) / 2

    return rd.gradient_contributions(LOGISTIC.step, rd.cells.Affine(W, U), h, xs, losses, wrt=("W",))


def power_by_toolkit(W: np.ndarray, n: int) -> np.ndarray:
    """Return W^n as the product of the n step Jacobians of the linear net."""
    params = rd.cells.Affine(W=jnp.asarray(W), U=jnp.zeros((len(W), 0)))
    product = rd.jacobian_product(rd.cells.linear.step, params, jnp.zeros(len(W)), None, length=n)
    return np.asarray(product.to_array())


def lstm_blocks(c: Config, forget_bias: float, input_bias: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ∂C_T/∂C_0 along the cell path alone, diag Π f_t, and as a block of the full (h, c) Jacobian product."""
    key_p, key_x = jax.random.split(jax.random.key(c.seed))
    biases = {"forget_bias": forget_bias, "input_bias": input_bias, "cell_bias": 0.0, "output_bias": 0.0}
    p = LSTM.init(key_p, inputs=c.inputs, hidden=c.hidden, **biases)
    xs = jax.random.normal(key_x, (c.lstm_T, c.inputs))
    product = np.asarray(rd.jacobian_product(LSTM.step, p, LSTM.initial_state(p), xs).to_array())
    cell = rd.blocks(LSTM.initial_state(p))["c"]
    return np.diag(np.asarray(gates(p, xs)["f"]).prod(axis=0)), product[cell, cell]


def gates(p: rd.cells.LSTMParams, xs: jax.Array) -> dict[str, jax.Array]:
    """Return f, i, o, C̃, C and h at every step of the LSTM."""
    states = rd.unroll(LSTM.step, p, LSTM.initial_state(p), xs)
    before = jnp.concatenate([jnp.zeros_like(states.h[:1]), states.h[:-1]])

    def inner(part: rd.cells.Affine) -> jax.Array:
        return jax.vmap(lambda h, x: part.W @ h + part.U @ x + part.b)(before, xs)

    f, i, o = (logistic(inner(part)) for part in (p.forget, p.input, p.output))
    return {"f": f, "i": i, "o": o, "C̃": tanh(inner(p.cell)), "C": states.c, "h": states.h}


def ranges(c: Config) -> str:
    """State the smallest and largest value of each LSTM quantity over a long run with strong weights."""
    key_p, key_x = jax.random.split(jax.random.key(c.seed))
    p = LSTM.init(key_p, inputs=c.inputs, hidden=16, gain=2.0)
    values = gates(p, 2 * jax.random.normal(key_x, (500, c.inputs)))
    return "; ".join(
        f"{name} from {value.min():.1e} to 1 - {1 - value.max():.1e}"
        if name in "fio"
        else f"{name} from {value.min():.3f} to {value.max():.3f}"
        for name, value in values.items()
    )


def rows(c: Config) -> list[Row]:
    """Return every quantity that the document derives, by hand and by the toolkit."""
    rng = np.random.default_rng(c.seed)
    W, x = rng.normal(size=(3, 5)), rng.normal(size=5)
    y = sigma(W @ x)
    table, measured = contributions_by_hand(c), contributions_by_toolkit(c)
    decomposed = Q_RIGHT @ np.diag(EIGENVALUES**c.power) @ Q_RIGHT.T
    power = power_by_toolkit(W_EXAMPLE, c.power)
    kept, full = lstm_blocks(c, forget_bias=40.0, input_bias=-40.0)
    return [
        Row("∂y/∂x = diag(σ′) W, 3 × 5", (y * (1 - y))[:, None] * W, jax.jacfwd(lambda x: logistic(W @ x))(x)),
        Row("∂L/∂W, the double sum from k = 0", table.sum(axis=(0, 1)), measured.gradient.W),
        Row("norms of its (T + 1)² terms", np.linalg.norm(table, axis=(2, 3)), measured.norms),
        Row(f"W^{c.power} [0, 0] = [Q Λ^{c.power} Q⁻¹] [0, 0]", decomposed[0, 0], power[0, 0]),
        Row(f"W^{c.power} [0, 1]", decomposed[0, 1], power[0, 1]),
        Row(f"W^{c.power} [1, 1]", decomposed[1, 1], power[1, 1]),
        Row(
            f"[[1, 1], [0, 1]]^{c.power} [0, 1], no QΛQ⁻¹",
            c.power,
            power_by_toolkit(np.triu(np.ones((2, 2))), c.power)[0, 1],
        ),
        Row("∂C_T/∂C_0, f = 1, i = 0, cell path", np.eye(c.hidden), kept),
        Row("∂C_T/∂C_0, f = 1, i = 0, full (h, c)", np.eye(c.hidden), full),
    ]


def run(config: Config = Config()) -> Report:
    """Compute the rows, the misprints and the terms that the document neglects."""
    table = contributions_by_hand(config)
    without = np.linalg.norm(table[:, 0].sum(axis=0)) / np.linalg.norm(table.sum(axis=(0, 1)))
    printed = Q_PRINTED @ np.diag(EIGENVALUES) @ Q_RIGHT.T
    with jax.enable_x64(True):
        turned = power_by_toolkit(np.array([[0.0, -1.0], [1.0, 0.0]]), config.power)
        cell_path, full = lstm_blocks(config, forget_bias=1.0, input_bias=0.0)
        neglected = np.linalg.norm(full - cell_path) / np.linalg.norm(full)
        return Report(
            title="Double sum, matrix powers and the cell path (document 004)",
            rows=rows(config),
            errata=[
                "ex. 1 (b): k runs from 0, as the document notes; leaving out k = 0 drops a part of relative norm "
                f"{without:.2g} here",
                "ex. 2 (c): the printed left factor has .5 where .6 belongs; its product is "
                f"{printed.round(3).tolist()}",
                "ex. 2 (c): W^n need not stay the same when all eigenvalues have modulus 1, nor when all are 1: the "
                f"rotation by 90° has W^{config.power} = {turned.round(12).tolist()}, and "
                f"[[1, 1], [0, 1]]^{config.power} has {config.power} in its corner",
                "ex. 2 (a): (11) writes a power of diag(σ′)W, but σ′ differs at each step, so it is a product",
                "ex. 2 (c): one eigenvalue outside the unit circle is enough for W^n to grow; not all need be outside",
            ],
            findings=[
                f"condition of Q: {np.linalg.cond(np.linalg.eig(W_EXAMPLE)[1]):.3g} for W, and "
                f"{np.linalg.cond(np.linalg.eig(np.triu(np.ones((2, 2))))[1]):.1e} for [[1, 1], [0, 1]], which has no "
                "QΛQ⁻¹: a computed one would have no correct digit",
                f"ex. 3 (b): ranges over 500 steps of an LSTM, gates in (0, 1), C̃ in (-1, 1): {ranges(config)}",
                f"ex. 3: with ordinary gates (b_f = 1) the terms that the document neglects make up {neglected:.1%} of "
                f"∂C_T/∂C_0 after {config.lstm_T} steps",
            ],
        )


def draw(config: Config = Config()) -> Figure:
    """Draw the norm of every term of the double sum; each row shows how much is left at each lag."""
    norms = np.linalg.norm(contributions_by_hand(config), axis=(2, 3))
    figure, axis = plt.subplots(figsize=(5.4, 4.4))
    # terms with k > t do not exist and stay blank
    shown = np.ma.masked_where(norms == 0, np.log10(np.where(norms == 0, 1, norms)))
    image = axis.imshow(shown)
    bar = figure.colorbar(image, label="norm of the term")
    plot.in_powers_of_ten(bar.ax.yaxis)
    # not by `plot.contributions`, which counts from 1
    axis.set(xlabel="step $k$ at which W acted, from 0 as in the document", ylabel="time $t$ of the loss, from 0")
    axis.set_title("∂L/∂W term by term: steps long before a loss hardly affect it")
    axis.grid(visible=False)
    return figure


def main() -> None:
    """Print the table and draw the figure."""
    present(sys.modules[__name__], tyro.cli(Config))


if __name__ == "__main__":
    main()
