"""An LSTM with one unit: the document's backward rules, by hand and by the toolkit.

i, f, o = σ(w_x x + w_h h + b) and g = tanh(w_x x + w_h h + b), each with its own weights, c' = f c + i g and
h' = o tanh c'. A bar marks the total derivative, ā = ∂L/∂a:

    h̄_t = direct part of L at t + [ī i(1 - i) w_ih + f̄ f(1 - f) w_fh + ō o(1 - o) w_oh + ḡ (1 - g²) w_gh]_{t+1}
    c̄_t = h̄_t o_t (1 - tanh² c_t) + c̄_{t+1} f_{t+1}
    ḡ_t = c̄_t i_t      ō_t = h̄_t tanh c_t      f̄_t = c̄_t c_{t-1}      ī_t = c̄_t g_t
    w̄_ix = Σ_t ī_t i_t (1 - i_t) x_t
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

from .adder import logistic

CLOSED = np.array([-1.0, 1.0, 0.0, -1.0])  # signs of the biases of i, f, g, o for i ≈ 0, f ≈ 1, o ≈ 0
GATED = np.array([True, True, False, True])  # i, f and o are logistic, g is tanh


class ScalarLSTM(NamedTuple):
    """Weights and biases of i, f, g, o in this order, the initial state, inputs x_1 .. x_T and targets y_1 .. y_T."""

    w_x: np.ndarray
    w_h: np.ndarray
    b: np.ndarray
    h_0: float
    c_0: float
    x: np.ndarray
    y: np.ndarray


class Passed(NamedTuple):
    """The derivatives of L in h and c at t = 0 .. T, in i, f, g, o at t = 1 .. T, and in w_ix (the bars above)."""

    h: np.ndarray
    c: np.ndarray
    gates: np.ndarray
    w_ix: float


def problem(seed: int, T: int, bias: float) -> ScalarLSTM:
    """Draw weights, initial state, inputs and targets from N(0, 1); weights and state do not depend on T or bias."""
    random = np.random.default_rng(seed)
    w_x, w_h, (h_0, c_0) = random.normal(size=4), random.normal(size=4), random.normal(size=2)
    x, y = random.normal(size=(T, 2)).T
    return ScalarLSTM(w_x, w_h, bias * CLOSED, h_0, c_0, x, y)


def forward(p: ScalarLSTM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return h and c at t = 0 .. T, and the gates i, f, g, o (T + 1, 4), whose row 0 is NaN."""
    T = len(p.x)
    h, c, gates = np.zeros(T + 1), np.zeros(T + 1), np.full((T + 1, 4), np.nan)
    h[0], c[0] = p.h_0, p.c_0
    for t in range(1, T + 1):
        z = p.w_x * p.x[t - 1] + p.w_h * h[t - 1] + p.b
        i, f, g, o = gates[t] = np.where(GATED, logistic(z), np.tanh(z))
        c[t] = f * c[t - 1] + i * g
        h[t] = o * np.tanh(c[t])
    return h, c, gates


def backward(p: ScalarLSTM, direct_h: np.ndarray, direct_c: float) -> Passed:
    """Apply the rules of 2(a) and 2(b); `direct_h` enters as ∂L/∂h_t at h_1 .. h_T, `direct_c` at c_T."""
    T = len(p.x)
    _, c, gates = forward(p)
    h_bar, c_bar, gate_bar = np.zeros(T + 1), np.zeros(T + 1), np.zeros((T + 1, 4))

    def through_gates(t: int) -> float:
        i, f, g, o = gates[t]
        return float(gate_bar[t] * [i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)] @ p.w_h)

    for t in range(T, 0, -1):
        i, _, g, o = gates[t]
        h_bar[t] = direct_h[t - 1] + (through_gates(t + 1) if t < T else 0.0)
        from_c = c_bar[t + 1] * gates[t + 1, 1] if t < T else direct_c
        c_bar[t] = h_bar[t] * o * (1 - np.tanh(c[t]) ** 2) + from_c
        gate_bar[t] = c_bar[t] * g, c_bar[t] * c[t - 1], c_bar[t] * i, h_bar[t] * np.tanh(c[t])
    h_bar[0], c_bar[0] = through_gates(1), c_bar[1] * gates[1, 1]
    i = gates[1:, 0]
    return Passed(h_bar, c_bar, gate_bar[1:], float(np.sum(gate_bar[1:, 0] * i * (1 - i) * p.x)))


