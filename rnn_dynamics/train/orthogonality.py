"""Soft orthogonality: recurrent matrices are pulled towards Wᵀ W = I, where no direction shrinks or grows.

    penalty = Σ_W ‖Wᵀ W - I‖²_F / n

The mean over directions of how far W stretches or skews them, so that it is 0 for orthogonal W and (ρ² - 1)² for ρ
times such a one, whatever n. The hard constraint is a parametrisation instead: the cell `rd.cells.orthogonal`,
whose W is orthogonal after every update.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.affine import Affine
from .moment import Moment
from .penalty import Penalty, weighted


def soft_orthogonality(weight: Any) -> Penalty:
    """weight · Σ ‖Wᵀ W - I‖²_F / n over the W of every Affine among the prepared parameters; `weight` may be traced.

    All gates of a gated cell count. 4 n³ operations a matrix with its gradient, whatever the batch and the length.
    """
    return weighted(weight, _distance)


def _distance(moment: Moment) -> Float[Array, ""]:
    return sum(_from_orthogonal(W) for W in recurrent_matrices(moment.net.cell))  # type: ignore[return-value]


def _from_orthogonal(W: Float[Array, "n n"]) -> Float[Array, ""]:
    n = len(W)
    return jnp.sum((W.T @ W - jnp.eye(n, dtype=W.dtype)) ** 2) / n


def is_affine(node: Any) -> bool:
    """Whether a node of a tree of parameters is an Affine, which is where recurrent matrices are found."""
    return isinstance(node, Affine)


def recurrent_matrices(params: Any) -> list[Float[Array, "hidden hidden"]]:
    """The W of every Affine in the tree, which may be a Net, as it is stored; an error where there is none.

    The antisymmetric cell alone acts by another matrix than the stored one, W - Wᵀ - γ I.
    """
    found = [node.W for node in jax.tree.leaves(params, is_leaf=is_affine) if is_affine(node)]
    if not found:
        raise ValueError(
            f"params: got {type(params).__name__}, expected one with an Affine(W, U, b), where recurrent matrices stand"
        )
    return found
