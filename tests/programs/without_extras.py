"""Measure and train where packages that only sweeps, the command line and checkpoints need are not installed."""

import sys

for name in ("zarr", "tyro", "tqdm", "threadpoolctl", "orbax", "matplotlib", "sklearn"):
    sys.modules[name] = None  # type: ignore[assignment]

import jax
import jax.numpy as jnp
import optax

import rnn_dynamics as rd

W = jnp.array([[0.0, 4.0], [1.0, 0.0]])
found = rd.lyapunov_spectrum(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=20)
assert bool(jnp.all(jnp.isfinite(found.exponents)))
print(round(float(rd.eigen.spectral_radius(W)), 3))
task, once = rd.train.tasks.adding(4), rd.train.Evaluation(1, examples=2)
options = {"key": jax.random.key(0), "updates": 1, "hidden": 2, "batch": 2, "evaluation": once}
print(int(rd.train.fit(rd.cells.elman, task, optax.sgd(0.1), **options).updates))
try:
    rd.sweep(lambda key, gain: {"gain": gain}, {"gain": [1.0]}, key=jax.random.key(0), progress=False)
except ModuleNotFoundError as error:
    print(error.name)
