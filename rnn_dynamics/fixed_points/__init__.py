"""Where a network rests, cycles or nearly rests, and how that changes while a parameter moves."""

from .branches.branch import Bifurcation, Branch, Diagram
from .branches.continuation import bifurcation_diagram, continuation
from .cycles.cycles import find_cycles
from .cycles.cycles_result import Cycles
from .exact.exact_cycles import exact_cycles
from .exact.exact_result import ExactCycles
from .exact.piecewise_linear import PiecewiseLinear, piecewise_linear_step
from .exact.piecewise_linear_of import piecewise_linear_of
from .landscape import SpeedLandscape, speed_landscape
from .manifolds.slow_manifolds import slow_manifolds
from .manifolds.slow_manifolds_result import SlowManifolds
from .plane import Plane, principal_plane
from .points.candidates import visited_states
from .points.find import find_fixed_points
from .result import Ending, FixedPoints

__all__ = [
    "Bifurcation",
    "Branch",
    "Cycles",
    "Diagram",
    "Ending",
    "ExactCycles",
    "FixedPoints",
    "PiecewiseLinear",
    "Plane",
    "SlowManifolds",
    "SpeedLandscape",
    "bifurcation_diagram",
    "continuation",
    "exact_cycles",
    "find_cycles",
    "find_fixed_points",
    "piecewise_linear_of",
    "piecewise_linear_step",
    "principal_plane",
    "slow_manifolds",
    "speed_landscape",
    "visited_states",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
