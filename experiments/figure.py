"""Where the figures go."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from rnn_dynamics.plot import STYLE

FIGURES = Path("figures")


def write(name: str, draw: Callable[..., Figure], *arguments: Any) -> None:
    """Draw in the common style and write figures/<name>.png below the working directory."""
    path = FIGURES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(STYLE):
        figure = draw(*arguments)
        figure.savefig(path, metadata={"Software": None})  # the same bytes from the same versions
    plt.close(figure)
    print(f"figure: {path}")
