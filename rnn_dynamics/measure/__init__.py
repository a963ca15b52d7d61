"""Measurements of any recurrent step: states, Jacobians, their products, gradients. None needs a particular cell."""

from ..machinery.linear_maps import LinearMaps, linear_maps
from ..machinery.scaled import Scaled
from ..machinery.state_vector import blocks
from . import eigen
from .attractor import entropy_rate, kaplan_yorke_dimension, participation_ratio
from .contributions import Contributions, gradient_contributions
from .covariant import CovariantVectors, covariant_vectors
from .flow import gradient_flow
from .flow_result import GradientFlow
from .gradients import log_state_gradients, state_gradients
from .jacobian import step_jacobian, step_jacobians
from .lyapunov import largest_exponent, lyapunov_spectrum
from .lyapunov_result import LargestExponent, LyapunovSpectrum
from .parallel_states import ParallelStates, parallel_states
from .parameter_gradient import parameter_gradient, truncation_bias
from .product import jacobian_product
from .reliability import Doubt, reasons
from .rtrl import rtrl
from .singular_values import log_mean_square, log_singular_values
from .unroll import unroll

__all__ = [
    "Contributions",
    "CovariantVectors",
    "Doubt",
    "GradientFlow",
    "LargestExponent",
    "LinearMaps",
    "LyapunovSpectrum",
    "ParallelStates",
    "Scaled",
    "blocks",
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
    "log_state_gradients",
    "lyapunov_spectrum",
    "parallel_states",
    "parameter_gradient",
    "participation_ratio",
    "reasons",
    "rtrl",
    "state_gradients",
    "step_jacobian",
    "step_jacobians",
    "truncation_bias",
    "unroll",
]
