"""Sweep one built-in measurement of the command line over two devices: name, runs, widths."""

import sys

import jax
import numpy as np

import rnn_dynamics as rd
from rnn_dynamics.measurements import MEASUREMENTS

assert jax.device_count() == 2
name, runs, *widths = sys.argv[1], *map(int, sys.argv[2:])
for width in widths:
    # two windows of two points a chunk, one for each device: each chunk runs the program once
    grid = {"cell": ["elman"], "hidden": [width], "length": [20], "drive": [0.1], "gain": np.linspace(0.5, 2, 4 * runs)}
    ds = rd.sweep(MEASUREMENTS[name], grid, key=jax.random.key(0), chunk=4, progress=False)
    assert (ds.status > 0).all()
    print(width, flush=True)
