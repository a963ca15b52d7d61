"""The loops that PyTorch and SciPy users write for Lyapunov spectra, and processes that share a batch of them.

    python -m benchmarks.peers (torch|scipy) n nets steps core

waits for lines on its input. For each line it measures its nets once, pinned to one core, and answers with a line.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import scipy.linalg
import torch


def by_torch(W: torch.Tensor, h: torch.Tensor, steps: int) -> torch.Tensor:
    """Return the exponents of a batch of tanh nets by a loop over torch.linalg.qr."""
    Q = torch.eye(W.shape[-1]).expand_as(W)
    logs = torch.zeros(W.shape[:2])
    for _ in range(steps):
        h = torch.tanh(torch.einsum("bij,bj->bi", W, h))
        Q, R = torch.linalg.qr((1 - h * h)[:, :, None] * torch.bmm(W, Q))
        logs += torch.log(torch.abs(torch.diagonal(R, dim1=1, dim2=2)))
    return logs / steps


def by_scipy(W: np.ndarray, h: np.ndarray, steps: int) -> np.ndarray:
    """Return the exponents of one tanh net by a loop over LAPACK's QR."""
    Q = np.eye(len(W), dtype=W.dtype)
    logs = np.zeros(len(W))
    for _ in range(steps):
        h = np.tanh(W @ h)
        Q, R = scipy.linalg.qr((1 - h * h)[:, None] * (W @ Q), overwrite_a=True, check_finite=False, mode="economic")
        logs += np.log(np.abs(np.diagonal(R)))
    return logs / steps


def lstm_by_torch(gates: torch.Tensor, h: torch.Tensor, xs: torch.Tensor, n: int) -> torch.Tensor:
    """Return the exponents of LSTMs with the state (h, c), from the Jacobian written out by hand.

    `gates` are the weights of h for the input, forget, candidate and output gates, (batch, 4n, n). `xs` is what inputs
    and biases add to the gates, (batch, T, 4n).
    """
    batch = len(gates)
    h, c = h.expand(batch, n), torch.zeros(batch, n)
    Q = torch.eye(2 * n).expand(batch, 2 * n, 2 * n)
    logs = torch.zeros(batch, 2 * n)
    for t in range(xs.shape[1]):
        a = torch.einsum("bij,bj->bi", gates, h) + xs[:, t]
        i, f, g = torch.sigmoid(a[:, :n]), torch.sigmoid(a[:, n : 2 * n]), torch.tanh(a[:, 2 * n : 3 * n])
        o = torch.sigmoid(a[:, 3 * n :])
        W_i, W_f, W_g, W_o = gates.split(n, dim=1)
        c_h = (
            (i * (1 - i) * g)[:, :, None] * W_i
            + (f * (1 - f) * c)[:, :, None] * W_f
            + (i * (1 - g * g))[:, :, None] * W_g
        )
        c = f * c + i * g
        squashed = torch.tanh(c)
        slope = o * (1 - squashed * squashed)
        h_h = (o * (1 - o) * squashed)[:, :, None] * W_o + slope[:, :, None] * c_h
        J = torch.cat(
            [torch.cat([h_h, torch.diag_embed(slope * f)], dim=2), torch.cat([c_h, torch.diag_embed(f)], dim=2)], dim=1
        )
        h = o * squashed
        Q, R = torch.linalg.qr(torch.bmm(J, Q))
        logs += torch.log(torch.abs(torch.diagonal(R, dim1=1, dim2=2)))
    return logs / xs.shape[1]


@contextlib.contextmanager
def two_processes(kind: str, n: int, nets: int, steps: int) -> Iterator[Callable[[], None]]:
    """Yield a call that makes two processes, each pinned to its own core, measure half of the nets once."""
    command = [sys.executable, "-m", "benchmarks.peers", kind, str(n), str(nets // 2), str(steps)]
    processes = [
        subprocess.Popen([*command, str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for core in sorted(os.sched_getaffinity(0))[:2]
    ]

    def measure() -> None:
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout
            if not process.stdout.readline():
                raise RuntimeError(f"a peer process ended with exit status {process.wait()}")

    try:
        yield measure
    finally:
        for process in processes:
            process.communicate("")


def main() -> None:
    """Measure the nets once for every line on the input."""
    kind, n, nets, steps, core = sys.argv[1], *map(int, sys.argv[2:])
    os.sched_setaffinity(0, {core})
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    random = np.random.default_rng(core)
    W = (2 / np.sqrt(n) * random.normal(size=(nets, n, n))).astype(np.float32)
    h = random.normal(size=n).astype(np.float32)
    for _ in sys.stdin:
        if kind == "torch":
            with torch.no_grad():
                by_torch(torch.from_numpy(W), torch.from_numpy(h).expand(nets, n), steps)
        else:
            for one in W:
                by_scipy(one, h, steps)
        print("done", flush=True)


if __name__ == "__main__":
    main()
