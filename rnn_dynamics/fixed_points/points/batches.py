"""Run an iteration over many rows in batches of one size: a row that has ended makes room for the next.

On a CPU LAPACK takes the matrices of a batch one after the other, on one core. So the rows are shared out among
threads, one for each core, which wait for their own programs.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from ...machinery.captured_arrays import Opaque
from ...machinery.compiled_programs import PLAIN, ahead, float32_products
from .iterations import Rows

# rows at a time: more gain nothing on a CPU
MOST = {"cpu": 64}
# so many threads at most
THREADS = 8


def batch_size(count: int) -> int:
    """Return how many rows run at a time in a search from so many candidates: a power of two, at least 16."""
    return min(1 << max(count - 1, 15).bit_length(), MOST.get(jax.default_backend(), 4096))


def new_rows(vectors: np.ndarray, damping: float = 1e-2) -> Rows:
    """Return rows of which nothing is known yet, as NumPy arrays that may be written."""
    unknown: Any = np.full(len(vectors), np.inf, vectors.dtype)
    start: Any = vectors.copy()
    return Rows(start, unknown.copy(), unknown.copy(), unknown, np.full_like(unknown, damping))


def run_in_batches(
    program: Callable[..., Rows],
    before: tuple,
    after: tuple,
    rows: Rows,
    which: np.ndarray,
    ended: Callable[[Rows], np.ndarray],
    *,
    batch: int,
    most: int,
    **options: int,
) -> np.ndarray:
    """Iterate all rows in place until they have ended or have made `most` iterations; return who has ended.

    Args:
        program: Makes some iterations of a batch, `program(*before, which, rows, *after, **options) -> rows`.
        before: Its first arguments, a traced step at the head of them.
        after: Its last arguments.
        rows: The rows, as NumPy arrays; they are overwritten.
        which: The input that each belongs to.
        ended: Says who has ended.
        batch: The size of a batch.
        most: After how many a row is given up.
        options: The options of the program; `steps` is how many iterations it makes.

    Returns:
        Who has ended, as flags.
    """
    over, which = np.zeros(len(which), bool), which.astype(np.int32)
    if not len(which):
        return over
    run, threads = _runner(program, before, after, _picked(which, rows, np.zeros(batch, int)), options)
    threads = min(-(-len(which) // batch), threads)

    def run_some(mine: np.ndarray) -> None:
        age, waiting = np.zeros(len(mine), int), np.arange(len(mine))
        while len(waiting):
            active = waiting[:batch]
            at = mine[active]
            found = run(*_picked(which, rows, np.resize(at, batch)))
            for leaf, new in zip(rows, found, strict=True):
                leaf[at] = np.asarray(new)[: len(at)]
            age[active] += options["steps"]
            over[at] = ended(Rows(*(leaf[at] for leaf in rows)))
            waiting = np.concatenate([active[~over[at] & (age[active] < most)], waiting[batch:]])

    if threads == 1:
        run_some(np.arange(len(which)))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run_some, np.array_split(np.arange(len(which)), threads)))
    return over


def _picked(which: np.ndarray, rows: Rows, places: np.ndarray) -> tuple[np.ndarray, Rows]:
    return which[places], Rows(*(leaf[places] for leaf in rows))


def _runner(
    program: Any, before: tuple, after: tuple, example: tuple, options: dict[str, int]
) -> tuple[Callable[[np.ndarray, Rows], Rows], int]:
    """Return the program of a batch, and how many threads may call it.

    A thread has settings of its own: a jitted function would be compiled again there, and NumPy arrays narrowed.
    """
    if isinstance(before[0].computation, Opaque) or jax.default_backend() != "cpu" or jax.device_count() > 1:
        return lambda which, rows: program(*before, which, rows, *after, **options), 1
    before, after = jax.device_put((before, after))
    wide = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    with float32_products():
        compiled = ahead(program.__wrapped__, (*before, *example, *after), options, PLAIN)

    def run(which: np.ndarray, rows: Rows) -> Rows:
        with jax.enable_x64(wide):
            return compiled(*before, which, rows, *after)

    here = getattr(os, "sched_getaffinity", None)
    return run, min(len(here(0)) if here else os.cpu_count() or 1, THREADS)
