"""Soft orthogonality: a penalty that pulls recurrent matrices towards Wᵀ W = I, where no direction shrinks or grows.

    penalty = Σ_W ‖Wᵀ W - I‖²_F / n

Dividing by n gives the mean over directions of how far W stretches or skews them. The penalty is 0 for orthogonal W
and (ρ² - 1)² for ρ times an orthogonal matrix, whatever n. The cell `rd.cells.orthogonal` is the hard constraint
instead: a parametrisation whose W is orthogonal after every update.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.affine import Affine
from .moment import Moment
from .penalty import Penalty, weighted


def soft_orthogonality(weight: Any) -> Penalty:
    """Make a penalty that pulls recurrent matrices towards orthogonal ones, which preserve every norm.

        weight · Σ_W ‖Wᵀ W - I‖²_F / n

    The sum is over the W of every Affine among the prepared parameters, so all gates of a gated cell count. The penalty
    is 0 for orthogonal W and weight · (ρ² - 1)² for ρ times an orthogonal matrix, whatever n. For a W that is
    orthogonal after every update, use the cell `rd.cells.orthogonal`.

    Args:
        weight: The weight of the penalty, at least 0; may be traced.

    Returns:
        A `Penalty`, the same object for equal Python numbers.

    Cost:
        4 n³ operations a matrix with its gradient, whatever the size of the batch and the length of the task.

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=2.0, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> float(rd.train.soft_orthogonality(0.5)(moment))  # 0.5 · (2² - 1)²
        4.5
    """
    return weighted(weight, _distance)


def _distance(moment: Moment) -> Float[Array, ""]:
    return sum(_from_orthogonal(W) for W in recurrent_matrices(moment.net.params))  # type: ignore[return-value]


def _from_orthogonal(W: Float[Array, "n n"]) -> Float[Array, ""]:
    n = len(W)
    return jnp.sum((W.T @ W - jnp.eye(n, dtype=W.dtype)) ** 2) / n


def is_affine(node: Any) -> bool:
    """Return whether a node of a tree of parameters is an Affine, which holds a recurrent matrix."""
    return isinstance(node, Affine)


def recurrent_matrices(params: Any) -> list[Float[Array, "hidden hidden"]]:
    """Return the W of every Affine in the tree, which may be a Net, as it is stored; raise if there is none.

    The antisymmetric cell acts by another matrix than the stored one, W - Wᵀ - γ I. The V of coRNN, which acts on
    velocities, is in no Affine.
    """
    found = [node.W for node in jax.tree.leaves(params, is_leaf=is_affine) if is_affine(node)]
    if not found:
        raise ValueError(
            f"params: got {type(params).__name__}, expected one with an Affine(W, U, b), which holds a recurrent matrix"
        )
    return found
