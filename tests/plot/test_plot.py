"""The folder as a whole: reachable as rd.plot, and matplotlib only with it."""

import subprocess
import sys

from rnn_dynamics import plot


def test_rd_plot_brings_matplotlib_when_it_is_asked_for():
    code = (
        "import sys, rnn_dynamics as rd; assert 'matplotlib' not in sys.modules; "
        "assert callable(rd.plot.lyapunov_spectrum); assert 'matplotlib' in sys.modules; "
        "assert not hasattr(rd, 'plots')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_public_says_what_it_is():
    assert len(plot.__all__) > 5
    for name in plot.__all__:
        assert getattr(plot, name).__doc__, name
    assert plot.STYLE.exists()
