"""LAPACK's threads are limited when they are first needed, and not when the user has set their number."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import jax.numpy as jnp, rnn_dynamics as rd
from threadpoolctl import threadpool_info
import scipy.linalg
if threadpool_info() and {measured}:
    rd.eigen.eigenvalues(jnp.eye(3))
print(*(found["num_threads"] for found in threadpool_info() if "scipy.libs" in found["filepath"]))
"""


def threads(measured: bool, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    code = SCRIPT.format(measured=measured)
    found = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@pytest.mark.slow
def test_one_thread_unless_the_environment_says_otherwise():
    before = threads(False)
    if before:  # SciPy's own OpenBLAS, as in its wheels
        assert threads(True) == "1"
        assert threads(True, OPENBLAS_NUM_THREADS="2") == threads(False, OPENBLAS_NUM_THREADS="2")
