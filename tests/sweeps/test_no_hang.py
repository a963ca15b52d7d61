"""Every built-in measurement ends on two devices, whatever the width: a batched LAPACK call once waited for itself."""

import os
import subprocess
import sys

import pytest

from rnn_dynamics.measurements import MEASUREMENTS

RUNS = 20
WIDTHS = (1, 2, 8, 9, 64)
SCRIPT = """
import sys, jax, numpy as np, rnn_dynamics as rd
from rnn_dynamics.measurements import MEASUREMENTS
assert jax.device_count() == 2
name, runs = sys.argv[1], int(sys.argv[2])
for width in map(int, sys.argv[3:]):
    # two windows of two points a chunk, one for each device: each chunk runs the program once
    grid = {"cell": ["elman"], "hidden": [width], "length": [20], "drive": [0.1], "gain": np.linspace(0.5, 2, 4 * runs)}
    ds = rd.sweep(MEASUREMENTS[name], grid, key=jax.random.key(0), chunk=4, progress=False)
    assert (ds.status > 0).all()
    print(width, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_measurement_ends_at_every_width(name):
    flags = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    environment = os.environ | {"XLA_FLAGS": flags}
    command = [sys.executable, "-c", SCRIPT, name, str(RUNS), *map(str, WIDTHS)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert found.stdout.split() == [str(width) for width in WIDTHS], found.stderr
