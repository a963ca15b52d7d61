"""Reports without their drawings, which take most of the time, for tests of what stands around them."""

import pytest
from matplotlib.figure import Figure

from rnn_dynamics.reports.markup import Markup


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr("rnn_dynamics.reports.page.inline_svg", lambda *given: Markup("<svg></svg>"))
    monkeypatch.setattr("rnn_dynamics.reports.figures.drawn", lambda drawing, networks: Figure((1, 1)))
    monkeypatch.setattr("rnn_dynamics.reports.figures.each_drawn", lambda drawing, networks: [None] * len(networks))
