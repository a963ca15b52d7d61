"""Networks with exactly one fault each, and healthy ones, for the rules of a diagnosis.

Most are linear with eight units, so that they share their programs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

N, T, HORIZON = 8, 60, 50
LINEAR = rd.cells.linear.step


class Net(NamedTuple):
    step: Any
    params: Any
    h0: Any
    xs: Any
    options: dict[str, Any]


def inputs(sequences: int, size: int = 1) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(sequences, T, size))


def last_state(states, weights):
    return jnp.sum(weights * states[-1])


def linear(W, *, sequences: int = 1, horizon: int | None = HORIZON, **options: Any) -> Net:
    params = rd.cells.Affine(W=jnp.asarray(W), U=jnp.ones((len(W), 1)))
    return Net(LINEAR, params, jnp.zeros(len(W)), inputs(sequences), {"horizon": horizon, **options})


def rotation(seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(N, N)))[0]


def lstm(horizon: int | None = HORIZON, **options: Any) -> Net:
    cell = rd.cells.lstm
    key = jax.random.key(3)
    b = rd.cells.initializers.chrono(key, N, longest=2.0 * HORIZON)
    params = cell.init(key, inputs=1, hidden=N, **{"forget_bias": b, "input_bias": -b, **options})
    return Net(cell.step, params, cell.initial_state(params), inputs(4), {"horizon": horizon})


def gru(update: str, horizon: int | None = HORIZON, **options: Any) -> Net:
    cell = rd.cells.make_gru(update=update, reset="after")
    params = cell.init(jax.random.key(3), inputs=1, hidden=N, **options)
    return Net(cell.step, params, cell.initial_state(params), inputs(4), {"horizon": horizon})


def multiplied(a, h, x):
    """A step whose Jacobian is its input."""
    return a * x * h


def scalar(factors, horizon: int = HORIZON) -> Net:
    return Net(multiplied, jnp.ones(()), jnp.full((), 0.5), np.asarray(factors), {"horizon": horizon, "batched": True})


def transient_growth() -> Net:
    """The last ten steps multiply the gradient by 3; a step shortly before the horizon makes it small again."""
    factors = np.ones((1, T))
    factors[0, -10:], factors[0, -45] = 3, np.exp(-14)
    return scalar(factors)


def one_sequence_shrinks() -> Net:
    factors = np.ones((8, T))
    factors[5] = 0.5
    return scalar(factors)


def jordan() -> Net:
    """Eigenvalues of 0.9, with transient growth: at lag 50 the gradient is at 0.86, where 0.9^50 is 0.005."""
    W = 0.9 * np.eye(N)
    for i in range(0, N, 2):
        W[i, i + 1] = 3
    return linear(W)


def relu_units(W, h, x):
    live = jnp.arange(N) < N - 3
    return jax.nn.relu(W @ h + jnp.where(live, x, -1.0))


def square_root(a, h, x):
    return jnp.sqrt(a * h * x)


def saturated() -> Net:
    cell = rd.cells.elman
    params = cell.init(jax.random.key(0), inputs=1, hidden=N, gain=0.1)
    signs = np.sign(inputs(1)) * (1 + np.abs(inputs(1)))
    return Net(cell.step, params._replace(U=jnp.full((N, 1), 4.0)), jnp.zeros(N), signs, {})


def with_nan() -> Net:
    net = linear(rotation())
    return net._replace(params=net.params._replace(W=net.params.W.at[2, 1].set(jnp.nan)))


def heavy() -> Net:
    targets = np.ones((5, N))
    targets[3] = 1000
    return linear(rotation(), sequences=5, loss=last_state, targets=targets)


def half_of_the_net_forgets() -> Net:
    """The loss reads units that forget; others keep the gradient."""
    weights = (np.arange(N) >= N // 2).astype(float)
    W = np.diag(np.where(weights > 0, 0.5, 1.0))
    return linear(W, sequences=5, loss=last_state, targets=np.tile(weights, (5, 1)))


HEALTHY = {
    "orthogonal": lambda: linear(rotation(), sequences=5, loss=last_state, targets=np.ones((5, N))),
    "chrono LSTM": lambda: lstm()._replace(options={"horizon": HORIZON, "loss": lambda states: jnp.sum(states.h[-1])}),
    "chrono GRU": lambda: gru(
        "keep", update_bias=rd.cells.initializers.chrono(jax.random.key(0), N, longest=2.0 * HORIZON)
    ),
    "gain of a half in a chrono LSTM": lambda: lstm(gain=0.5),
}
FAULTY = {
    "a parameter is NaN": (with_nan, "not finite"),
    "a root of a negative number": (
        lambda: Net(square_root, jnp.ones(()), jnp.ones(()), 2 + np.sin(np.arange(T)) - 9 * (np.arange(T) == 20), {}),
        "not finite",
    ),
    "linear, 0.7": (lambda: linear(0.7 * np.eye(N)), "gradient vanishes"),
    "ten steps of 3": (transient_growth, "gradient explodes"),
    "the loss reads what forgets": (half_of_the_net_forgets, "loss reaches only the last steps"),
    "forget gate shut": (lambda: lstm(None, forget_bias=-6.0, input_bias=0.0, gain=0.1), "gate shut"),
    "output gate shut": (lambda: lstm(output_bias=-6.0), "gate shut"),
    "input gate shut": (lambda: lstm(input_bias=-12.0), "gate shut"),
    "update gate replaces": (lambda: gru("replace", None, update_bias=6.0, gain=0.1), "gate open"),
    "update gate keeps all": (lambda: gru("keep", update_bias=12.0), "gate open"),
    "large inputs": (saturated, "units saturated"),
    "linear, 1.02": (lambda: linear(1.02 * rotation()), "chaotic"),
    "three dead units of eight": (
        lambda: Net(relu_units, jnp.eye(N), jnp.zeros(N), np.abs(inputs(1)[0, :, 0]), {"horizon": HORIZON}),
        "units dead",
    ),
    "one unit remembers": (
        lambda: linear(np.diag([1.0] + [0.5] * (N - 1))),
        "gradient lives in few directions",
    ),
    "a Jordan block": (jordan, "eigenvalue rule misleads"),
    "one sequence shrinks": (one_sequence_shrinks, "one sequence differs"),
    "one target of 1000": (heavy, "gradients heavy-tailed"),
    "a horizon beyond the end": (lambda: linear(rotation(), horizon=2 * T), "sequences too short"),
}
# their steps are shared with no other net, so that each compiles programs of its own
SLOW = {"update gate replaces", "three dead units of eight", "large inputs", "chrono GRU"}
