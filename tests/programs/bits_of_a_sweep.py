"""Sweep with so many CPU devices, and print every bit of the results."""

import os
import sys

from rnn_dynamics.sweeps import one_device_per_core

sys.path += sys.argv[1:2]
os.sched_getaffinity = lambda _: range(int(sys.argv[2]))
assert one_device_per_core() == int(sys.argv[2])

import jax
import numpy as np
from sweep_measures import matrix

import rnn_dynamics as rd


def spectrum(key, gain):
    params = rd.cells.elman.init(key, inputs=0, hidden=4, gain=gain)
    slope = jax.grad(lambda x: gain * x**2)(1.0)
    found = rd.lyapunov_spectrum(rd.cells.elman.step, params, jax.numpy.full(4, 0.1), None, length=40)
    return {"exponents": found.exponents, "slope": slope}


windows, grid = set(), {"gain": np.linspace(0.5, 2, 5)}
for measure in (matrix, spectrum):
    ds = rd.sweep(measure, grid, key=jax.random.key(0), repeats=6, chunk=4, progress=False)
    windows.add(tuple(ds.attrs["window_shape"]))
    for name in sorted(ds):
        if name != "error":
            print(name, ds[name].values.tobytes().hex())
print(windows, jax.device_count())
