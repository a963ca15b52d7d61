"""Measure how gradients travel through recurrent networks, in JAX.

`rd.cells` holds recurrent maps as pure functions. The measurements at the top level take any step function
`step(params, state, x) -> state`, from `rd.cells` or your own. `rd.diagnose` takes many of them and says what is wrong
with a network, and `rd.watch` takes a few in your own training loop. `rd.theory` predicts what they should return,
`rd.train` measures a net while it learns, `rd.sweep` runs any of this over a grid, and `rd.plot` draws the results.
"""

from typing import TYPE_CHECKING, Any

from . import cells, diagnosis, fixed_points, interop, sweeps, theory
from .diagnosis import Diagnosis, diagnose
from .fixed_points import (
    Cycles,
    FixedPoints,
    SlowManifolds,
    bifurcation_diagram,
    continuation,
    find_cycles,
    find_fixed_points,
    slow_manifolds,
    visited_states,
)
from .measure import (
    Contributions,
    CovariantVectors,
    Doubt,
    GradientFlow,
    LargestExponent,
    LinearMaps,
    LyapunovSpectrum,
    ParallelStates,
    Scaled,
    blocks,
    covariant_vectors,
    eigen,
    entropy_rate,
    gradient_contributions,
    gradient_flow,
    jacobian_product,
    kaplan_yorke_dimension,
    largest_exponent,
    linear_maps,
    log_mean_square,
    log_singular_values,
    log_state_gradients,
    lyapunov_spectrum,
    parallel_states,
    parameter_gradient,
    participation_ratio,
    rtrl,
    state_gradients,
    step_jacobian,
    step_jacobians,
    truncation_bias,
    unroll,
)
from .monitor import GradientWarning, watch
from .sweeps import sweep

if TYPE_CHECKING:
    from . import plot as plot
    from . import train as train
    from .reports import report as report
else:

    def __getattr__(name: str) -> Any:
        """Import `rd.plot`, `rd.report` and `rd.train` on first use, so that matplotlib and optax wait until then."""
        if name in ("plot", "train"):
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        if name == "report":
            from .reports import report

            return report
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "Contributions",
    "CovariantVectors",
    "Cycles",
    "Diagnosis",
    "Doubt",
    "FixedPoints",
    "GradientFlow",
    "GradientWarning",
    "LargestExponent",
    "LinearMaps",
    "LyapunovSpectrum",
    "ParallelStates",
    "Scaled",
    "SlowManifolds",
    "bifurcation_diagram",
    "blocks",
    "cells",
    "continuation",
    "covariant_vectors",
    "diagnose",
    "diagnosis",
    "eigen",
    "entropy_rate",
    "find_cycles",
    "find_fixed_points",
    "fixed_points",
    "gradient_contributions",
    "gradient_flow",
    "interop",
    "jacobian_product",
    "kaplan_yorke_dimension",
    "largest_exponent",
    "linear_maps",
    "log_mean_square",
    "log_singular_values",
    "log_state_gradients",
    "lyapunov_spectrum",
    "parallel_states",
    "parameter_gradient",
    "participation_ratio",
    "plot",
    "report",
    "rtrl",
    "slow_manifolds",
    "state_gradients",
    "step_jacobian",
    "step_jacobians",
    "sweep",
    "sweeps",
    "theory",
    "train",
    "truncation_bias",
    "unroll",
    "visited_states",
    "watch",
]


def __dir__() -> list[str]:
    """Return the public names, `plot` and `train` among them before they are imported."""
    return sorted(__all__)
