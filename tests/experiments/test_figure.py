"""Where figures go: the committed ones are written by the default config alone."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from experiments import __main__ as every
from experiments.figure import FIGURES, RUNS, Output, folder, write

mpl.use("Agg")


@dataclass(frozen=True)
class Config(Output):
    """A small one, whose data may be kept."""

    seed: int = 0
    store: Path | None = None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Config(), FIGURES),
        (Config(store=Path("here")), FIGURES),
        (Config(seed=1), RUNS),
        (Config(out=Path("there")), Path("there")),
        (Config(seed=1, out=FIGURES), FIGURES),
    ],
)
def test_only_the_default_config_writes_to_the_committed_folder(config, expected):
    assert folder(config) == expected


def test_another_seed_leaves_the_committed_figure_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def draw(size):
        return plt.figure(figsize=(size, size))

    write("one", Config(seed=1), draw, 1)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["one.png"]
    assert (tmp_path / RUNS / "one.png").exists()
    write("exercises/one", Config(), draw, 1)
    assert (tmp_path / FIGURES / "exercises" / "one.png").exists()


@pytest.mark.parametrize("name", [*sorted({*every.EXPERIMENTS} - {"exercises"}), "exercises.double_sum"])
def test_every_config_can_name_its_folder(name):
    assert issubclass(importlib.import_module(f"experiments.{name}").Config, Output)
