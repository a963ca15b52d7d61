"""The nets, matrices and trainings that the rows measure, and how arrays come to a device."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd


def problem(cell: str, n: int, T: int, gain: float = 0.9, seed: int = 0) -> Any:
    """Return the step, parameters, state and inputs of a net. With gain 0.9 it is not chaotic: trajectories agree."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs = jax.random.split(jax.random.key(seed))
    params = found.init(for_params, inputs=1, hidden=n, gain=gain)
    return found.step, params, found.initial_state(params), jax.random.normal(for_inputs, (T, 1))


def matrix(n: int) -> tuple[jax.Array]:
    """Return a random matrix with eigenvalues inside and outside the unit circle."""
    return (1.2 * jax.random.normal(jax.random.key(2), (n, n)) / n**0.5,)


def nets(cell: str, n: int, T: int, count: int) -> Any:
    """Return parameters, states and inputs of equal chaotic nets, with a leading axis."""
    _, params, h0, xs = problem(cell, n, T, gain=2.0)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *jnp.shape(leaf))), (params, h0, xs))


def batched(measure: Callable[..., Any], cell: str) -> Callable[..., Any]:
    """Return the compiled measurement of many nets at once."""
    return jax.jit(jax.vmap(partial(measure, rd.cells.CELLS[cell].step)))


def training(hidden: int, T: int, updates: int, batch: int = 64) -> Callable[[jax.Array], Any]:
    """Return a function of the key that trains an LSTM on the adding problem.

    It returns the losses, the norms of the gradients, and the held-out losses before and after.
    """

    def run(key: jax.Array) -> Any:
        import optax

        from rnn_dynamics import train

        found = train.fit(
            rd.cells.lstm,
            train.tasks.adding(T),
            optax.adam(1e-3),
            key=key,
            updates=updates,
            hidden=hidden,
            batch=batch,
            evaluation=train.Evaluation(updates, examples=1),
            execution=train.Execution(devices=list(key.devices())),
        )
        return found.loss, found.log_gradient_norm, found.held_out_loss

    return run


def on(device: jax.Device, function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a call with all its arrays on this device."""
    with jax.default_device(device):
        placed = [arg if callable(arg) else jax.device_put(arg, device) for arg in args]
        return jax.block_until_ready(function(*placed))


def in_float64(tree: Any) -> Any:
    """Return the arrays in float64; functions, keys and whole numbers stay as they are."""

    def widened(leaf: Any) -> Any:
        real = isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32
        return leaf.astype(jnp.float64) if real else leaf

    return jax.tree.map(widened, tree)


def on_cpu(make: Callable[[], Any]) -> Any:
    """Return what is made, on the CPU: the same numbers on every machine."""
    with jax.default_device(jax.devices("cpu")[0]):
        return make()


def seconds(call: Callable[[], Any], most: float = 3.0) -> tuple[float, float]:
    """Return the time of the first call and the median of up to three later ones, which together take about `most`."""
    times: list[float] = []
    while len(times) < 2 or (len(times) < 4 and sum(times[1:]) < most):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return times[0], float(np.median(times[1:]))
