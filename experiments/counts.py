"""A coloured table of how many nets out of a few succeeded, and the confidence interval of such a rate."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from rnn_dynamics.plot.caveats import note


def wilson(successes: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of the rate `successes` / `of`."""
    z, rate = 1.96, successes / of
    middle, half = rate + z**2 / (2 * of), z * np.sqrt(rate * (1 - rate) / of + z**2 / (4 * of**2))
    return (middle - half) / (1 + z**2 / of), (middle + half) / (1 + z**2 / of)


def table(axes: Axes, counts: np.ndarray, *, nets: int, rows: Sequence[str], columns: np.ndarray) -> None:
    """Draw a table of `counts` out of `nets`, with named rows and one column per delay."""
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1.6 * nets, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center")
    axes.set_xticks(range(len(columns)), [f"{delay:g}" for delay in columns])
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("delay (steps)")
    axes.grid(False)
    low, high = wilson(nets // 2, nets)
    note(axes, f"nets out of {nets} that learnt; 95 % interval of {nets // 2}: {nets * low:.1f} to {nets * high:.1f}")
