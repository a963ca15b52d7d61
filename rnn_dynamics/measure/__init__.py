"""What can be asked of any recurrent step: its states and its Jacobians. No cell is known here by name."""

from .jacobian import step_jacobian, step_jacobians
from .unroll import unroll

__all__ = ["step_jacobian", "step_jacobians", "unroll"]
