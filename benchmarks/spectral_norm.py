"""Check that 2-norms marked as converged are right, over thousands of products of structured random factors.

    python -m benchmarks.spectral_norm [products] [seed]

For each kind of factor, size and precision it prints the number of 2-norms, how many have a relative error above 1e-3
although `converged` is True (there must be none), the fraction that is not `converged`, and the largest error where
`converged` is True. The reference is NumPy's singular value decomposition of the same factors in float64.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would compete with those of XLA

import itertools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

SIZES = (2, 8, 24, 33, 48, 64)
LAGS = 12


def orthogonal(draw: np.random.Generator, n: int) -> np.ndarray:
    return np.linalg.qr(draw.normal(size=(n, n)))[0]


def factor(kind: str, draw: np.random.Generator, n: int) -> np.ndarray:
    """Draw one n × n matrix of a kind."""
    spread, noise = 10 ** draw.uniform(-2, 0.3), 10 ** draw.uniform(-9, -2) * draw.normal(size=(n, n))
    diagonal = np.diag(np.exp(spread * draw.normal(size=n)))
    if kind == "random":
        return draw.normal(size=(n, n)) / n**0.5
    if kind == "orthogonal":
        return orthogonal(draw, n) + noise
    if kind == "diagonal":
        return diagonal
    if kind == "nearly diagonal":
        return diagonal + noise
    if kind == "permuted":
        return (diagonal + noise)[draw.permutation(n)]
    if kind == "graded":
        return np.logspace(0, -draw.uniform(0, 4), n)[:, None] * draw.normal(size=(n, n))
    if kind == "one above many":
        values = np.where(np.arange(n) < n * draw.uniform(), 1, 0.1)
        values[0] = 1 + 10 ** draw.uniform(-2.5, 0)
        return np.diag(draw.permutation(values))
    blocks = np.zeros((n, n))  # nearly block diagonal
    ends = np.unique(np.r_[0, np.sort(draw.integers(0, n, n // 4)), n])
    for start, end in itertools.pairwise(ends):
        blocks[start:end, start:end] = draw.normal(size=(end - start, end - start)) / (end - start) ** 0.5
    return blocks + noise


KINDS = ("random", "orthogonal", "diagonal", "nearly diagonal", "permuted", "graded", "one above many", "blocks")


def given(params: None, h: jax.Array, x: jax.Array) -> jax.Array:
    """Apply a linear step whose matrix is its input."""
    return x @ h


def of_factors(kind: str, n: int, count: int, draw: np.random.Generator, dtype: type) -> tuple[np.ndarray, ...]:
    """Return the true 2-norms of products of up to LAGS factors, the measured ones, and whether they converged."""
    Js: Any = np.array([[factor(kind, draw, n) for _ in range(LAGS)] for _ in range(count)], dtype)
    h = jnp.zeros(n, dtype)
    flow = jax.vmap(lambda Js: rd.gradient_flow(given, None, h, Js, curves=("norm",)))(jnp.asarray(Js))
    return true_norms(Js.astype(float)), np.asarray(flow.log_norm)[:, 1:], np.asarray(flow.converged)[:, 1:]


def of_cells(
    name: str, part: Any, n: int, count: int, draw: np.random.Generator, dtype: type
) -> tuple[np.ndarray, ...]:
    """Return the same for a path or a block of a gated cell with random weights, from its stacked Jacobians."""
    cell = rd.cells.CELLS[name]
    keys = jax.random.split(jax.random.key(int(draw.integers(2**31))), count)

    def measured(key: jax.Array) -> tuple[jax.Array, ...]:
        params = cell.init(key, inputs=n, hidden=n, gain=jax.random.uniform(key, minval=0.2, maxval=2.0))
        params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        h0, xs = cell.initial_state(params), 0.5 * jax.random.normal(key, (LAGS, n), dtype)
        flow = rd.gradient_flow(cell.step, params, h0, xs, curves=("norm",), **part)
        return rd.step_jacobians(cell.step, params, h0, xs), flow.log_norm[1:], flow.converged[1:]

    Js, found, converged = map(np.asarray, jax.jit(jax.vmap(measured))(keys))
    kept = Js[:, :, n:, n:] if part.get("path") == "c" else Js
    cut = (slice(n, None), slice(0, n)) if "block" in part else (slice(None), slice(None))
    return true_norms(kept.astype(float), cut), found, converged


def true_norms(Js: Any, cut: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
    """Return ln ‖J_T ··· J_{T-ℓ+1}‖₂ for each member and lag ℓ >= 1."""
    P, norms = np.eye(Js.shape[-1]), []
    for lag in range(1, Js.shape[1] + 1):
        P = P @ Js[:, -lag]
        norms.append(np.linalg.norm(P[:, *cut], 2, axis=(1, 2)))
    return np.log(np.stack(norms, axis=1))


def line(name: str, n: int, dtype: type, truth: np.ndarray, found: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Print one line, and return its counts of norms, wrong ones and unconverged ones."""
    error = np.abs(np.expm1(found.astype(float) - truth))
    wrong = said & ~(error <= 1e-3)
    worst = np.max(np.where(said, error, 0))
    print(
        f"{name:24} {n:3d} {np.dtype(dtype).name} {truth.size:7d} {wrong.sum():5d} {1 - said.mean():9.5f} {worst:9.1e}"
    )
    return np.array([truth.size, wrong.sum(), (~said).sum()])


def main() -> None:
    """Print a line for each kind, size and precision, and the totals."""
    products, seed = [int(word) for word in (sys.argv[1:] + ["20000", "0"][len(sys.argv) - 1 :])]
    draw, total = np.random.default_rng(seed), np.zeros(3, int)
    jax.config.update("jax_enable_x64", True)
    parts: list[tuple[str, Any]] = [("lstm", {"path": "c"}), ("lstm", {"block": ("c", "h")}), ("gru", {})]
    count = max(1, products // (2 * len(SIZES) * (len(KINDS) + len(parts))))
    print(f"{'factors':24}   n precision   norms wrong not conv. worst of the others")
    for n in SIZES:
        for dtype in (np.float32, np.float64):
            for kind in KINDS:
                total += line(kind, n, dtype, *of_factors(kind, n, count, draw, dtype))
            for name, part in parts:
                label = " ".join([name, *map(str, part), *map("".join, part.values())])
                total += line(label, n, dtype, *of_cells(name, part, n, count, draw, dtype))
        jax.clear_caches()
    print(f"{total[0] // LAGS} products, {total[0]} norms: {total[1]} wrong, {total[2] / total[0]:.5f} not converged")


if __name__ == "__main__":
    main()
