"""Measure the overhead of a sweep and the speedup from more devices and workers, as ratios from one run each.

    python -m benchmarks.sweep

Speeds are those of the second half of a sweep's chunks, from the times in their records, to exclude starting and
compiling. Each configuration runs in its own process, since JAX fixes its devices when it starts.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import rnn_dynamics as rd
from rnn_dynamics.measurements import lyapunov
from rnn_dynamics.sweeps import chunk_records, open_dataset, store, worker

CORES = os.cpu_count() or 1


def spectra(points: int) -> dict[str, Any]:
    """Return a grid of 64-unit nets for measuring full spectra."""
    return {
        "cell": ["elman"],
        "hidden": [64],
        "length": [4000],
        "drive": [0.0],
        "gain": np.linspace(0.5, 2.5, points),
    }


def cheap(key: jax.Array, *, gain: jax.Array) -> dict[str, jax.Array]:
    """Measure something that takes only microseconds."""
    return {"value": gain * jax.random.normal(key)}


def records(address: Path) -> list[dict[str, Any]]:
    """Return the records of the chunks in the order in which they were finished."""
    found = chunk_records.read_records(store.open_store(address, mode="r"))
    return sorted((each for each in found if each), key=lambda each: each["finished"])


def speed(address: Path) -> float:
    """Return the points per second over the second half of the chunks."""
    found = records(address)
    half = len(found) // 2
    points = sum(each["points"] for each in found[half:])
    return float(points / (found[-1]["finished"] - found[half - 1]["finished"]))


def gap(address: Path) -> float:
    """Return the share of the time in which nothing was computed, over the second half of the chunks."""
    found = records(address)
    later = found[len(found) // 2 :]
    idle = sum(after["begun"] - before["finished"] for before, after in itertools.pairwise(later))
    return float(idle / (later[-1]["finished"] - later[0]["begun"]))


def one(kind: str, amount: int, address: Path) -> None:
    """Run one configuration in this process."""
    key = jax.random.key(0)
    if kind == "devices":
        rd.sweep(lyapunov, spectra(96), key=key, store=address, chunk=8, devices=amount, progress=False)
        print(json.dumps({"speed": speed(address), "gap": gap(address)}))
    elif kind == "workers":
        import concurrent.futures
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(amount, context) as pool:
            rd.sweep(lyapunov, spectra(96), key=key, store=address, chunk=4, executor=pool, progress=False)
        print(json.dumps({"speed": speed(address)}))
    elif kind == "points":
        rd.sweep(cheap, {"gain": np.linspace(0, 1, amount)}, key=key, store=address, chunk=2048, progress=False)
        begun = time.perf_counter()
        open_dataset(address)
        opened = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"speed": speed(address), "opened": opened, "peak": peak}))
    else:
        bare(address, key)


def bare(address: Path, key: jax.Array) -> None:
    """Print the share of a sweep's time that is overhead, by comparing it with computing its chunks alone."""
    rd.sweep(lyapunov, spectra(96), key=key, store=address, progress=False)
    identity = store.open_store(address).attributes["store_id"]
    opened, runner = worker.open_work(worker.Job(address, identity, lyapunov, (), None, (), False, 0.0))
    numbers = range(opened.records.shape[0])
    runner.chunks([opened.region(0)])
    begun = time.perf_counter()
    for number in numbers:
        runner.chunks([opened.region(number)])
    alone = 96 / (time.perf_counter() - begun)
    chunk = float(np.prod(opened.chunk)) / speed(address)
    print(json.dumps({"share": 1 - speed(address) / alone, "chunk": chunk}))


def apart(kind: str, amount: int, devices: int) -> dict[str, float]:
    """Run one configuration in its own process with that many CPU devices, and return its numbers."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.sweep", "--one", kind, str(amount), f"{folder}/s.zarr"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def first_results() -> float:
    """Return the seconds from starting the default sweep on the command line to its first chunk."""
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "s.zarr"
        begun = time.perf_counter()
        command = [sys.executable, "-m", "rnn_dynamics", "sweep", "--store", str(address), "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None and not any(address.glob("progress/record/c/*")):
            time.sleep(0.02)
        found = time.perf_counter() - begun
        process.wait()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=3, metavar=("KIND", "AMOUNT", "STORE"))
    chosen = parser.parse_args().one
    if chosen:
        one(chosen[0], int(chosen[1]), Path(chosen[2]))
        return
    print(f"{CORES} cores, jax {jax.__version__}, float32; Lyapunov spectra of tanh nets, n = 64, T = 4000")
    device = {count: apart("devices", count, count) for count in (1, 2)}
    line("two CPU devices over one", f"{device[2]['speed'] / device[1]['speed']:.2f}", "wanted: at least 1.7")
    line("share of time between two chunks", f"{device[2]['gap']:.1%}", "below 2 %; a chunk is written meanwhile")
    workers = {count: apart("workers", count, 1)["speed"] for count in (1, 2)}
    line("two spawned workers over one", f"{workers[2] / workers[1]:.2f}", "at least 1.6")
    alone = apart("bare", 0, CORES)
    line("share of store, keys and progress", f"{alone['share']:.1%}", f"below 5 %; {alone['chunk']:.1f} s per chunk")
    line("seconds to the first results of the command", f"{first_results():.1f}", "within 10")
    few, many = (apart("points", points, CORES) for points in (10_000, 100_000))
    line("peak memory of 10⁵ cheap points over 10⁴", f"{many['peak'] / few['peak']:.2f}", f"{many['peak']:.0f} MiB")
    line("cheap points per second", f"{many['speed']:.0f}", f"10⁵ of them; opened in {many['opened'] * 1e3:.0f} ms")


def line(what: str, value: str, note: str) -> None:
    """Print a row of the table."""
    print(f"{what:<45}{value:>8}   ({note})", flush=True)


if __name__ == "__main__":
    main()
