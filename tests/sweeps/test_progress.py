"""The bar: in a log file it is lines, and it is silent on request."""

import io
import sys

import jax
import pytest
from sweep_measures import failing

import rnn_dynamics as rd
from rnn_dynamics.sweeps.progress import LogLines, Progress

GRID = {"gain": [1.0, 2.0, 3.0, 4.0]}


def chunk(points, failed=0, nan=0):
    return {"points": points, "failed": failed, "nan": nan}


def test_lines_of_a_log_hold_no_carriage_returns():
    stream = io.StringIO()
    lines = LogLines(stream)
    for text in ("\r 10%|#   |", "", "\r", "\n", "\r100%|####|\n"):
        lines.write(text)
    assert stream.getvalue() == "10%|#   |\n100%|####|\n"


def test_finished_failed_left_speed_and_time(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress(100, [chunk(40, 1, 2)], shown=True, seconds_between_lines=0)
    bar.done(chunk(10, 1))
    bar.close()
    last = stream.getvalue().splitlines()[-1]
    assert "50/100" in last
    assert "points/s" in last
    assert "2 failed, 2 NaN, 50 left" in last
    assert "<" in last  # time to go
    assert "\r" not in stream.getvalue()


def test_a_terminal_gets_one_line_that_moves(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress(4, [], shown=True)
    bar.done(chunk(4))
    bar.close()
    assert stream.getvalue().count("\r") > 1
    assert stream.getvalue().count("\n") == 1


def test_a_notebook_without_widgets_gets_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress(4, [], shown=True)
    bar.done(chunk(4))
    bar.close()
    assert "4/4" in stream.getvalue()


@pytest.mark.parametrize("shown", [True, False])
def test_a_sweep_tells_how_it_goes_or_nothing(key, capfd, shown):
    with jax.enable_x64(False):
        rd.sweep(failing, GRID, key=key, chunk=4, progress=shown)
    text = capfd.readouterr().err
    assert ("1 failed, 1 NaN, 0 left" in text) is shown
    assert ("4/4" in text) is shown
