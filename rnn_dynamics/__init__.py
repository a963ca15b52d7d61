"""Gradient dynamics of recurrent networks in JAX.

`rd.cells` holds recurrent maps as pure functions; the measurements at the top level take any step function
`step(params, state, x) -> state`, one of those or a user's own.
"""

from . import cells
from .measure import step_jacobian, step_jacobians, unroll

__version__ = "0.1.0"

__all__ = ["cells", "step_jacobian", "step_jacobians", "unroll"]
