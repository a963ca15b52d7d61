"""A figure on no screen, which is painted at the end of each test: some warnings come only then."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


@pytest.fixture
def named(axes):
    """All lines of the axes that have this label."""
    return lambda label: [line for line in axes.get_lines() if line.get_label() == label]


@pytest.fixture
def notes(axes):
    """The lines of the note below the axes."""
    return lambda: [line for text in axes.texts if text.get_gid() == "notes" for line in text.get_text().split("\n")]
