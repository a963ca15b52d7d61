"""How many nets of a few: a table of counts on colours, and how sure a rate is."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from rnn_dynamics.plot.caveats import note


def wilson(successes: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a rate."""
    z, rate = 1.96, successes / of
    middle, half = rate + z**2 / (2 * of), z * np.sqrt(rate * (1 - rate) / of + z**2 / (4 * of**2))
    return (middle - half) / (1 + z**2 / of), (middle + half) / (1 + z**2 / of)


def table(axes: Axes, counts: np.ndarray, *, nets: int, rows: Sequence[str], columns: np.ndarray) -> None:
    """Rows named, columns delays, `counts` of `nets` in each."""
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1.6 * nets, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center")
    axes.set_xticks(range(len(columns)), [f"{delay:g}" for delay in columns])
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("delay (steps)")
    axes.grid(False)
    low, high = wilson(nets // 2, nets)
    note(axes, f"nets of {nets} that learnt; the 95 % interval of {nets // 2} is {nets * low:.1f} to {nets * high:.1f}")
