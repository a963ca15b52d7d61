"""Compare `find_fixed_points` with the same search in PyTorch with Adam, in one run.

    python -m pip install "rnn_dynamics[bench]" && python -m benchmarks.fixed_points

GRUs of 64 units without input at gains 1.25 and 3, each from 1024 states that its trajectories visit, with noise.
`missed` are points that a search does not find, out of all that ours finds from 1024 or from 10 240 candidates.
`residual` is the largest among the points, which are distinct by more than 1e-3.

For the first net at each gain, PyTorch minimises the mean of q = ½ ‖step(h) - h‖² over all candidates at once, as
fixed-point-finder does (Golub & Sussillo 2018). A candidate counts as fixed if its residual is at most 1e-3:

    defaults    float32, learning rate 1.0 that falls by 5 % where the loss is worse than the last five and grows back
                where it improves five times, epsilon 0.01, norm of the gradient clipped at 1 (its own threshold
                adapts); until all q < 1e-12 or 5000 iterations
    its torch   what its PyTorch version has instead: learning rate 0.05, times 0.7 every 500 iterations, epsilon 1e-8;
                until all q < 1e-12 or 2000 iterations
    best        float64, the best of three learning rates, 0.1, 0.03 and 0.01, each falling along half a cosine to 0
                over 5000 iterations, epsilon 1e-8. Chosen on every fourth candidate in float32 (not in the seconds) by
                the number of points, then the residual
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
GAINS, SEEDS, RATES = (1.25, 3.0), (0, 2, 4), (0.1, 0.03, 0.01)
GRU = rd.cells.gru


def problem(gain: float, seed: int, count: int, dtype: Any) -> Any:
    """Return parameters and candidates from the trajectories of sixteen initial states."""
    params = GRU.init(jax.random.key(seed), inputs=1, hidden=N, gain=gain, dtype=np.float64)
    parts = []
    for key in jax.random.split(jax.random.key(seed + 1), 16):
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


def adam(step: Callable[[torch.Tensor], torch.Tensor], start: np.ndarray, setting: str, rate: float) -> np.ndarray:
    """Minimise the mean of q over all candidates and return where they end."""
    h = torch.from_numpy(start.copy()).requires_grad_()
    optimizer = torch.optim.Adam([h], lr=rate, eps=0.01 if setting == "defaults" else 1e-8)
    schedules: dict[str, Any] = {
        "its torch": lambda: torch.optim.lr_scheduler.StepLR(optimizer, 500, 0.7),
        "best": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, ITERATIONS),
    }
    schedule = schedules[setting]() if setting in schedules else None
    recent: list[float] = []
    for _ in range(2000 if setting == "its torch" else ITERATIONS):
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


def fixed(params: Any, ends: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the distinct points among the ends of a descent, and the largest residual."""
    residual = residuals(params, ends)
    good = np.flatnonzero(residual <= 1e-3)
    kept = good[distinct(ends[good], residual[good])]
    return ends[kept], float(residual[kept].max(initial=0))


def best_rate(gain: float) -> float:
    """Return the best of the learning rates, on a part of the candidates."""
    params, few = problem(gain, SEEDS[0], FEW, np.float32)
    step, scores = in_torch(params), {}
    for rate in RATES:
        points, worst = fixed(params, adam(step, few[::4], "best", rate))
        scores[rate] = len(points), -worst
    return max(scores, key=lambda rate: scores[rate])


def row(name: str, seconds: float, points: np.ndarray, residual: float, every: np.ndarray, ours: float | None) -> str:
    """Return a row of the table; `ours` are the seconds to compare with."""
    missed = sum(not len(points) or np.min(np.max(np.abs(points - one), axis=1)) > 1e-2 for one in every)
    ratio = f"{seconds / ours:.1f}" if ours else ""
    return f"{name:<32}{seconds:9.2f}{ratio:>9}{len(points):8d}{missed:8d}{residual:11.1e}"


def our_rows(gain: float, seed: int) -> tuple[list[str], float, np.ndarray]:
    """Search in both precisions; return the rows, the seconds in float64, and all points known."""
    from_many = search(*problem(gain, seed, MANY, np.float64))
    every, measured = from_many, []
    for dtype in (np.float64, np.float32):
        params, few = problem(gain, seed, FEW, dtype)
        search(params, few)
        seconds, points = min((timed(partial(search, params, few)) for _ in range(2)), key=lambda run: run[0])
        measured.append((f"ours, net {seed}, {np.dtype(dtype).name}", seconds, points, residuals(params, points).max()))
        if dtype == np.float64:
            every = np.concatenate([every, points])
    every = every[distinct(every, np.zeros(len(every)))]
    table = [row(*each, every, None) for each in measured]
    missed = len(every) - len(from_many)
    table.append(f"{f'  from {MANY} candidates':<50}{len(from_many):8d}{missed:8d}")
    return table, measured[0][1], every


def peer_rows(gain: float, ours: float, every: np.ndarray) -> list[str]:
    """Run PyTorch with each setting on the first net."""
    table = []
    for setting, dtype, rate in (
        ("defaults", np.float32, 1.0),
        ("its torch", np.float32, 0.05),
        ("best", np.float64, best_rate(gain)),
    ):
        params, few = problem(gain, SEEDS[0], FEW, dtype)
        seconds, ends = timed(partial(adam, in_torch(params), few, setting, rate))
        table.append(row(f"Adam, net {SEEDS[0]}, {setting} ({rate:g})", seconds, *fixed(params, ends), every, ours))
    return table


def first_call(gain: float) -> None:
    """Print the seconds of a first call in this process, after an unrelated computation."""
    params, few = problem(gain, SEEDS[0], FEW, np.float64)
    print(timed(lambda: search(params, few))[0])


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1:2] == ["--first"]:
        return first_call(float(sys.argv[2]))
    torch.set_flush_denormal(True)
    print(f"{machine()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    for gain in GAINS:
        command = [sys.executable, "-m", "benchmarks.fixed_points", "--first", str(gain)]
        found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(
            f"\nGRU, n = {N}, {FEW} candidates, gain {gain}: first call in a new process {float(found):.1f} s (float64)"
        )
        print(f"{'':<32}{'seconds':>9}{'ratio':>9}{'points':>8}{'missed':>8}{'residual':>11}")
        first: tuple[float, np.ndarray] | None = None
        for seed in SEEDS:
            table, seconds, every = our_rows(gain, seed)
            first = first or (seconds, every)
            print("\n".join(table), flush=True)
        assert first is not None
        print("\n".join(peer_rows(gain, *first)), flush=True)
    return None


if __name__ == "__main__":
    main()
