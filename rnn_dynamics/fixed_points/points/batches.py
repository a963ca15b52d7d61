"""Run an iteration over many rows in batches of one size: a row that has ended makes room for the next."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .iterations import Rows

# rows at a time: LAPACK takes them one after the other on a CPU, so more gain nothing there
MOST = {"cpu": 128}


def batch_size(count: int) -> int:
    """Return how many rows run at a time in a search from so many candidates: a power of two, at least 16."""
    return min(1 << max(count - 1, 15).bit_length(), MOST.get(jax.default_backend(), 4096))


def new_rows(vectors: np.ndarray, damping: float = 1e-2) -> Rows:
    """Return rows of which nothing is known yet, as NumPy arrays that may be written."""
    unknown: Any = np.full(len(vectors), np.inf, vectors.dtype)
    start: Any = vectors.copy()
    return Rows(start, unknown.copy(), unknown.copy(), unknown, np.full_like(unknown, damping))


def run_in_batches(
    program: Callable[[Any, Rows], Rows],
    rows: Rows,
    which: np.ndarray,
    ended: Callable[[Rows], np.ndarray],
    *,
    batch: int,
    steps: int,
    most: int,
) -> np.ndarray:
    """Iterate all rows in place until they have ended or have made `most` iterations; return who has ended.

    Args:
        program: Makes `steps` iterations of a batch: from the inputs' numbers and the rows to the rows.
        rows: The rows, as NumPy arrays; they are overwritten.
        which: The input that each belongs to.
        ended: Says who has ended.
        batch: The size of a batch.
        steps: How many iterations the program makes.
        most: After how many a row is given up.

    Returns:
        Who has ended, as flags.
    """
    over, age = np.zeros(len(which), bool), np.zeros(len(which), int)
    waiting = np.arange(len(which))
    while len(waiting):
        active = waiting[:batch]
        padded = np.resize(active, batch)
        found = program(jnp.asarray(which[padded]), Rows(*(jnp.asarray(leaf[padded]) for leaf in rows)))
        for leaf, new in zip(rows, found, strict=True):
            leaf[active] = np.asarray(new)[: len(active)]
        age[active] += steps
        over[active] = ended(Rows(*(leaf[active] for leaf in rows)))
        waiting = np.concatenate([active[~over[active] & (age[active] < most)], waiting[batch:]])
    return over
