"""The spectral radius of every recurrent matrix kept at or below a limit, by scaling the matrix after each update.

    W' = W + ΔW,    ΔW ← min(1, limit / ρ(W')) W' - W

ρ says how long powers of W last in the end, so this is what forbids W to explode where units do not saturate. It bounds
neither ‖W‖ nor what W does in its first few powers. The eigenvalues of a nonsymmetric matrix are computed on CPUs and
GPUs alone (jnp.linalg.eigvals).
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
    """Updates after which ρ(W) <= limit, to rounding, for the W of every Affine; `limit` >= 0 may be traced.

    Place it last in an `optax.chain`: what comes after it would change the updates again. Parameters are those of a
    cell or a Net; it works on W as it is stored, for every gate, and leaves all else alone. A W within the limit gets
    the very update it was given, and so does one that is not finite. Some 10 n³ operations a matrix in each update,
    which is not to be differentiated.
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
