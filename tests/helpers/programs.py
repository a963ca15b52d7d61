"""Run the programs of tests/programs, each in a process of its own, without the type checker of the tests."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = Path(__file__).parent.parent / "programs"
TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"}


def output(program: str, *words: object, environment: Mapping[str, str] | None = None, timeout: int = 300) -> str:
    """What the program prints; every warning is an error there, and an error fails the test with what it wrote."""
    command = [sys.executable, "-W", "error", str(PROGRAMS / program), *map(str, words)]
    found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ if environment is None else environment,
        timeout=timeout,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
