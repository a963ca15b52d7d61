"""Gradient dynamics of recurrent networks in JAX.

`rd.cells` holds recurrent maps as pure functions; the measurements at the top level take any step function
`step(params, state, x) -> state`, one of those or a user's own. `rd.theory` says what they should give, `rd.train`
measures while a net learns, `rd.sweep` runs any of it over a grid, and `rd.plot` draws what came out.
"""

from typing import TYPE_CHECKING, Any

from . import cells, sweeps, theory
from .machinery import linear_maps
from .measure import (
    Contributions,
    CovariantVectors,
    Doubt,
    GradientFlow,
    LargestExponent,
    LinearMaps,
    LyapunovSpectrum,
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
    log_mean_square,
    log_singular_values,
    lyapunov_spectrum,
    parameter_gradient,
    participation_ratio,
    rtrl,
    state_gradients,
    step_jacobian,
    step_jacobians,
    truncation_bias,
    unroll,
)
from .sweeps import sweep

if TYPE_CHECKING:
    from . import plot as plot
    from . import train as train
else:

    def __getattr__(name: str) -> Any:
        """`rd.plot` and `rd.train` are imported when they are first asked for, and matplotlib or optax with them."""
        if name in ("plot", "train"):
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "Contributions",
    "CovariantVectors",
    "Doubt",
    "GradientFlow",
    "LargestExponent",
    "LinearMaps",
    "LyapunovSpectrum",
    "Scaled",
    "blocks",
    "cells",
    "covariant_vectors",
    "eigen",
    "entropy_rate",
    "gradient_contributions",
    "gradient_flow",
    "jacobian_product",
    "kaplan_yorke_dimension",
    "largest_exponent",
    "linear_maps",
    "log_mean_square",
    "log_singular_values",
    "lyapunov_spectrum",
    "parameter_gradient",
    "participation_ratio",
    "rtrl",
    "state_gradients",
    "step_jacobian",
    "step_jacobians",
    "sweep",
    "sweeps",
    "theory",
    "truncation_bias",
    "unroll",
]
