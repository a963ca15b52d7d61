"""Plots of the measurements: each function draws arrays on matplotlib Axes and returns the Axes.

Several functions can draw on the same Axes. They compute nothing but positions on the page and change nothing outside
the Axes (a colour bar takes its space from them). `plt.style.context(STYLE)` gives every figure the same look.
"""

from pathlib import Path

from .bifurcations import bifurcation_diagram
from .contributions import contributions
from .convergence import convergence
from .covariant import covariant_vectors
from .decades import in_powers_of_ten
from .eigenvalues import eigenvalue_cloud, pseudospectrum
from .exponents import lyapunov_spectrum
from .flow import gradient_flow
from .gates import gates_over_time
from .labels import apart, label_ends, level
from .landscapes import speed_landscape
from .paths import gate_paths
from .point_eigenvalues import fixed_point_eigenvalues
from .points import regime_points
from .powers import power_norms
from .regimes import phase_diagram, regime_map
from .singular_values import singular_values
from .state_space import state_space
from .training import training

STYLE = Path(__file__).with_name("rnn_dynamics.mplstyle")

__all__ = [
    "STYLE",
    "apart",
    "bifurcation_diagram",
    "contributions",
    "convergence",
    "covariant_vectors",
    "eigenvalue_cloud",
    "fixed_point_eigenvalues",
    "gate_paths",
    "gates_over_time",
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
    "speed_landscape",
    "state_space",
    "training",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
