"""Run all rows and write the table. The package's docstring says what they are."""

import argparse
import fnmatch
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from .. import page
from . import report
from .driver import Found, Plan, run
from .worker import parts_of

SOURCE = "benchmarks.device.rows:parts"


def environment(folder: str, wheels: Path | None) -> None:
    """Prepare the environment of all processes: a fresh cache of programs, shared memory, and what the wheels hold."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share the device's memory
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA
    os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/programs"  # so that first calls are first calls
    if wheels is not None:
        for wheel in sorted(wheels.glob("*.whl")):
            zipfile.ZipFile(wheel).extractall(f"{folder}/packages")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [f"{folder}/packages", os.environ.get("PYTHONPATH")]))


def machine() -> str:
    """Return the device, the version of JAX and the number of cores, asked in a process that then gives them back."""
    code = "import jax; d = jax.devices()[0]; print(f'{jax.device_count()} × {d.device_kind}, jax {jax.__version__}')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    return f"{told}; {os.cpu_count()} CPU cores"


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device")
    parser.add_argument("--rehearse", action="store_true", help="run every row at a tiny size")
    parser.add_argument("--seconds", type=float, default=400, help="the whole takes at most about this time")
    parser.add_argument("--patience", type=float, default=1, help="allow rows so many times as long, on a busy machine")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of the names of rows")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels of packages that this machine lacks")
    parser.add_argument("--out", type=Path, default=Path("runs/device"))
    parser.add_argument("--write", action="store_true", help="write the table to docs/benchmarks.md too")
    parser.add_argument("--source", default=SOURCE, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the rows, and print and write what they find."""
    args = arguments()
    begun, rows, lock = time.monotonic(), list[Found](), threading.Lock()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment(folder, args.wheels)
        title = machine()
        print(title, flush=True)

        def keep(found: Found) -> None:
            with lock:
                rows.append(found)
                print(report.line(found), flush=True)
                report.write(args.out, title, rows)

        plan = Plan(args.source, args.rehearse, begun + args.seconds, keep, args.patience)
        for name, part in parts_of(args.source, args.rehearse).items():
            wanted = [i for i, row in enumerate(part.rows) if any(fnmatch.fnmatch(row.name, p) for p in args.only)]
            if wanted:
                run(plan, name, part, wanted)
    print("\n".join([*report.ratios(rows), report.summary(rows)]))
    print(f"{time.monotonic() - begun:.0f} s; {args.out}/device.txt, device.json", flush=True)
    if args.write:
        page.write_part(title.split(",")[0], "device", report.short_table(title, rows))


if __name__ == "__main__":
    main()
