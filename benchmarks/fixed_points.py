"""Compare `find_fixed_points` with the same search in PyTorch with Adam, in one run.

    python -m pip install "rnn_dynamics[bench]" && python -m benchmarks.fixed_points

A GRU of 64 units without input at gains 1.25 and 3, from 1024 states that its trajectories visit, with noise. PyTorch
minimises the mean of q = ½ ‖step(h) - h‖² over all candidates at once, as fixed-point-finder does (Golub & Sussillo
2018):

    defaults    float32, Adam, learning rate 1.0 that falls by 5 % where the loss is worse than the last five and grows
                back where it improves five times, epsilon 0.01, norm of the gradient clipped at 1
                (its own threshold adapts); until all q < 1e-12 or
                5000 iterations
    its torch   what its PyTorch version has instead: learning rate 0.05, times 0.7 every 500 iterations, epsilon 1e-8
    best        float64, Adam, learning rate 0.05 that falls along half a cosine to 1e-6 over 5000 iterations, a
                schedule meant to reach small residuals; it was not chosen by a comparison of settings

A candidate counts as fixed if its residual is at most 1e-3 for PyTorch; ours are those that `fixed` says. `points` are
distinct by more than 1e-3; `residual` is the largest among them, of the best candidate of each. `missed` are points
that our search from 10 240 candidates finds and this one does not.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import torch

import rnn_dynamics as rd

from .timing import machine

N, FEW, MANY, ITERATIONS = 64, 1024, 10_240, 5000
GAINS = (1.25, 3.0)
GRU = rd.cells.gru


def problem(gain: float, count: int, dtype: Any) -> Any:
    """Return parameters and candidates from the trajectories of sixteen initial states."""
    params = GRU.init(jax.random.key(0), inputs=1, hidden=N, gain=gain, dtype=np.float64)
    parts = []
    for key in jax.random.split(jax.random.key(1), 16):
        h0 = 0.5 * jax.random.normal(key, (N,))
        draw: dict[str, Any] = {"length": 300, "count": count // 16, "key": jax.random.fold_in(key, count)}
        parts.append(rd.visited_states(GRU.step, params, h0, None, **draw))
    cast = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    return cast, np.concatenate(parts).astype(dtype)


def residuals(params: Any, points: Any) -> np.ndarray:
    """Return the largest number of step(h) - h at each point, computed in the points' precision."""
    return np.asarray(np.max(np.abs(jax.vmap(lambda h: GRU.step(params, h, None))(points) - points), axis=1))


