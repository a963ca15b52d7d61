"""Measure the cost of a point on one device and extrapolate it to 10⁶ points, for docs/scaling.md.

python -m benchmarks.scaling            print the tables
python -m benchmarks.scaling --write    also write them to the document
"""

import math
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np

import rnn_dynamics as rd

from .timing import machine, seconds

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
BEGIN, END = "<!-- measured: python -m benchmarks.scaling --write -->\n", "<!-- end -->\n"
CELL = rd.cells.elman
T, POINTS = 200, 10**6
# the time of a chunk that sweeps aim for, the devices of one process, the arrays written in addition to the outputs
CHUNK_SECONDS, DEVICES_A_PROCESS, ARRAYS = 2.0, 8, 3
OUTPUTS = {"exponents": 4, "stderr": 4, "reliable": 1}


def spectrum(n: int, k: int, key: jax.Array) -> jax.Array:
    """Return the k largest exponents of one net."""
    for_params, for_state = jax.random.split(key)
    params = CELL.init(for_params, inputs=0, hidden=n, gain=1.5)
    h0 = 0.1 * jax.random.normal(for_state, (n,))
    return rd.lyapunov_spectrum(CELL.step, params, h0, None, length=T, k=k).exponents


def step_seconds(n: int, k: int) -> float:
    """Return the seconds per step of one point, measuring one point after the other on one device."""
    keys = jax.random.split(jax.random.key(0), 4)
    run = jax.jit(partial(jax.lax.map, partial(spectrum, n, k)))
    return seconds({"run": partial(run, keys)}, repetitions=3)["run"] / (4 * T)


def fitted(times: dict[tuple[int, int], float]) -> tuple[float, float]:
    """Fit a and b of a + b n² k by least squares of the relative errors."""
    sizes = np.array([[1.0, n * n * k] for n, k in times])
    measured = np.array(list(times.values()))
    found = np.linalg.lstsq(sizes / measured[:, None], np.ones(len(measured)), rcond=None)[0]
    return float(found[0]), float(found[1])


def row(n: int, k: int, step: float, model: float, length: int = 1000) -> str:
    """Return the row of one size: its time per step, the model's, and a sweep of 10⁶ points of 1000 steps."""
    hours = [POINTS * length * step / 3600 / devices for devices in (1, 8, 512)]
    size = POINTS * (k * sum(OUTPUTS.values()) + 2) / 2**30
    writes = [math.ceil(d / DEVICES_A_PROCESS) * (len(OUTPUTS) + ARRAYS) / CHUNK_SECONDS for d in (1, 8, 512)]
    numbers = "".join(f"{each:10.1f}" for each in hours) + f"{size:9.2f}" + "".join(f"{each:8.0f}" for each in writes)
    return f"{n:5d}{k:5d}{step * 1e6:10.1f}{model * 1e6:10.1f}{numbers}"


def table() -> str:
    """Return the table of all sizes."""
    sizes = [(16, 16), (64, 8), (64, 64), (128, 128), (256, 32), (256, 256)]
    times = {size: step_seconds(*size) for size in sizes}
    a, b = fitted(times)
    lines = [
        f"{machine()}, float32, tanh net, {T} steps measured; the sweep has 10⁶ points of 1000 steps",
        f"time per step = {a * 1e6:.1f} µs + {b * 1e12:.2f} ps · n² k on one device",
        f"{'n':>5}{'k':>5}{'µs':>10}{'model':>10}{'h on 1':>10}{'8':>10}{'512':>10}{'GiB':>9}"
        f"{'writes/s':>8}{'on 8':>8}{'on 512':>8}",
    ]
    lines += [row(n, k, step, a + b * n * n * k) for (n, k), step in times.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it to the document if asked to."""
    text = table()
    print(text)
    if "--write" in sys.argv:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n```\n{text}```\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
