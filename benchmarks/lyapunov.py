"""Full Lyapunov spectra of a tanh net, every step, against the loops that PyTorch and SciPy users write, in one run.

    python -m benchmarks.lyapunov [n ...]

Every loop runs the net, multiplies the frame by diag(1 - h²) W and takes a QR decomposition; ours factors by LU. The
columns are the others' time over ours, for one net and for sixteen at once; `auto` is our time at every step over ours
with the interval that a pilot chooses.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would fight those of XLA

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import scipy.linalg
import torch

import rnn_dynamics as rd

from .timing import machine, seconds

CELL = rd.cells.elman
GAIN, T, NETS = 2.0, 100, 16


def problem(n: int, nets: int) -> tuple[Any, jax.Array]:
    """Parameters of `nets` chaotic nets, and a state."""
    keys = jax.random.split(jax.random.key(0), nets)
    params = jax.vmap(lambda key: CELL.init(key, inputs=0, hidden=n, gain=GAIN))(keys)
    return params, jax.random.normal(jax.random.key(1), (n,))


def by_torch(W: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Exponents of a batch of nets by a loop over torch.linalg.qr."""
    h = h.expand(W.shape[:2])
    Q = torch.eye(W.shape[-1]).expand_as(W)
    logs = torch.zeros(W.shape[:2])
    for _ in range(T):
        h = torch.tanh(torch.einsum("bij,bj->bi", W, h))
        Q, R = torch.linalg.qr((1 - h * h)[:, :, None] * torch.bmm(W, Q))
        logs += torch.log(torch.abs(torch.diagonal(R, dim1=1, dim2=2)))
    return logs / T


def by_scipy(W: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Exponents of one net by a loop over LAPACK's QR."""
    Q = np.eye(len(W), dtype=W.dtype)
    logs = np.zeros(len(W))
    for _ in range(T):
        h = np.tanh(W @ h)
        Q, R = scipy.linalg.qr((1 - h * h)[:, None] * (W @ Q), overwrite_a=True, check_finite=False, mode="economic")
        logs += np.log(np.abs(np.diagonal(R)))
    return logs / T


def ours(every: int | str, params: Any, h0: jax.Array) -> jax.Array:
    """The exponents alone: what is not asked for is not computed."""
    return rd.lyapunov_spectrum(CELL.step, params, h0, None, length=T, every=every).exponents


def row(n: int) -> str:
    """One size."""
    many, h0 = problem(n, NETS)
    one = jax.tree.map(lambda leaf: leaf[0], many)
    W, h = torch.from_numpy(np.array(many.W)), torch.from_numpy(np.array(h0))
    calls: dict[str, Callable[[], Any]] = {
        "one": partial(jax.jit(partial(ours, 1)), one, h0),
        "many": partial(jax.jit(jax.vmap(partial(ours, 1), in_axes=(0, None))), many, h0),
        "auto": partial(jax.jit(jax.vmap(partial(ours, "auto"), in_axes=(0, None))), many, h0),
        "torch, one": lambda: by_torch(W[:1], h),
        "torch, many": lambda: by_torch(W, h),
        "scipy, one": lambda: by_scipy(np.array(one.W), np.array(h0)),
    }
    with torch.no_grad():
        time = seconds(calls, repetitions=3)
    ratios = (
        time["torch, one"] / time["one"],
        time["scipy, one"] / time["one"],
        time["torch, many"] / time["many"],
        time["many"] / time["auto"],
    )
    return f"{n:5d}" + "".join(f"{ratio:14.2f}" for ratio in ratios)


def main() -> None:
    """Print the table."""
    torch.set_flush_denormal(True)
    print(f"{machine()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads; SciPy's LAPACK on one")
    print(f"float32, tanh net at g = {GAIN}, all n exponents, T = {T}, {NETS} nets where many")
    print("the others' time over ours at every step; ours at every step over ours at the chosen interval")
    print(f"{'n':>5}" + "".join(f"{name:>14}" for name in ("torch, one", "scipy, one", "torch, many", "auto")))
    for n in map(int, sys.argv[1:] or ("32", "64", "128", "256", "512")):
        print(row(n), flush=True)


if __name__ == "__main__":
    main()
