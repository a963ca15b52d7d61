"""Gradient dynamics of recurrent networks in JAX.

`rd.cells` holds recurrent maps as pure functions; the measurements at the top level take any step function
`step(params, state, x) -> state`, one of those or a user's own.
"""

from . import cells
from .measure import (
    Contributions,
    GradientFlow,
    LargestExponent,
    LinearMaps,
    LyapunovSpectrum,
    Scaled,
    blocks,
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

__version__ = "0.1.0"

__all__ = [
    "Contributions",
    "GradientFlow",
    "LargestExponent",
    "LinearMaps",
    "LyapunovSpectrum",
    "Scaled",
    "blocks",
    "cells",
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
    "truncation_bias",
    "unroll",
]
