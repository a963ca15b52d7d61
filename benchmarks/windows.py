"""Measure whether windows of time side by side pay, in `jacobian_product` and `gradient_flow`.

    python -m benchmarks.windows [n ...]

Each number is the time with so many windows over that of one long loop: below 1, windows pay. Later calls are medians
of calls that take turns. "first" compares the first calls, which compile: each is made once. The rule for "auto" in
`machinery/window_products.py` comes from this table.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import rnn_dynamics as rd

from .timing import machine, seconds

WINDOWS = (1, 32, 128)
LENGTHS = (1000, 100_000)
SIZES = (3, 8, 16, 32)
CELL = rd.cells.elman
MEASURED: dict[str, Callable[..., Any]] = {
    "product": rd.jacobian_product,
    "2-norms": partial(rd.gradient_flow, curves=("norm",)),
    "flow": rd.gradient_flow,
}


def calls(name: str, n: int, T: int, nets: int) -> dict[str, Callable[[], Any]]:
    """Return the same measurement with each number of windows, of one net or of several under vmap."""
    keys = jax.random.split(jax.random.key(0), nets)
    params = jax.vmap(lambda key: CELL.init(key, inputs=1, hidden=n, gain=1.5))(keys)
    h0, xs = jnp.zeros(n), jax.random.normal(jax.random.key(1), (T, 1))

    def measured(params: Any, windows: int) -> Any:
        return MEASURED[name](CELL.step, params, h0, xs, windows=windows)

    if nets == 1:
        one = jax.tree.map(lambda leaf: leaf[0], params)
        return {str(windows): partial(measured, one, windows) for windows in WINDOWS}
    return {str(w): partial(jax.jit(jax.vmap(partial(measured, windows=w))), params) for w in WINDOWS}


def line(name: str, n: int, T: int, nets: int) -> str:
    """Return one line: the time per step without windows, and the ratios."""
    given, first = calls(name, n, T, nets), {}
    for windows, call in given.items():
        start = time.perf_counter()
        jax.block_until_ready(call())
        first[windows] = time.perf_counter() - start
    later = seconds(given, repetitions=5)
    ratios = [*(later[str(windows)] / later["1"] for windows in WINDOWS[1:]), first["32"] / first["1"]]
    jax.clear_caches()
    numbers = "".join(f"{number:13.2f}" for number in (later["1"] / T * 1e6, *ratios))
    return f"{name:8}{nets:6d}{n:5d}{T:8d}{numbers}"


def main() -> None:
    """Print the table."""
    print(f"{machine()}, float32, tanh nets at g = 1.5; time with windows over the time of one long loop")
    names = ("µs a step", *(f"{windows} windows" for windows in WINDOWS[1:]), "32, first")
    print(f"{'':8}{'nets':>6}{'n':>5}{'T':>8}" + "".join(f"{name:>13}" for name in names))
    for name in MEASURED:
        for n in map(int, sys.argv[1:] or SIZES):
            for T in LENGTHS:
                print(line(name, n, T, 1), flush=True)
            print(line(name, n, LENGTHS[0], 16), flush=True)


if __name__ == "__main__":
    main()
