"""A sweep on the device: points a second, the gap between chunks, and whether a kill changes a bit.

    python -m benchmarks.device.sweep_rows (speed|numbers) STORE POINTS WIDTH STEPS [PAUSE]

Each sweep has a process of its own. These rows need zarr and xarray.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

from .driver import Found

ON_CPU = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={os.cpu_count()}"}


def speed(points: int, on_cpu: int, n: int, T: int) -> Found:
    """Compare the points a second of a sweep of spectra on the device and on all cores, and measure the gaps there.

    The sweep on the cores has `on_cpu` points, as they take longer for each.
    """
    _needs_zarr()
    found: Found = {}
    for name, many, extra in (("", points, {}), ("cpu_", on_cpu, ON_CPU)):
        with tempfile.TemporaryDirectory() as folder:
            done = _sweep("speed", Path(folder) / "s", many, n, T, **extra)
        found |= {f"{name}{key}": value for key, value in done.items()}
    return found | {"device_over_cpu": found["points_per_s"] / found["cpu_points_per_s"]}


def kill(points: int, n: int) -> Found:
    """Kill a sweep of draws and whole numbers in the middle, resume it, and compare it with a whole one bit for bit."""
    _needs_zarr()
    from rnn_dynamics.sweeps import open_dataset

    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        _sweep("numbers", whole, points, n, 8)
        child = subprocess.Popen(_command("numbers", killed, points, n, 8, 0.3), stderr=subprocess.DEVNULL)
        records = killed / "progress" / "record" / "c"
        while child.poll() is None and (not records.exists() or len(list(records.iterdir())) < 2):
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        finished = len(list(records.iterdir()))
        _sweep("numbers", killed, points, n, 8)
        with jax.default_device(jax.devices("cpu")[0]):
            one, other = (open_dataset(place).load() for place in (whole, killed))
    same = all(one[name].values.tobytes() == other[name].values.tobytes() for name in ("draws", "states", "status"))
    interrupted = child.returncode == -signal.SIGKILL and finished < 8
    return {"fine": same and interrupted, "chunks_before_the_kill": finished, "same_bits": same}


def numbers(key: jax.Array, *, gain: jax.Array, hidden: int, length: int) -> dict[str, jax.Array]:
    """Compute whole numbers, which are exact on every device, and the states of a net, which are so on one device."""
    net = rd.cells.elman.init(key, inputs=1, hidden=hidden, gain=gain)
    states = rd.unroll(rd.cells.elman.step, net, jnp.full(hidden, 0.1), None, length=length)
    return {"draws": jax.random.randint(key, (hidden,), 0, 1 << 30), "states": states}


def _sweep(kind: str, *words: Any, **extra: str) -> Found:
    """Run a sweep in a process of its own and return what it prints."""
    ended = subprocess.run(_command(kind, *words), env=os.environ | extra, capture_output=True, text=True, check=False)
    if ended.returncode:
        told = ended.stderr.strip().splitlines() or [""]
        raise RuntimeError(next((line for line in reversed(told) if "Error" in line), told[-1]))
    found: Found = json.loads(ended.stdout.splitlines()[-1])
    return found


def _command(kind: str, *words: Any) -> list[str]:
    return [sys.executable, "-m", "benchmarks.device.sweep_rows", kind, *map(str, words)]


def _needs_zarr() -> None:
    missing = [name for name in ("zarr", "xarray") if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"{' and '.join(missing)} not installed: bring the wheels and pass --wheels FOLDER")


class Timed:
    """A compiled program that notes when it began and when its results were there."""

    def __init__(self, compiled: Any, spans: list[tuple[float, float]]) -> None:
        self.compiled, self.spans = compiled, spans

    def __call__(self, *args: Any) -> Any:
        """Run the program and wait for it."""
        begun = time.perf_counter()
        found = jax.block_until_ready(self.compiled(*args))
        self.spans.append((begun, time.perf_counter()))
        return found

    def memory_analysis(self) -> Any:
        """Return what the program needs."""
        return self.compiled.memory_analysis()


def run_speed(address: Path, points: int, n: int, T: int) -> Found:
    """Sweep spectra over gains in eight chunks; leave out the first ones, in which programs are compiled."""
    from rnn_dynamics.measurements import lyapunov
    from rnn_dynamics.sweeps import runner

    from ..sweep import speed as points_per_second

    spans: list[tuple[float, float]] = []
    compile_program = runner.compile_program

    def timed(*args: Any, **options: Any) -> Any:
        made = compile_program(*args, **options)
        return made._replace(compiled=Timed(made.compiled, spans))

    runner.compile_program = timed
    grid = {"cell": ["elman"], "hidden": [n], "length": [T], "drive": [0.1], "gain": np.linspace(0.5, 2.0, points)}
    begun = time.perf_counter()
    made = rd.sweep(lyapunov, grid, key=jax.random.key(0), store=address, chunk=points // 8, progress=False)
    all_s = time.perf_counter() - begun
    later = spans[len(spans) // 2 :]
    elapsed, busy = later[-1][1] - later[0][0], sum(end - start for start, end in later)
    return {
        "points_per_s": points_per_second(address),
        "gap": 1 - busy / elapsed,
        "chunk_s": elapsed / len(later),
        "window": int(np.prod(made.attrs["window_shape"])),
        "all_s": all_s,
    }


def run_numbers(address: Path, points: int, n: int, T: int, pause: float = 0.0) -> Found:
    """Sweep whole numbers over gains in eight chunks, with a pause after each so that there is time for a kill."""
    from rnn_dynamics.sweeps import background_writer

    write = background_writer.write

    def slowly(*words: Any) -> Any:
        found = write(*words)
        time.sleep(pause)
        return found

    background_writer.write = slowly  # type: ignore[assignment]
    grid = {"gain": np.linspace(0.5, 2.0, points), "hidden": [n], "length": [T]}
    rd.sweep(numbers, grid, key=jax.random.key(0), store=address, chunk=points // 8, progress=False)
    return {}


def main() -> None:
    """Run one sweep and print what it found as a line of JSON."""
    kind, address, *sizes = sys.argv[1:]
    call = {"speed": run_speed, "numbers": run_numbers}[kind]
    print(json.dumps(call(Path(address), *map(int, sizes[:3]), *map(float, sizes[3:]))))


if __name__ == "__main__":
    main()
