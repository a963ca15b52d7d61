"""Pictures: arrays in, matplotlib Axes out. `plt.style.context(STYLE)` gives every figure the same look."""

from pathlib import Path

STYLE = Path(__file__).with_name("rnn_dynamics.mplstyle")
