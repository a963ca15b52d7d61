"""Measure how fast `gradient_flow` and `state_gradients` are, relative to a large matrix product and to the unroll.

    python -m benchmarks.gradient_flow [n ...]

Rates always count 2n³ operations for each step and network, those of the plain product, whatever else is computed or
saved. Curves that are not used are not computed: "Frobenius" and "2-norm" are the rates of a program under jit that
takes only that curve. "all" also includes the bound, which needs the 2-norm of every single Jacobian.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import rnn_dynamics as rd

from .timing import machine, seconds

GAINS, T, LARGE = 16, 200, 2048
RATES = ("by hand", "product", "Frobenius", "2-norm", "all")
CELL = rd.cells.elman


def problem(n: int) -> tuple[Any, jax.Array, jax.Array]:
    """Return one random net at sixteen gains, its state and its inputs, in float32."""
    gains = jnp.linspace(0.2, 3.0, GAINS)
    params = jax.vmap(lambda gain: CELL.init(jax.random.key(0), inputs=1, hidden=n, gain=gain))(gains)
    return params, jnp.zeros(n), jax.random.normal(jax.random.key(1), (T, 1))


def bare_product(params: Any, h0: jax.Array, xs: jax.Array) -> jax.Array:
    """Compute the product as one writes it by hand for the tanh net: no scaling, no norm, no bound."""
    states = rd.unroll(CELL.step, params, h0, xs)

    def pull(P: jax.Array, h: jax.Array) -> tuple[jax.Array, None]:
        return (P * (1 - h * h)) @ params.W, None

    return jax.lax.scan(pull, jnp.eye(h0.size), states, reverse=True)[0]


def row(n: int) -> str:
    """Return the row of one size: rates as fractions of the large product's, and the cost of the backward pass."""
    params, h0, xs = problem(n)
    A = jnp.ones((LARGE, LARGE))
    measured = {
        "by hand": lambda p: bare_product(p, h0, xs),
        "product": lambda p: rd.jacobian_product(CELL.step, p, h0, xs),
        "Frobenius": lambda p: rd.gradient_flow(CELL.step, p, h0, xs).log_frobenius,
        "2-norm": lambda p: rd.gradient_flow(CELL.step, p, h0, xs).log_norm,
        "all": lambda p: rd.gradient_flow(CELL.step, p, h0, xs),
        "unroll": lambda p: rd.unroll(CELL.step, p, h0, xs),
        "states": lambda p: rd.state_gradients(CELL.step, p, h0, xs, last_state),
    }
    calls = {name: partial(jax.jit(jax.vmap(function)), params) for name, function in measured.items()}
    time = seconds({"dot": partial(jax.jit(jnp.dot), A, A)} | calls, repetitions=3)
    as_dot = 2 * n**3 * T * GAINS / (2 * LARGE**3) * time["dot"]
    rates = (as_dot / time[name] for name in RATES)
    memory = (flow_bytes(n, length) / flow_bytes(n, T) for length in (T // 4, 4 * T))
    numbers = (*rates, time["states"] / time["unroll"], *memory)
    return f"{n:5d}" + "".join(f"{number:14.2f}" for number in numbers)


def last_state(states: jax.Array) -> jax.Array:
    """Return a loss of the last state."""
    return jnp.sum(states[-1] ** 2)


def flow_bytes(n: int, length: int) -> int:
    """Return the temporary memory of the compiled flow of one network over `length` steps, in bytes."""
    params, h0, _ = problem(n)
    run = jax.jit(lambda p, xs: rd.gradient_flow(CELL.step, p, h0, xs))
    one = jax.tree.map(lambda leaf: leaf[0], params)
    analysis = run.lower(one, jnp.zeros((length, 1))).compile().memory_analysis()
    assert analysis is not None, "this backend does not report memory use"
    return analysis.temp_size_in_bytes


def main() -> None:
    """Print the table."""
    print(f"{machine()}, float32, tanh net, {GAINS} gains vmapped, T = {T}")
    print("rates as fractions of one large matrix product in the same run; times and memory as ratios")
    names = (*RATES, "states/unroll", "memory, T/4", "4T")
    print(f"{'n':>5}" + "".join(f"{name:>14}" for name in names))
    for n in map(int, sys.argv[1:] or ("128", "256", "512")):
        print(row(n), flush=True)


if __name__ == "__main__":
    main()