def in_torch(params: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the same step on a batch of states."""
    r, z, n = (
        [None if leaf is None else torch.from_numpy(np.array(leaf)) for leaf in (gate.W, gate.b)]
        for gate in (params.reset, params.update, params.candidate)
    )

    def affine(gate: Any, h: torch.Tensor) -> torch.Tensor:
        return h @ gate[0].T if gate[1] is None else torch.addmm(gate[1], h, gate[0].T)

    def step(h: torch.Tensor) -> torch.Tensor:
        reset, update = torch.sigmoid(affine(r, h)), torch.sigmoid(affine(z, h))
        new = torch.tanh(affine(n, reset * h))
        return update * h + (1 - update) * new

    return step


def adam(step: Callable[[torch.Tensor], torch.Tensor], start: np.ndarray, setting: str) -> np.ndarray:
    """Minimise the mean of q over all candidates and return where they end."""
    h = torch.from_numpy(start.copy()).requires_grad_()
    rate = 1.0 if setting == "defaults" else 0.05
    optimizer = torch.optim.Adam([h], lr=rate, eps=0.01 if setting == "defaults" else 1e-8)
    schedules: dict[str, Any] = {
        "its torch": lambda: torch.optim.lr_scheduler.StepLR(optimizer, 500, 0.7),
        "best": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, ITERATIONS, 1e-6),
    }
    schedule = schedules[setting]() if setting in schedules else None
    recent: list[float] = []
    for _ in range(ITERATIONS):
        optimizer.zero_grad()
        q = 0.5 * ((step(h) - h) ** 2).sum(1)
        loss = q.mean()
        loss.backward()
        if setting == "defaults":
            torch.nn.utils.clip_grad_norm_([h], 1.0)
        optimizer.step()
        if schedule:
            schedule.step()
        else:
            recent, factor = adapted(recent, loss.item())
            optimizer.param_groups[0]["lr"] *= factor
        if bool((q.detach() < 1e-12).all()) and setting != "best":
            break
    return h.detach().numpy()


def adapted(recent: list[float], loss: float) -> tuple[list[float], float]:
    """Return the losses since the last change of the learning rate, and the factor of the next one."""
    recent = [*recent, loss]
    if len(recent) > 5:
        if loss > max(recent[-6:-1]):
            return [loss], 0.95
        if all(b < a for a, b in zip(recent[-6:], recent[-5:], strict=False)):
            return [loss], 1 / 0.95
    return recent, 1.0


def distinct(points: np.ndarray, residual: np.ndarray) -> list[int]:
    """Return the places of points farther than 1e-3 from each other, the best of each."""
    kept: list[int] = []
    for i in np.argsort(residual):
        if all(np.max(np.abs(points[i] - points[j])) > 1e-3 for j in kept):
            kept.append(int(i))
    return kept


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - start, result


def search(params: Any, candidates: np.ndarray) -> Any:
    """Search, and return the points that are fixed."""
    found = rd.find_fixed_points(GRU.step, params, candidates)
    return np.asarray(found.points)[np.asarray(found.fixed)]


def line(name: str, seconds: float, ratio: str, points: Any, residual: float, missed: str) -> str:
    """Return a row of the table."""
    return f"{name:<20}{seconds:9.2f}{ratio:>9}{len(points):8d}{residual:11.1e}{missed:>8}"


def rows(gain: float) -> list[str]:
    """Run all searches at one gain and return their rows."""
    table, ours = [], 0.0
    params, many = problem(gain, MANY, np.float64)
    everything = search(params, many)
    for dtype in (np.float64, np.float32):
        params, few = problem(gain, FEW, dtype)
        search(params, few)
        seconds, points = min((timed(partial(search, params, few)) for _ in range(3)), key=lambda run: run[0])
        ours = ours or seconds
        missed = sum(np.min(np.max(np.abs(points - one), axis=1)) > 1e-3 for one in everything)
        residual = residuals(params, points).max()
        table.append(
            line(f"ours, {np.dtype(dtype).name}", seconds, f"{seconds / ours:.1f}", points, residual, str(missed))
        )
    table.append(f"(from {MANY} candidates: {len(everything)} points)")
    for setting, dtype in (("defaults", np.float32), ("its torch", np.float32), ("best", np.float64)):
        params, few = problem(gain, FEW, dtype)
        step = in_torch(params)
        seconds, ends = timed(partial(adam, step, few, setting))
        residual = residuals(params, ends)
        good = np.flatnonzero(residual <= 1e-3)
        kept = good[distinct(ends[good], residual[good])]
        missed = sum(not len(kept) or np.min(np.max(np.abs(ends[kept] - one), axis=1)) > 1e-2 for one in everything)
        worst = residual[kept].max(initial=0)
        table.append(line(f"Adam, {setting}", seconds, f"{seconds / ours:.1f}", kept, worst, str(missed)))
    return table


def first_call() -> None:
    """Print the seconds of a first call in this process, after an unrelated computation."""
    params, few = problem(3.0, FEW, np.float64)
    print(timed(lambda: search(params, few))[0])


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1:] == ["--first"]:
        return first_call()
    torch.set_flush_denormal(True)
    print(f"{machine()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    command = [sys.executable, "-m", "benchmarks.fixed_points", "--first"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(
        f"GRU, n = {N}, {FEW} candidates; first call of ours in a new process: {float(found):.1f} s (gain 3, float64)"
    )
    for gain in GAINS:
        print(f"\n{f'gain {gain}':<20}{'seconds':>9}{'ratio':>9}{'points':>8}{'residual':>11}{'missed':>8}")
        print("\n".join(rows(gain)), flush=True)
    return None


if __name__ == "__main__":
    main()
