"""Compare full Lyapunov spectra with the loops that PyTorch and SciPy users write, in one run.

    python -m benchmarks.lyapunov [n ...]

Each step of their loops runs the net, multiplies the frame by the Jacobian and takes a QR decomposition; our code
factors by LU instead. The columns are the others' time over ours, for 1, 16 and 64 nets. Our code divides a batch
between one CPU device per core. The others are PyTorch's batched loop, and two pinned processes of the faster peer that
share the batch. `auto` is our time with a factorisation at every step over our time with the interval that a pilot run
chooses, for all n exponents and for the first n/8.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=2 {os.environ.get('XLA_FLAGS', '')}"

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import torch
from jax.sharding import AxisType, PartitionSpec

import rnn_dynamics as rd

from . import peers
from .timing import machine, seconds

GAIN = 2.0
BATCHES = (16, 64)
VMAPPED = 4  # more do not fit in the cache of a core
LSTM_UNITS, LSTM_T, LSTM_NETS = 64, 200, 8
KINDS = ("torch", "scipy")


def exponents(
    cell: rd.cells.Cell, interval: int | str, length: int, params: Any, h0: Any, xs: Any = None, k: int | None = None
) -> jax.Array:
    """Return only the exponents, so that jit leaves out the rest of the spectrum."""
    return rd.lyapunov_spectrum(cell.step, params, h0, xs, length=length, interval=interval, k=k).exponents


def on_all_devices(measure: Callable) -> Callable:
    """Return `measure` over a batch shared by all devices, with a few nets vmapped at a time, as in `rd.sweep`."""
    mesh = jax.make_mesh((jax.device_count(),), ("nets",), axis_types=(AxisType.Auto,))
    over = PartitionSpec("nets")

    def share(*nets: Any) -> jax.Array:
        return jax.lax.map(lambda net: measure(*net), nets, batch_size=VMAPPED)

    return jax.jit(jax.shard_map(share, mesh=mesh, in_specs=over, out_specs=over, check_vma=False))


def tanh_nets(n: int, nets: int) -> tuple[Any, jax.Array]:
    """Return the parameters and states of chaotic nets."""
    keys = jax.random.split(jax.random.key(0), nets)
    params = jax.vmap(lambda key: rd.cells.elman.init(key, inputs=0, hidden=n, gain=GAIN))(keys)
    return params, jax.random.normal(jax.random.key(1), (nets, n))


def steps(n: int) -> int:
    """Return the number of steps, fewer for sizes where a step takes milliseconds."""
    return 100 if n < 256 else 60


def row(n: int) -> str:
    """Time one size and return its row."""
    T = steps(n)
    every_step, auto = (partial(exponents, rd.cells.elman, interval, T) for interval in (1, "auto"))
    calls: dict[str, Callable[[], Any]] = {}
    with contextlib.ExitStack() as stack, torch.no_grad():
        for nets in (1, *BATCHES):
            params, h = tanh_nets(n, nets)
            W, h_torch = (torch.from_numpy(np.array(array)) for array in (params.W, h))
            calls[f"torch, {nets}"] = partial(peers.by_torch, W, h_torch, T)
            if nets > 1:
                calls[f"ours, {nets}"] = partial(on_all_devices(every_step), params, h)
                for kind in KINDS:
                    calls[f"two {kind}, {nets}"] = stack.enter_context(peers.two_processes(kind, n, nets, T))
                continue
            one = jax.tree.map(lambda leaf: leaf[0], (params, h))
            calls |= {"ours, 1": partial(jax.jit(every_step), *one), "auto": partial(jax.jit(auto), *one)}
            calls["few"], calls["few, auto"] = (
                partial(jax.jit(partial(f, k=n // 8)), *one) for f in (every_step, auto)
            )
            calls["scipy, 1"] = partial(peers.by_scipy, np.array(one[0].W), np.array(one[1]), T)
            check_accuracy(calls["ours, 1"](), calls["torch, 1"]()[0].numpy())
        time = seconds(calls, repetitions=7 if n < 256 else 3, pause=0.3)
    ratios = [time[f"{kind}, 1"] / time["ours, 1"] for kind in KINDS]
    for nets in BATCHES:
        two = min(time[f"two {kind}, {nets}"] for kind in KINDS)
        ratios += [time[f"torch, {nets}"] / time[f"ours, {nets}"], two / time[f"ours, {nets}"]]
    ratios += [time["ours, 1"] / time["auto"], time["few"] / time["few, auto"]]
    return f"{n:5d}" + "".join(f"{ratio:14.2f}" for ratio in ratios)


def lstm() -> str:
    """Time LSTMs driven by noise, with the state (h, c), and return the ratios."""
    cell, n, nets = rd.cells.lstm, LSTM_UNITS, LSTM_NETS
    keys = jax.random.split(jax.random.key(2), nets)
    params = jax.vmap(lambda key: cell.init(key, inputs=1, hidden=n, gain=GAIN))(keys)
    h0 = jax.vmap(cell.initial_state)(params)
    xs = jax.random.normal(jax.random.key(3), (nets, LSTM_T, 1))
    gates = (params.input, params.forget, params.cell, params.output)
    W = torch.from_numpy(np.concatenate([gate.W for gate in gates], axis=1))
    drive = np.concatenate([xs @ gate.U.mT + gate.b[:, None] for gate in gates], axis=2)
    measure = partial(exponents, cell, 1, LSTM_T)
    calls: dict[str, Callable[[], Any]] = {
        "one": partial(jax.jit(jax.vmap(measure)), params, h0, xs),
        "ours": partial(on_all_devices(measure), params, h0, xs),
        "torch": partial(peers.lstm_by_torch, W, torch.zeros(nets, n), torch.from_numpy(drive), n),
    }
    with torch.no_grad():
        check_accuracy(calls["ours"](), calls["torch"]().numpy())
        time = seconds(calls, repetitions=7, pause=0.3)
    return f"{time['torch'] / time['ours']:.2f}, and {time['torch'] / time['one']:.2f} on one device"


def check_accuracy(ours: jax.Array, theirs: np.ndarray) -> None:
    """Raise an error if the exponents differ by more than two float32 trajectories of a chaotic net would."""
    difference = np.abs(np.asarray(ours) - theirs).mean()
    if not difference < 0.05:
        raise RuntimeError(f"the mean difference of the exponents from PyTorch's is {difference:.3f}")


def memory(n: int) -> float:
    """Return the temporary memory at T = 1000 over that at T = 100."""

    def temporary(length: int) -> int:
        params, h = jax.tree.map(lambda leaf: leaf[0], tanh_nets(n, 1))
        call = jax.jit(partial(exponents, rd.cells.elman, "auto", length))
        return call.lower(params, h).compile().memory_analysis().temp_size_in_bytes  # type: ignore[union-attr]

    return temporary(1000) / temporary(100)


def main() -> None:
    """Print the tables."""
    torch.set_flush_denormal(True)
    print(f"{machine()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads; SciPy's LAPACK on one")
    print(
        f"float32, tanh nets at g = {GAIN}, all n exponents, T = {steps(1)} ({steps(256)} from n = 256 on), "
        "columns by number of nets"
    )
    print("the others' time over ours at every step; auto: our time at every step over ours at the chosen interval")
    names = ["1: PyTorch", "1: SciPy", *(f"{nets}: {who}" for nets in BATCHES for who in ("PyTorch", "two peers"))]
    print(f"{'n':>5}" + "".join(f"{name:>14}" for name in [*names, "auto", "auto, n/8"]))
    for n in map(int, sys.argv[1:] or ("32", "64", "128", "256", "512")):
        print(row(n), flush=True)
    print(f"{LSTM_NETS} LSTMs of {LSTM_UNITS} units, T = {LSTM_T}: PyTorch's loop with analytic Jacobians, {lstm()}")
    print(f"temporary memory at T = 1000 over that at 100, n = 64: {memory(64):.2f}")


if __name__ == "__main__":
    main()
