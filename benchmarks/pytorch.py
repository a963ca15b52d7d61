"""Compare `gradient_flow` with the curve of ‖∂h_T/∂h_{T-ℓ}‖ over ℓ as a PyTorch user writes it, in one run.

    python -m pip install "rnn_dynamics[bench]" && python -m benchmarks.pytorch [n ...]

A tanh net at sixteen gains at once. The columns are PyTorch's time over ours:

    product     a running product of analytic Jacobians, and nothing else      over `jacobian_product`
    frobenius   the same with its Frobenius norm at each lag                   over `gradient_flow(...).log_frobenius`
    2-norm      the same with its 2-norm by `torch.linalg.matrix_norm`         over `gradient_flow(...).log_norm`
    jacrev, jacfwd   a product of `torch.func` Jacobians, step by step         over `jacobian_product`
    all         2-norms of product and Jacobians, as a bound needs them        over the whole `gradient_flow`

The last four columns are timed over ten lags and scaled up, since each lag costs the same; the forward pass is added.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import torch

import rnn_dynamics as rd

from .gradient_flow import CELL, GAINS, T, problem
from .timing import machine, seconds

FEW = 10


def states_of(W: torch.Tensor, drive: torch.Tensor) -> list[torch.Tensor]:
    """Return h_1 .. h_T for all gains, from U x + b of every step."""
    h, states = torch.zeros(drive.shape[1:]), []
    for x in drive:
        h = torch.tanh(torch.einsum("bij,bj->bi", W, h) + x)
        states.append(h)
    return states


def lag_curve(W: torch.Tensor, states: list[torch.Tensor], norm: Callable[[torch.Tensor], Any]) -> Any:
    """Return a norm of the running product of diag(1 - h²) W at each lag."""
    P = torch.eye(W.shape[-1]).expand_as(W)
    curve = []
    for h in reversed(states):
        P = torch.bmm(P * (1 - h * h)[:, None, :], W)
        curve.append(norm(P))
    return curve


def with_bound(W: torch.Tensor, states: list[torch.Tensor]) -> Any:
    """Return the 2-norms of the running product and of each Jacobian."""
    P = torch.eye(W.shape[-1]).expand_as(W)
    curve = []
    for h in reversed(states):
        J = (1 - h * h)[:, :, None] * W
        P = torch.bmm(P, J)
        curve.append((torch.linalg.matrix_norm(P, 2), torch.linalg.matrix_norm(J, 2)))
    return curve


def by_functional(
    transform: Callable[..., Any], W: torch.Tensor, states: list[torch.Tensor], drive: torch.Tensor
) -> torch.Tensor:
    """Return the product of the Jacobians from torch.func."""

    def step(W: torch.Tensor, h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(W @ h + x)

    jacobian = torch.func.vmap(transform(step, argnums=1))
    P = torch.eye(W.shape[-1]).expand_as(W)
    for h, x in zip(reversed(states), drive.flip(0), strict=False):
        P = torch.bmm(P, jacobian(W, h, x))
    return P


def row(n: int) -> str:
    """Time one size and return its row."""
    params, h0, xs = problem(n)
    W, U, b = (torch.from_numpy(np.array(leaf)) for leaf in params)
    drive = torch.einsum("bim,tm->tbi", U, torch.from_numpy(np.array(xs))) + b
    few = states_of(W, drive)[-FEW:]
    ours: dict[str, Callable[[Any], Any]] = {
        "product": lambda p: rd.jacobian_product(CELL.step, p, h0, xs),
        "frobenius": lambda p: rd.gradient_flow(CELL.step, p, h0, xs).log_frobenius,
        "2-norm": lambda p: rd.gradient_flow(CELL.step, p, h0, xs).log_norm,
        "all": lambda p: rd.gradient_flow(CELL.step, p, h0, xs),
    }
    calls: dict[str, Callable[[], Any]] = {
        f"our {name}": partial(jax.jit(jax.vmap(measure)), params) for name, measure in ours.items()
    }
    calls |= {
        "forward": lambda: states_of(W, drive),
        "product": lambda: lag_curve(W, states_of(W, drive), lambda P: None),
        "frobenius": lambda: lag_curve(W, states_of(W, drive), torch.linalg.matrix_norm),
        "2-norm": lambda: lag_curve(W, few, lambda P: torch.linalg.matrix_norm(P, 2)),
        "jacrev": lambda: by_functional(torch.func.jacrev, W, few, drive),
        "jacfwd": lambda: by_functional(torch.func.jacfwd, W, few, drive),
        "all": lambda: with_bound(W, few),
    }
    with torch.no_grad():
        time = seconds(calls, repetitions=3)
    for name in ("2-norm", "jacrev", "jacfwd", "all"):
        time[name] = time["forward"] + time[name] * T / FEW
    opponents = {"jacrev": "our product", "jacfwd": "our product"}
    ratios = [time[name] / time[opponents.get(name, f"our {name}")] for name in COLUMNS]
    return f"{n:5d}" + "".join(f"{ratio:11.1f}" for ratio in ratios)


COLUMNS = ("product", "frobenius", "2-norm", "jacrev", "jacfwd", "all")


def main() -> None:
    """Print the table."""
    torch.set_flush_denormal(True)  # as XLA does; otherwise vanishing products slow PyTorch down
    print(f"{machine()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"float32, tanh net, {GAINS} gains at once, T = {T}")
    print("PyTorch's time over ours")
    print(f"{'n':>5}" + "".join(f"{name:>11}" for name in COLUMNS))
    for n in map(int, sys.argv[1:] or ("32", "64", "128", "256", "512")):
        print(row(n), flush=True)


if __name__ == "__main__":
    main()
