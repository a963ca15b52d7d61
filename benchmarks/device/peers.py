"""The loops that users of JAX and PyTorch write for Lyapunov spectra, on the same device as ours."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .driver import Found
from .nets import batched, nets, on_cpu
from .speed import timed


def naive_spectrum(step: Any, params: Any, h0: Any, xs: Any) -> jax.Array:
    """Return the full spectrum as a JAX user would compute it, by jacfwd and QR in a scan."""

    def advance(carry: Any, x: Any) -> Any:
        h, Q = carry
        Q, R = jnp.linalg.qr(jax.jacfwd(lambda h: step(params, h, x))(h) @ Q)
        return (step(params, h, x), Q), jnp.log(jnp.abs(jnp.diagonal(R)))

    with jax.default_matmul_precision("highest"):
        return jax.lax.scan(advance, (h0, jnp.eye(h0.size, dtype=h0.dtype)), xs)[1].mean(axis=0)


def in_jax(n: int, T: int, count: int) -> Found:
    """Time jnp.linalg.qr in a scan."""
    found = timed(batched(naive_spectrum, "elman"), partial(nets, "elman", n, T, count), T, cpu=False)
    return found | {"problem": f"spectrum, n = {n}, {count} nets", "way": "jnp.linalg.qr"}


def in_torch(n: int, T: int, count: int, compiled: bool = False) -> Found:
    """Time PyTorch's QR loop with the weights of our nets, without TF32; with `compiled`, its step by torch.compile."""
    import torch

    torch.set_float32_matmul_precision("highest")
    where = "cuda" if torch.cuda.is_available() else "cpu"
    params, h0, _ = on_cpu(partial(nets, "elman", n, 1, count))
    W, h = (torch.tensor(np.asarray(each), device=where) for each in (params.W, h0))
    step: Callable[..., Any] = torch.compile(_torch_step) if compiled else _torch_step

    def run() -> float:
        state, Q = h, torch.eye(n, device=where).repeat(count, 1, 1)
        total = torch.zeros(count, n, device=where)
        for _ in range(T):
            state, Q, logs = step(W, state, Q)
            total = total + logs
        return float((total / T).sum())  # waits for the device

    with torch.no_grad():
        begun = time.perf_counter()
        run()
        first = time.perf_counter() - begun
        times: list[float] = []
        while not times or (len(times) < 3 and sum(times) < 3):
            begun = time.perf_counter()
            run()
            times.append(time.perf_counter() - begun)
    later = float(np.median(times))
    found = {
        "first_s": first,
        "s": later,
        "us_per_step": later / T * 1e6,
        "problem": f"spectrum, n = {n}, {count} nets",
    }
    return found | {"way": "torch.compile" if compiled else "PyTorch"}


def _torch_step(W: Any, state: Any, Q: Any) -> Any:
    import torch

    state = torch.tanh((W @ state[..., None])[..., 0])
    Q, R = torch.linalg.qr((1 - state**2)[..., None] * W @ Q)
    return state, Q, torch.log(torch.abs(torch.diagonal(R, dim1=1, dim2=2)))
