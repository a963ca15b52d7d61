"""The standard error of a mean over time, where neighbouring times are correlated.

    error = √(variance of the segment means / number of segments),   for segments of length b, 2b, 4b, ...; the largest
    counts

Means of neighbouring short segments are correlated, which makes their error too small. The error grows with the length
of the segments until they are independent. `frame_loop.py` uses it to stop a run, `measure/lyapunov_result.py` to
report it.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

# the scatter of fewer segment means is too uncertain to be used
FEWEST_SEGMENTS = 8


def standard_error(means: Float[Any, "segments k"], count: int | Int[Any, ""], xp: Any = jnp) -> Float[Any, " k"]:
    """Compute the standard error of the mean of the first `count` segment means; inf if there are fewer than 8.

    It is the largest of the errors from segments of this length, of twice, four times ... this length: where neighbours
    are correlated, short segments give too small an error.
    """
    dtype, count = means.dtype, xp.asarray(count, np.int32)
    longer = [means]
    while len(longer[-1]) >= 2 * FEWEST_SEGMENTS:
        longer.append(longer[-1][: len(longer[-1]) // 2 * 2].reshape(-1, 2, means.shape[1]).mean(axis=1))
    # all lengths side by side in one array, so that the rest is compiled once
    level = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(longer)])
    index = np.concatenate([np.arange(len(rows), dtype=np.int32) for rows in longer])
    values = xp.concatenate(longer)
    counts = xp.right_shift(count, xp.arange(len(longer), dtype=np.int32))
    number = xp.maximum(counts, 2).astype(dtype)[:, None]
    of_level = np.arange(len(longer))[:, None] == level
    used = xp.where(xp.asarray(of_level) & (xp.asarray(index) < counts[level])[None], 1, 0).astype(dtype)
    deviations = values - (used @ values / number)[level]
    errors = xp.sqrt(used @ deviations**2 / (number - 1) / number)
    longest = xp.max(xp.where((counts < FEWEST_SEGMENTS)[:, None], 0, errors), axis=0)
    return xp.where(count < FEWEST_SEGMENTS, np.inf, longest).astype(dtype)
