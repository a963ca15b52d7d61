"""Pictures: arrays in, matplotlib Axes out. `plt.style.context(STYLE)` gives every figure the same look.

Each function draws on the Axes it is given and returns them, so that several can share one. Nothing is computed here
but positions on paper, and nothing is changed outside the Axes.
"""

from pathlib import Path

from .eigenvalues import eigenvalue_cloud, pseudospectrum
from .exponents import lyapunov_spectrum
from .labels import apart, label_ends, level
from .powers import power_norms

STYLE = Path(__file__).with_name("rnn_dynamics.mplstyle")

__all__ = [
    "STYLE",
    "apart",
    "eigenvalue_cloud",
    "label_ends",
    "level",
    "lyapunov_spectrum",
    "power_norms",
    "pseudospectrum",
]
