"""Run the named benchmarks, or all whose packages are installed, and write their tables to docs/benchmarks.md.

    python -m benchmarks [first_call] [gradient_flow] [windows] [spectra_in_windows] [sweep] [pytorch] [lyapunov]
                         [training] [own_network] [watch] [fixed_points] [tests]

`tests` takes half an hour and runs only when it is named. Only the tables of the benchmarks that ran are replaced, in
the section for this machine's devices. `python -m benchmarks.device` has options of its own.
"""

import importlib.util
import subprocess
import sys

from .page import NAMES, write_part

NEED_TORCH = ("pytorch", "lyapunov", "training", "own_network", "watch", "fixed_points")
ON_REQUEST = ("device", "tests")


def run(name: str) -> str:
    """Run a benchmark in its own process, since JAX fixes its devices at start, and return its output."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(output, flush=True)
    return output


def heading_of_this_machine() -> str:
    """Return this machine's devices, asked in another process so that this one holds no accelerator memory."""
    code = "from benchmarks.timing import machine; print(machine().split(',')[0])"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Run the benchmarks and replace their tables in this machine's section."""
    usual = [name for name in NAMES if name not in ON_REQUEST]
    names = sys.argv[1:] or [name for name in usual if name not in NEED_TORCH or importlib.util.find_spec("torch")]
    if not set(names) <= set(NAMES) - {"device"}:
        raise SystemExit(f"benchmarks: got {names}, expected some of {', '.join(NAMES)} without device")
    heading = heading_of_this_machine()
    for name in names:
        write_part(heading, name, run(name))


if __name__ == "__main__":
    main()
