"""Plant faults in a copy of this repository, one at a time, and see whether the tests catch them.

    python tests/planted_faults.py                 all of them, some ten seconds each
    python tests/planted_faults.py 'gru*' no-sqrt  those with such a name (quote the *)
    python tests/planted_faults.py --list          their names, files and tests

A fault replaces a text in one file of the package or of the experiments by another (`tests/helpers/faults/`). The tests
that should see it run first as they are, then with the fault. It is caught if one of them fails, and missed if all
pass. It is an error if the text does not occur exactly once in its file, or if the tests fail without the fault or
cannot run: then the package has changed, and the fault must be brought up to date. The exit code is 0 if all were
caught.

The environment is passed on, so these settings make it faster:
XLA_FLAGS=--xla_backend_optimization_level=0 JAX_COMPILATION_CACHE_DIR=.cache/programs.
"""

# ruff: noqa: T201 - a script that says what it finds

import argparse
import fnmatch
import itertools
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from faults import FAULTS, Fault  # noqa: E402

COPIED = ("rnn_dynamics", "experiments", "tests", "pyproject.toml")
PATIENCE = 900  # seconds for the tests of a fault, which may be an endless loop
TIMES = itertools.count(10**9)
FAILED, NONE_FAILED = 1, 0  # exit codes of pytest
# processes forked from one that has imported these, which takes as long as most tests
PROCESSES = multiprocessing.get_context("forkserver")
IMPORTED = ["equinox", "flax.nnx", "hypothesis", "jax", "matplotlib.pyplot", "optax", "pytest", "xarray", "zarr"]
HOW = ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


def copy_to(place: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, place / name)


def run(place: Path, tests: list[str], *options: str) -> tuple[int | None, str]:
    """The exit code of pytest (None if it did not end) and what it wrote."""
    written = place / "written.txt"
    process = PROCESSES.Process(target=_pytest, args=(place, written, [*options, *(f"tests/{test}" for test in tests)]))
    process.start()
    process.join(PATIENCE)
    code = process.exitcode
    process.kill()
    return code, f"no end after {PATIENCE} s" if code is None else written.read_text(errors="replace")


def _pytest(place: Path, written: Path, options: list[str]) -> None:
    """In a process of its own: the tests of the copy."""
    with written.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(place)
    sys.path[:] = [str(place), *(path for path in sys.path if not Path(path).is_relative_to(ROOT / "tests"))]
    sys.dont_write_bytecode = False  # the copy is compiled once
    os.environ |= {"PYTHONPATH": str(place), "COLUMNS": "300"}
    sys.exit(pytest.main([*HOW, *options]))


def failing(place: Path, faults: list[Fault]) -> set[str]:
    """The tests that fail without any fault."""
    tests = sorted({fault.tests for fault in faults})
    code, text = run(place, tests, "-rfE")
    if code == NONE_FAILED:
        return set()
    found = {test for test in tests if re.search(rf"^(FAILED|ERROR) tests/{re.escape(test)}", text, re.MULTILINE)}
    if code != FAILED or not found:
        sys.exit(f"the tests do not run without a fault:\n{text[-3000:]}")
    return found


def write(path: Path, text: str) -> None:
    """Write a file with a time that none has had: by time and size Python tells whether its bytecode is up to date."""
    path.write_text(text)
    time_of_file = next(TIMES)
    os.utime(path, (time_of_file, time_of_file))


def outcome(place: Path, fault: Fault) -> tuple[str, str]:
    """Plant the fault, run its tests, and take it back: "caught", "MISSED" or "error", and why."""
    path = place / "rnn_dynamics" / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        return "error", f"its text stands {text.count(fault.old)} times in {fault.file}: {fault.old!r}"
    write(path, text.replace(fault.old, fault.new))
    try:
        code, written = run(place, [fault.tests], "-x")
    finally:
        write(path, text)
    if code == NONE_FAILED:
        return "MISSED", fault.tests
    if code == FAILED:
        reason = re.search(r"^(?:FAILED|ERROR) tests/(.*)$", written, re.MULTILINE)
        return "caught", reason.group(1)[:160] if reason else ""
    return "error", f"its tests did not run:\n{written[-1500:]}"


def main() -> int:
    """Run the faults that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of faults, with * and ? for any letters")
    parser.add_argument("--list", action="store_true", help="only list them")
    asked = parser.parse_args()
    faults = [f for f in FAULTS if not asked.names or any(fnmatch.fnmatch(f.name, name) for name in asked.names)]
    if not faults or len({fault.name for fault in FAULTS}) < len(FAULTS):
        parser.error(f"no fault is called {asked.names}, or two have one name")
    if asked.list:
        for fault in faults:
            print(f"{fault.name:28} {fault.file:30} {fault.tests}")
        return 0
    PROCESSES.set_forkserver_preload(IMPORTED)
    begun = time.monotonic()
    found: dict[str, list[str]] = {"caught": [], "MISSED": [], "error": []}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_to(place)
        broken = failing(place, faults)
        print(f"their tests, without a fault: {time.monotonic() - begun:.0f} s", flush=True)
        for fault in faults:
            start = time.monotonic()
            broken_one = ("error", f"fails without any fault: {fault.tests}")
            kind, why = broken_one if fault.tests in broken else outcome(place, fault)
            found[kind].append(fault.name)
            print(f"{kind:7} {time.monotonic() - start:5.1f} s  {fault.name:28} {why}", flush=True)
    counts = ", ".join(f"{len(names)} {kind}" for kind, names in found.items())
    print(f"{len(faults)} faults: {counts}; {time.monotonic() - begun:.0f} s")
    for kind in ("MISSED", "error"):
        if found[kind]:
            print(f"{kind}: {' '.join(found[kind])}")
    return int(len(found["caught"]) < len(faults))


if __name__ == "__main__":
    sys.exit(main())
