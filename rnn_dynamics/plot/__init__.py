"""Pictures: arrays in, matplotlib Axes out. `plt.style.context(STYLE)` gives every figure the same look.

Each function draws on the Axes it is given and returns them, so that several can share one. Nothing is computed here
but positions on paper, and nothing is changed outside the Axes.
"""

from pathlib import Path

from .contributions import contributions
from .convergence import convergence
from .decades import in_powers_of_ten
from .eigenvalues import eigenvalue_cloud, pseudospectrum
from .exponents import lyapunov_spectrum
from .flow import gradient_flow
from .labels import apart, label_ends, level
from .paths import gate_paths
from .points import regime_points
from .powers import power_norms
from .regimes import phase_diagram, regime_map
from .singular_values import singular_values

STYLE = Path(__file__).with_name("rnn_dynamics.mplstyle")

__all__ = [
    "STYLE",
    "apart",
    "contributions",
    "convergence",
    "eigenvalue_cloud",
    "gate_paths",
    "gradient_flow",
    "in_powers_of_ten",
    "label_ends",
    "level",
    "lyapunov_spectrum",
    "phase_diagram",
    "power_norms",
    "pseudospectrum",
    "regime_map",
    "regime_points",
    "singular_values",
]
