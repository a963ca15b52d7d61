"""Choose the folder of a figure and write the figure there."""

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
    """The setting that every config has besides its own: the folder of the figure."""

    out: Path | None = None
    """Folder of the figure. Default: figures/ for the default config, runs/ for any other."""


def folder(config: Output) -> Path:
    """Return the folder for a config's figure, relative to the working directory unless `out` says otherwise.

    Only the default config writes to figures/, which is committed. `store` is ignored here, because the place where
    data are kept does not change the figure.
    """
    if config.out is not None:
        return config.out
    places: dict[str, Any] = {"store": None} if hasattr(config, "store") else {}
    return FIGURES if replace(config, **places) == type(config)() else RUNS


def write(name: str, config: Output, draw: Callable[..., Figure], *arguments: Any) -> None:
    """Draw in the common style and write <name>.png in the config's folder."""
    path = folder(config) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(STYLE):
        figure = draw(*arguments)
        figure.savefig(path, metadata={"Software": None})  # so that the same versions write the same bytes
    plt.close(figure)
    print(f"figure: {path}")
