"""Time full Lyapunov spectra in windows of time against one step after the other, and against two other packages.

    python -m benchmarks.spectra_in_windows [--lyapax PYTHON] [--chaotax PYTHON] [--small]

A part of the table for small systems gives times over that of a bare scan of the states, for all exponents in float64.
`called` is a plain call, `in jit` the exponents alone under the caller's own jit, and `first` the seconds of the first
call, made in a fresh process that has started JAX. PYTHON is an interpreter in whose environment the other package is
installed. The other parts are for tanh nets in float32, called plainly: spectra and singular values in windows, and the
states by Newton's method for all times at once.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import rnn_dynamics as rd
from rnn_dynamics.cells.contract import pure

from .peer_spectra import SYSTEMS
from .timing import machine, seconds

WAYS: dict[str, int | str] = {"one by one": 1, "windows": "auto"}
WINDOWS_IN_JIT = 160
SIZES = (4, 8, 16, 32)


def spectrum(system: str, steps: int, windows: int | str) -> Any:
    """Measure all exponents of a small system."""
    step, first = SYSTEMS[system]
    return rd.lyapunov_spectrum(_step_of(step), None, jnp.array(first), None, length=steps, windows=windows)


_KNOWN: dict[Any, Any] = {}


def _step_of(step: Any) -> Any:
    """Return the system as a step that is known to read only its arguments, so that it is not traced at every call."""
    return _KNOWN.setdefault(step, pure(lambda params, state, x: step(state)))


def first_call(system: str, steps: int, windows: int | str) -> float:
    """Return the seconds of the first call in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.spectra_in_windows", "--first", system, str(steps), str(windows)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def other(package: str, python: str, system: str, steps: int) -> tuple[float, float]:
    """Return the seconds of another package's first call, and the median of its next ones."""
    command = [python, str(Path(__file__).parent / "peer_spectra.py"), package, system, str(steps)]
    first, later, *_ = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return float(first), float(later)


def small_system(system: str, steps: int, others: dict[str, str]) -> list[str]:
    """Return the lines of one small system."""
    step, first = SYSTEMS[system]
    state = jnp.array(first)
    bare = jax.jit(lambda h: jax.lax.scan(lambda h, _: (step(h), h), h, None, length=steps))
    calls: dict[str, Any] = {"bare": partial(bare, state)}
    for name, windows in WAYS.items():
        in_jit = windows if windows == 1 else WINDOWS_IN_JIT
        jitted = jax.jit(partial(_exponents, _step_of(step), steps, in_jit))
        calls |= {name: partial(spectrum, system, steps, windows), f"{name}, in jit": partial(jitted, state)}
    later = seconds(calls, repetitions=9)
    lines = [f"{system}, {steps} steps; the bare scan takes {later['bare'] * 1e3:.2f} ms"]
    for name, windows in WAYS.items():
        times = [later[name] / later["bare"], later[f"{name}, in jit"] / later["bare"]]
        lines.append(f"{name:12}{times[0]:10.2f}{times[1]:10.2f}{first_call(system, steps, windows):10.2f}")
    for package, python in others.items():
        first_seconds, later_seconds = other(package, python, system, steps)
        lines.append(f"{package:12}{later_seconds / later['bare']:10.2f}{'':10}{first_seconds:10.2f}")
    return lines


def _exponents(step: Any, steps: int, windows: int | str, h: jax.Array) -> jax.Array:
    return rd.lyapunov_spectrum(step, None, h, None, length=steps, windows=windows).exponents


def net(n: int, gain: float) -> Any:
    """Return the step, the parameters and the first state of a tanh net."""
    cell = rd.cells.elman
    h0 = jax.random.normal(jax.random.key(1), (n,))
    return cell.step, cell.init(jax.random.key(0), inputs=0, hidden=n, gain=gain), h0


def in_windows(n: int, steps: int) -> str:
    """Return the line of one tanh net: how many times faster windows are, and the seconds of first calls."""
    windows = 128 if n > 8 else 160  # "auto" asks for more steps, so that some calls make up for the first one
    line = f"{n:5d}{windows:10d}"
    step, params, h0 = net(n, gain=2.0)
    for measure in (rd.lyapunov_spectrum, rd.log_singular_values):
        call = partial(measure, step, params, h0, None, length=steps)
        calls = {"one by one": partial(call, windows=1), "windows": partial(call, windows=windows)}
        first = {}
        for name, each in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(each())
            first[name] = time.perf_counter() - start
        later = seconds(calls, repetitions=7)
        ratio = later["one by one"] / later["windows"]
        line += f"{ratio:14.2f}{first['one by one']:12.2f}{first['windows']:10.2f}"
    return line


def by_newton(n: int, steps: int) -> str:
    """Return the line of one tanh net: the time of its states by Newton's method over that of the scan."""
    step, params, h0 = net(n, gain=0.5)
    calls: dict[str, Any] = {
        "scan": partial(rd.unroll, step, params, h0, None, length=steps),
        "newton": partial(rd.parallel_states, step, params, h0, None, length=steps),
    }
    later = seconds(calls, repetitions=7)
    iterations = int(calls["newton"]().iterations)
    return f"{n:5d}{steps:10d}{iterations:14d}{later['newton'] / later['scan']:12.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lyapax", metavar="PYTHON")
    parser.add_argument("--chaotax", metavar="PYTHON")
    parser.add_argument("--small", action="store_true", help="few steps, to see that everything runs")
    parser.add_argument("--first", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.first:
        with jax.enable_x64(True):
            system, steps, windows = args.first
            jax.block_until_ready(jnp.zeros(3) + 1)  # JAX itself has started
            start = time.perf_counter()
            jax.block_until_ready(spectrum(system, int(steps), windows if windows == "auto" else int(windows)))
            print(time.perf_counter() - start)
        return
    others = {name: python for name in ("lyapax", "chaotax") if (python := getattr(args, name))}
    print(f"{machine()}, {os.cpu_count()} cores; all exponents")
    print(f"{'float64':12}{'called':>10}{'in jit':>10}{'first, s':>10}   times over that of the bare scan")
    with jax.enable_x64(True):
        for system in SYSTEMS:
            print("\n".join(small_system(system, 2000 if args.small else 100_000, others)), flush=True)
    steps = 1000 if args.small else 10_000
    print(f"\ntanh nets at g = 2, {steps} steps, float32: time one by one over time in windows; first calls in seconds")
    names = ("spectrum", "first, one", "windows", "sing. values", "first, one", "windows")
    print(f"{'n':>5}{'windows':>10}" + "".join(f"{name:>{14 - 2 * (i % 3)}}" for i, name in enumerate(names)))
    for n in SIZES:
        print(in_windows(n, steps), flush=True)
    print("\nstates of tanh nets at g = 0.5 by Newton's method: time over that of the scan")
    print(f"{'n':>5}{'steps':>10}{'iterations':>14}{'ratio':>12}")
    for n in (16, 64):
        print(by_newton(n, 300 if args.small else 3000), flush=True)


if __name__ == "__main__":
    main()
