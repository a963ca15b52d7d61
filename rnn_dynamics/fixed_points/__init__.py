"""Where a network rests, cycles or nearly rests, and how that changes while a parameter moves."""

from .branch import Bifurcation, Branch
from .candidates import visited_states
from .continuation import bifurcation_diagram, continuation
from .cycles import find_cycles
from .cycles_result import Cycles
from .find import find_fixed_points
from .landscape import SpeedLandscape, speed_landscape
from .piecewise_linear import PiecewiseLinear, exact_cycles
from .plane import Plane, principal_plane
from .result import Ending, FixedPoints

__all__ = [
    "Bifurcation",
    "Branch",
    "Cycles",
    "Ending",
    "FixedPoints",
    "PiecewiseLinear",
    "Plane",
    "SpeedLandscape",
    "bifurcation_diagram",
    "continuation",
    "exact_cycles",
    "find_cycles",
    "find_fixed_points",
    "principal_plane",
    "speed_landscape",
    "visited_states",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
