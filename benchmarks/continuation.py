"""Measure how long `rd.continuation` takes for 200 points of a fixed point, and what its parts take.

    python -m benchmarks.continuation [n ...]

A random GRU with a constant input is followed over its gain; every value is solved to the last digits, with its n
multipliers. "eigenvalues" is NumPy's time for as many matrices. "bifurcating" is the zero state of a tanh net over 200
values, at which eigenvalues cross the unit circle: as many as "located" says. Times are in seconds.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

from .timing import machine, seconds

POINTS = 200
CELL = rd.cells.gru


def gru(n: int) -> Callable[[], rd.fixed_points.Branch]:
    """Return the call that follows the fixed point of a GRU over its gain."""
    params = CELL.init(jax.random.key(0), inputs=3, hidden=n)
    x = jnp.ones(3)

    def params_of(gain: jax.Array) -> Any:
        return jax.tree.map(lambda leaf: gain * leaf if leaf.shape == (n, n) else leaf, params)

    states = rd.unroll(CELL.step, params_of(jnp.asarray(0.2)), jnp.zeros(n), jnp.ones((300, 3)))
    return lambda: rd.continuation(CELL.step, params_of, states[-1], jnp.linspace(0.2, 2.2, POINTS), x)


def tanh_net(n: int) -> Callable[[], rd.fixed_points.Branch]:
    """Return the call that follows the zero state of a tanh net over its gain."""
    W = jax.random.normal(jax.random.key(1), (n, n)) / np.sqrt(n)
    values = jnp.linspace(0.8, 1.8, POINTS)
    return lambda: rd.continuation(lambda W, h, x: jnp.tanh(W @ h), lambda gain: gain * W, jnp.zeros(n), values)


def row(n: int) -> str:
    """Return the row of one size."""
    follow, bifurcating = gru(n), tanh_net(n)
    start = time.perf_counter()
    branch = follow()
    first = time.perf_counter() - start
    matrices = np.random.default_rng(0).normal(size=(POINTS, n, n))
    calls = {"warm": follow, "bifurcating": bifurcating, "eigenvalues": lambda: np.linalg.eigvals(matrices)}
    measured = seconds(calls, repetitions=3)
    residual, located = float(branch.residual.max()), len(bifurcating().bifurcations)
    times = (first, measured["warm"], measured["eigenvalues"], measured["bifurcating"])
    counts = f"{branch.values.size:8d}{residual:12.1e}"
    return f"{n:5d}{counts}" + "".join(f"{each:14.3f}" for each in times) + f"{located:10d}"


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    print(f"{machine()}, float64, {POINTS} values")
    columns = "".join(f"{name:>14}" for name in ("first call", "warm", "eigenvalues", "bifurcating"))
    print(f"{'n':>5}{'points':>8}{'residual':>12}{columns}{'located':>10}")
    for n in map(int, sys.argv[1:] or (16, 64, 128)):
        print(row(n), flush=True)


if __name__ == "__main__":
    main()