class Offsets(NamedTuple):
    """Zeros added at each time, to differentiate by: to c before a step, to the biases of i, f, g, o, to the new h."""

    before_c: jax.Array
    biases: jax.Array
    after_h: jax.Array


def as_params(p: ScalarLSTM) -> rd.cells.LSTMParams:
    """Return the weights for the toolkit's LSTM with one unit and one input, whose order is also i, f, g, o."""
    return rd.cells.LSTMParams(
        *(
            rd.cells.Affine(W=jnp.array([[w_h]]), U=jnp.array([[w_x]]), b=jnp.array([b]))
            for w_x, w_h, b in zip(p.w_x, p.w_h, p.b, strict=True)
        )
    )


def start(p: ScalarLSTM) -> rd.cells.LSTMState:
    """Return the state (h_0, c_0)."""
    return rd.cells.LSTMState(h=jnp.array([p.h_0]), c=jnp.array([p.c_0]))


def offset_step(params: Any, state: rd.cells.LSTMState, x: tuple[jax.Array, Offsets]) -> rd.cells.LSTMState:
    """Take one step of the toolkit's LSTM with its offsets."""
    x_t, offset = x
    gates = (gate._replace(b=gate.b + offset.biases[k : k + 1]) for k, gate in enumerate(params))
    new = rd.cells.lstm.step(rd.cells.LSTMParams(*gates), state._replace(c=state.c + offset.before_c), x_t)
    return new._replace(h=new.h + offset.after_h)


def passed_by_toolkit(p: ScalarLSTM) -> Passed:
    """Compute the bars for L = ½ Σ (h_t - y_t)² by reverse mode through the unrolled step and its offsets.

    An offset acts on a gate through the gate's slope, and on c_t through the forget gate:
    ∂L/∂(bias of i at t) = ī_t σ′ and ∂L/∂(offset of c before step t) = f_t c̄_t.
    """
    T, xs = len(p.x), jnp.asarray(p.x)[:, None]
    zeros = Offsets(before_c=jnp.zeros((T, 1)), biases=jnp.zeros((T, 4)), after_h=jnp.zeros((T, 1)))

    def loss(params: Any, state: Any, offsets: Offsets) -> tuple[jax.Array, jax.Array]:
        h = rd.unroll(offset_step, params, state, (xs, offsets)).h[:, 0]
        return jnp.sum((h - jnp.asarray(p.y)) ** 2) / 2, h

    gradients, h = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(as_params(p), start(p), zeros)
    of_params, of_start, of_offsets = jax.tree.map(np.asarray, gradients)
    z = p.w_x * p.x[:, None] + p.w_h * np.concatenate([[p.h_0], h[:-1]])[:, None] + p.b
    sigma, sigma_slope = _value_and_slope(rd.cells.activations.logistic, z)
    _, tanh_slope = _value_and_slope(rd.cells.activations.tanh, z)
    return Passed(
        h=np.concatenate([of_start.h, of_offsets.after_h[:, 0]]),
        c=np.concatenate([of_start.c, of_offsets.before_c[:, 0] / sigma[:, 1]]),
        gates=of_offsets.biases / np.where(GATED, sigma_slope, tanh_slope),
        w_ix=of_params.input.U.item(),
    )


@partial(jax.jit, static_argnums=0)
def _value_and_slope(phi: Any, z: Any) -> tuple[jax.Array, jax.Array]:
    """Return φ(z) and φ′(z) for each entry, as the toolkit differentiates φ."""
    return jax.jvp(phi, (z,), (jnp.ones_like(z),))


def jacobians(p: ScalarLSTM) -> np.ndarray:
    """Return J_1 .. J_T of the whole state (h, c), (T, 2, 2)."""
    return np.asarray(rd.step_jacobians(rd.cells.lstm.step, as_params(p), start(p), jnp.asarray(p.x)[:, None]))


def over_lags(Js: np.ndarray) -> np.ndarray:
    """Return ∂(h_T, c_T)/∂(h_{T-ℓ}, c_{T-ℓ}) = J_T ··· J_{T-ℓ+1} for ℓ = 0 .. T, (T + 1, 2, 2)."""
    products = [np.eye(2)]
    for J in Js[::-1]:
        products.append(products[-1] @ J)
    return np.stack(products)
