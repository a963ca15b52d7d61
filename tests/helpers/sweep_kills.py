"""Ten kinds of grid, and a process that sweeps one of them until it is killed.

The processes are forked from one that has imported everything and computed nothing, so that starting one is cheap.
"""

import multiprocessing
import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from sweep_measures import failing, thrice, twice

import rnn_dynamics as rd

FEW, MANY = np.linspace(0.5, 2, 30), np.linspace(0.5, 2, 60)

# seconds without a new record that count as hanging, and those that a process may take to start and compile
SILENCE, START = 10.0, 60.0


def of_floats(key, *, gain):
    return {"draw": gain * jax.random.normal(key), "row": jnp.sin(gain * jnp.arange(50.0))}


def of_texts(key, *, kind, gain):
    return {"draw": jax.random.normal(key) + (gain if kind == "α\n" else -gain)}


def of_numbers(key, *, n, gain):
    return {"draw": jax.random.normal(key, (n,)), "rank": jnp.arange(n), "positive": gain > jnp.arange(n)}


def of_bools(key, *, flag, gain):
    return {"value": gain if flag else jnp.where(gain > 1, jnp.nan, gain)}


def of_functions(key, *, function, gain):
    return {"value": function(gain)}


def of_arrays(key, *, W):
    return {"trace": jnp.trace(W) + jax.random.normal(key), "square": W @ W}


def of_complex(key, *, gain, n):
    row = jnp.exp(1j * gain * jnp.arange(n))
    return {"row": row, "nan": row * jnp.nan, "sum": row.sum()}


CHUNKS = 60
# of each kind the measure, the grid of so many chunks, and how many processes are at work at once
KINDS = {
    "float": (of_floats, {"gain": MANY}, 1),
    "text": (of_texts, {"kind": ["α\n", "b"], "gain": FEW}, 1),
    "whole number, padded": (of_numbers, {"n": [2, 3], "gain": FEW}, 1),
    "bool, some NaN": (of_bools, {"flag": [False, True], "gain": FEW}, 1),
    "function": (of_functions, {"function": [twice, thrice], "gain": FEW}, 1),
    "array": (of_arrays, {"W": np.arange(240.0).reshape(60, 2, 2) / 7}, 1),
    "complex, padded": (of_complex, {"n": [1, 5], "gain": FEW}, 1),
    "list of points": (of_numbers, [{"n": 2 + i % 2, "gain": float(i)} for i in range(60)], 1),
    "some raise": (failing, {"gain": np.arange(60) / 10}, 1),
    "two processes": (of_numbers, {"n": [2, 3], "gain": FEW}, 2),
}


def work(kind: str, place: Path) -> None:
    measure, grid, _ = KINDS[kind]
    rd.sweep(measure, grid, key=jax.random.key(3), store=place, chunk=1, progress=False)


def forks():
    """What starts processes that have imported all this already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jax", "xarray", "zarr", "rnn_dynamics.sweeps.run"])
    return context


def start(context, kind, place):
    processes = [context.Process(target=work, args=(kind, place)) for _ in range(KINDS[kind][2])]
    for process in processes:
        process.start()
    return processes


def texts(place):
    """The records, by number."""
    folder = place / "progress" / "record" / "c"
    return {int(name): (folder / name).read_bytes() for name in listed(folder)}


def listed(folder):
    return [name for name in os.listdir(folder) if name.isdecimal()] if folder.exists() else []


def wait(place, processes, more_than=CHUNKS):
    """Until there are more records than that, or all processes have ended; raises if nothing happens for long."""
    folder, begun, seen = place / "progress" / "record" / "c", time.monotonic(), None
    allowed = START
    while any(process.is_alive() for process in processes):
        many = len(listed(folder))
        if many > more_than:
            return
        if seen is None or many != seen:
            begun, allowed = time.monotonic(), START if seen is None else SILENCE
            seen = many
        if time.monotonic() - begun > allowed:
            raise TimeoutError(f"{place}: no new record for {allowed} s; there are {many}")
        time.sleep(0.002)


def kill(context, kind, place, rng):
    """Start the processes and kill them, at a random moment of their start or of their work; how many were killed."""
    processes = start(context, kind, place)
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0, 1))
    else:
        wait(place, processes, len(texts(place)) + rng.randrange(4))
    killed = 0
    for process in rng.sample(processes, len(processes)):
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        killed += process.exitcode == -9
    return killed


def finish(context, kind, place):
    processes = start(context, kind, place)
    wait(place, processes)
    for process in processes:
        process.join(SILENCE)
    return [process.exitcode for process in processes]
