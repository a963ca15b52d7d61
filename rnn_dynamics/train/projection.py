"""Keep the spectral radius of the W of every Affine at or below a limit, by scaling the matrix after each update.

    W' = W + ΔW,    ΔW ← min(1, limit / ρ(W')) W' - W

ρ is the rate at which powers of W grow in the long run, so this keeps them, and with them gradients, from exploding
where units do not saturate. It bounds neither ‖W‖ nor the first few powers of W.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from .. import argument
from ..cells.affine import Affine
from ..cells.contract import Params
from ..measure import eigen
from .orthogonality import is_affine, recurrent_matrices


def project_spectral_radius(limit: Any) -> optax.GradientTransformation:
    """Make a gradient transformation that keeps the spectral radius of the W of every Affine at or below a limit.

        W' = W + ΔW,    ΔW ← min(1, limit / ρ(W')) W' - W

    After each update ρ(W) <= limit, up to rounding, for the W of every Affine in the parameters of a cell or a Net, so
    for every gate. It works on W as it is stored and leaves everything else alone, such as the V of coRNN. If W' is
    within the limit, or is not finite, its update is unchanged. ρ is the rate at which powers of W grow in the long
    run; this bounds neither ‖W‖ nor the first few powers of W. The update is not to be differentiated.

    Args:
        limit: The largest spectral radius, at least 0; may be traced.

    Returns:
        An optax gradient transformation. Place it last in `optax.chain`: a later one would change the updates again.

    Cost:
        About 10 n³ operations a matrix in each update; O(n⁴) on devices other than CPUs and GPUs.

    Example:
        >>> params = rd.cells.linear.init(key, inputs=1, hidden=2, gain=4.0, recurrent=rd.cells.initializers.identity)
        >>> project, still = rd.train.project_spectral_radius(1.0), jax.tree.map(jnp.zeros_like, params)
        >>> updates, _ = project.update(still, project.init(params), params)
        >>> optax.apply_updates(params, updates).W
        Array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    limit = argument.real("limit", limit, at_least=0)

    def init(params: Params) -> optax.EmptyState:
        recurrent_matrices(params)
        return optax.EmptyState()

    def update(updates: Params, state: optax.EmptyState, params: Params = None) -> tuple[Params, optax.EmptyState]:
        if params is None:
            raise ValueError("params: got None, expected the parameters, as in update(gradient, state, params)")

        def projected(node: Any, change: Any) -> Any:
            return change._replace(W=_projected(node.W, change.W, limit)) if isinstance(node, Affine) else change

        return jax.tree.map(projected, params, updates, is_leaf=is_affine), state

    return optax.GradientTransformation(init, update)


def _projected(W: Float[Array, "n n"], change: Float[Array, "n n"], limit: Float[Array, ""]) -> Float[Array, "n n"]:
    radius = eigen.spectral_radius(W + change)
    limit = limit.astype(radius.dtype)
    outside = radius > limit  # False for NaN
    return jnp.where(outside, limit / jnp.where(outside, radius, 1) * (W + change) - W, change)
