"""Where a network rests, cycles or nearly rests, and how that changes while a parameter moves."""

from .branch import Bifurcation, Branch
from .candidates import visited_states
from .continuation import bifurcation_diagram, continuation
from .cycles import find_cycles
from .cycles_result import Cycles
from .exact_cycles import exact_cycles
from .exact_result import ExactCycles
from .find import find_fixed_points
from .piecewise_linear import PiecewiseLinear, piecewise_linear_step
from .piecewise_linear_of import piecewise_linear_of
from .result import Ending, FixedPoints
from .slow_manifolds import slow_manifolds
from .slow_manifolds_result import SlowManifolds

__all__ = [
    "Bifurcation",
    "Branch",
    "Cycles",
    "Ending",
    "ExactCycles",
    "FixedPoints",
    "PiecewiseLinear",
    "SlowManifolds",
    "bifurcation_diagram",
    "continuation",
    "exact_cycles",
    "find_cycles",
    "find_fixed_points",
    "piecewise_linear_of",
    "piecewise_linear_step",
    "slow_manifolds",
    "visited_states",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
