"""Fixed points, cycles and branches on the device against the CPU, where the same ones must be found."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

from .driver import Found, Row
from .nets import in_float64, on, on_cpu

# how far equal points may lie apart, and the largest residual of a fixed point
APART = {"float32": 1e-3, "float64": 1e-8}
RESIDUAL = {"float32": 1e-6, "float64": 1e-12}


def gru(n: int, count: int) -> Any:
    """Return the step, the parameters and some visited states of a GRU with several fixed points."""
    cell = rd.cells.gru
    params = cell.init(jax.random.key(0), inputs=1, hidden=n, gain=3.0)
    h0 = jax.random.normal(jax.random.key(1), (n,))
    states = rd.visited_states(cell.step, params, h0, None, length=500, count=count, key=jax.random.key(2))
    return cell.step, params, states


def fixed_points(n: int, count: int, dtype: str) -> Found:
    """Search on both; all fixed points are to be found on both, to the last digits."""
    net = on_cpu(partial(gru, n, count))
    found: Found = {}
    points = {}
    with jax.enable_x64(dtype == "float64"):
        args = in_float64(net) if dtype == "float64" else net
        for name, device in (("", jax.devices()[0]), ("cpu_", jax.devices("cpu")[0])):
            for call in ("first_s", "s"):
                begun = time.perf_counter()
                result = on(device, rd.find_fixed_points, *args)
                found[name + call] = time.perf_counter() - begun
            points[name] = np.asarray(result.points)[np.asarray(result.fixed)]
            found[f"{name}points"] = len(points[name])
            found[f"{name}residual"] = float(np.max(np.asarray(result.residual)[np.asarray(result.fixed)], initial=0))
    nearest = np.abs(points[""][:, None] - points["cpu_"][None]).max(axis=2)
    same = nearest.shape[0] == nearest.shape[1] and bool(np.all(nearest.min(axis=1) <= APART[dtype]))
    fine = same and found["residual"] <= RESIDUAL[dtype] and len(nearest) > 0
    return found | {"cpu_over_device": found["cpu_s"] / found["s"], "fine": fine}


def logistic(r: Any, h: Any, x: Any) -> Any:
    """Advance the logistic map."""
    return r * h * (1 - h)


def known_cycles() -> Found:
    """Find the cycles of the logistic map at r = 4 whose period divides 6: 2, 1, 2 and 9 of periods 1, 2, 3 and 6."""
    with jax.enable_x64(True):
        states = jnp.linspace(0.01, 0.99, 256)[:, None]
        found = on(jax.devices()[0], partial(rd.find_cycles, period=6), logistic, jnp.asarray(4.0), states)
        counts = {period: int(np.sum(np.asarray(found.period) == period)) for period in (1, 2, 3, 6)}
    return {"counts": str(counts), "fine": counts == {1: 2, 2: 1, 3: 2, 6: 9}}


def known_flip() -> Found:
    """Follow the fixed point of the logistic map to its flip at r = 3."""
    with jax.enable_x64(True), jax.default_device(jax.devices()[0]):
        branch = rd.continuation(logistic, lambda r: r, jnp.full(1, 0.5), jnp.linspace(2.0, 3.4, 30))
        values = [found.value for found in branch.bifurcations if found.kind == "flip"]
    off = abs(values[0] - 3) if values else float("inf")
    return {"off": off, "fine": len(values) == 1 and off < 1e-8}


def rows(small: bool) -> list[Row]:
    """Return the checks of fixed points, cycles and branches."""
    n, count = (8, 32) if small else (64, 1024)
    return [
        Row("cycles of the logistic map", known_cycles, 60),
        Row("flip of the logistic map", known_flip, 60),
        *(Row(f"fixed points, GRU of {n}, {kind}", partial(fixed_points, n, count, kind), 90) for kind in APART),
    ]
