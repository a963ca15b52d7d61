"""Time the tests on a clean clone, as everyone runs them for every change.

    python -m benchmarks tests        takes about half an hour

It clones the last commit into a temporary folder, installs it there and times each command. "Again" reuses the
programs that the first run compiled.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .timing import machine

ROOT = Path(__file__).parent.parent


def timed(name: str, wanted: int, folder: str, command: list[str]) -> None:
    """Run a command in the clone and print its row."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    took = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-5000:]}")
    counts = re.findall(r"\d+ passed", done.stdout)
    print(f"{name:<24}{took:10.0f}{wanted:10}  {', '.join(counts)}", flush=True)


def main() -> None:
    """Print the table."""
    print(f"{machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}; seconds")
    print(f"{'':<24}{'took':>10}{'wanted':>10}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        make = ["make", f"PYTHON={sys.executable}"]
        timed("make lint, installing", 0, folder, [*make, "lint"])
        timed("make test", 150, folder, [*make, "test"])
        timed("make test, again", 75, folder, [*make, "test"])
        timed("make test-all, again", 900, folder, [*make, "test-all"])


if __name__ == "__main__":
    main()
