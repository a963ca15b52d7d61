"""Print the number of threads of SciPy's OpenBLAS, after a measurement if the argument is "measured"."""

import sys

import jax.numpy as jnp
import scipy.linalg  # noqa: F401 - loads OpenBLAS
from threadpoolctl import threadpool_info

import rnn_dynamics as rd

if threadpool_info() and sys.argv[1] == "measured":
    rd.eigen.eigenvalues(jnp.eye(3))
print(*(found["num_threads"] for found in threadpool_info() if "scipy.libs" in found["filepath"]))
