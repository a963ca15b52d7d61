"""A frame of columns brought back to well-conditioned ones, with the triangular factor that was taken out.

Y = F T with T upper triangular: the columns of F span the same flag of subspaces as those of Y, column by column.
Row-pivoted LU (Y = PᵀL · U, F = PᵀL) costs a quarter of a QR decomposition that forms Q, and its F has entries of at
most 1; the volume that F itself has is measured once, at the end.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Factor = Callable[[Array], "Factored"]


class Factored(NamedTuple):
    """The new frame, T, ln |diag T|, and how many nats of each of these were lost to cancellation.

    The logarithms are -inf where columns have become exactly dependent.
    """

    frame: Float[Array, "n k"]
    triangle: Float[Array, "k k"]
    logs: Float[Array, " k"]
    lost: Float[Array, " k"]


def by_lu(Y: Float[Array, "n k"]) -> Factored:
    """T = U of row-pivoted LU.

    A pivot loses digits as far as it is smaller than its own row was. So rows of very different sizes, as saturated
    units make them, cost nothing: elimination commits in each row an error relative to that row.
    """
    n, k = Y.shape
    lu, _, permutation = jax.lax.linalg.lu(Y)
    L = jnp.tril(lu, -1) + jnp.eye(n, k, dtype=Y.dtype)
    # row i of L is row permutation[i] of the frame
    frame = jnp.zeros_like(L).at[permutation].set(L, unique_indices=True)
    logs = jnp.log(jnp.abs(jnp.diagonal(lu)[:k]))
    # the mean size in a row: a product with ones, which is fast on CPUs, where XLA's plain reductions are not
    rows = jnp.log(jnp.abs(jax.lax.stop_gradient(Y)) @ jnp.full(k, 1 / k, Y.dtype))[permutation[:k]]
    return Factored(frame, jnp.triu(lu[:k]), logs, jnp.where(rows == -jnp.inf, 0, rows - jax.lax.stop_gradient(logs)))


def by_qr(Y: Float[Array, "n k"]) -> Factored:
    """T = R of a QR decomposition: the judge. Its rounding is relative to the largest of all."""
    Q, R = jnp.linalg.qr(Y)
    logs = jnp.log(jnp.abs(jnp.diagonal(R)))
    return Factored(Q, R, logs, jax.lax.stop_gradient(jnp.max(logs) - logs))


def column_scaled(J: Float[Array, "n n"], F: Float[Array, "n k"]) -> tuple[Float[Array, "n n"], Factored]:
    """Ĵ and the factors of C F, where J = Ĵ C and C holds the sizes of J's columns: J F = Ĵ · (frame · T).

    Units that hardly act on the others make tiny columns of J. In J F their part is rounded off; the rows of C F are
    as different in size, and LU factors that without loss.
    """
    sizes = jax.lax.stop_gradient(jnp.max(jnp.abs(J), axis=0))
    sizes = jnp.where(sizes == 0, 1, sizes)
    return J / sizes[None], by_lu(sizes[:, None] * F)


METHODS: dict[str, Factor] = {"lu": by_lu, "qr": by_qr}
