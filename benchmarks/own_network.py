"""How long a user waits for an answer about an LSTM of 128 units: the import, the diagnosis, the report from a shell.

    python -m benchmarks.own_network

Each is timed in processes of its own, with an empty cache of compiled programs. T = 500, 16 sequences, one input,
float32. The times of the import and of the diagnosis leave out starting Python and importing packages; that of the
report is the whole command, and its network is read from a .safetensors file with recorded outputs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from .timing import machine

UNITS, T, SEQUENCES, HORIZON, REPETITIONS = 128, 500, 16, 100, 3
# the task, and the most seconds that it may take
WANTED = {"import, 2 layers": 2.0, "diagnose": 20.0, "diagnose, again": float("nan"), "report": 45.0}


def inputs() -> np.ndarray:
    """Return the input sequences."""
    return np.random.default_rng(0).normal(size=(SEQUENCES, T, 1)).astype(np.float32)


def imported() -> dict[str, float]:
    """Import a live LSTM of two layers, verified."""
    import torch

    import rnn_dynamics as rd

    module = torch.nn.LSTM(1, UNITS, num_layers=2, batch_first=True)
    start = time.perf_counter()
    rd.interop.from_torch(module)
    return {"import, 2 layers": time.perf_counter() - start}


def diagnosed() -> dict[str, float]:
    """Diagnose an LSTM of one layer with a loss at the last step, twice."""
    import torch

    import rnn_dynamics as rd

    net, xs = rd.interop.from_torch(torch.nn.LSTM(1, UNITS, batch_first=True)), inputs()
    readout = jax.random.normal(jax.random.key(0), (UNITS,)) / UNITS**0.5
    found = {}
    for name in ("diagnose", "diagnose, again"):
        start = time.perf_counter()
        rd.diagnose(
            *net.problem(xs),
            loss=lambda states, target: (states.h[-1] @ readout - target) ** 2,
            targets=xs[:, -HORIZON, 0],
            horizon=HORIZON,
        )
        found[name] = time.perf_counter() - start
    return found


def reported() -> dict[str, float]:
    """Write the report of an LSTM by the command line."""
    import torch
    from safetensors.torch import save_file

    module, xs = torch.nn.LSTM(1, UNITS, batch_first=True), inputs()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        save_file(module.state_dict(), place / "weights.safetensors")
        np.save(place / "x.npy", xs)
        np.save(place / "y.npy", module(torch.from_numpy(xs))[0].detach().numpy())
        files = [f"{place}/weights.safetensors", "--inputs", f"{place}/x.npy", "--outputs", f"{place}/y.npy"]
        options = ["--layout", "torch", "--horizon", str(HORIZON), "--to", f"{place}/report.html"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "rnn_dynamics", "report", *files, *options], check=True, capture_output=True
        )
        return {"report": time.perf_counter() - start}


TASKS = {"imported": imported, "diagnosed": diagnosed, "reported": reported}


def main() -> None:
    """Print the table, or the seconds of one task in this process."""
    if len(sys.argv) > 1:
        print(json.dumps(TASKS[sys.argv[1]]()))
        return
    times: dict[str, list[float]] = {name: [] for name in WANTED}
    for _ in range(REPETITIONS):
        for name in TASKS:
            with tempfile.TemporaryDirectory() as cache:
                environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
                command = [sys.executable, "-m", "benchmarks.own_network", name]
                output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            for task, found in json.loads(output.splitlines()[-1]).items():
                times[task].append(found)
    print(f"{machine()}, {os.cpu_count()} cores; LSTM of {UNITS} units, T = {T}, {SEQUENCES} sequences")
    print("                        seconds   (fastest to slowest)   wanted, at most")
    for name, found in times.items():
        wanted = "" if np.isnan(WANTED[name]) else f"{WANTED[name]:.0f}"
        print(f"    {name:<18}{np.median(found):9.1f}   {f'({min(found):.1f} to {max(found):.1f})':>20}   {wanted:>15}")


if __name__ == "__main__":
    main()
