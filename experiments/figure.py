"""Where the figures go."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from rnn_dynamics.plot import STYLE

FIGURES, RUNS = Path("figures"), Path("runs")


@dataclass(frozen=True, kw_only=True)
class Output:
    """What every config has beside its own numbers."""

    out: Path | None = None
    """Folder of the figure; if it is not named, figures/ for the default config and runs/ for any other."""


def folder(config: Output) -> Path:
    """The folder for what a config draws, below the working directory unless it says otherwise.

    Only the default config writes to figures/, which is committed. Where data are kept (`store`) changes no picture.
    """
    if config.out is not None:
        return config.out
    places: dict[str, Any] = {"store": None} if hasattr(config, "store") else {}
    return FIGURES if replace(config, **places) == type(config)() else RUNS


def write(name: str, config: Output, draw: Callable[..., Figure], *arguments: Any) -> None:
    """Draw in the common style and write <name>.png in the folder of the config."""
    path = folder(config) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(STYLE):
        figure = draw(*arguments)
        figure.savefig(path, metadata={"Software": None})  # the same bytes from the same versions
    plt.close(figure)
    print(f"figure: {path}")
