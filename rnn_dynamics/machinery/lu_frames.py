"""A frame of columns brought back to well-conditioned ones, with the triangular factor that was taken out.

Y = F T with T upper triangular: the columns of F span the same flag of subspaces as those of Y, column by column.
Row-pivoted LU (Y = PᵀL · U, F = PᵀL) costs a quarter of a QR decomposition that forms Q, and its F has entries of at
most 1; the volume that F itself has is measured once, at the end.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.contract import State
from . import entry
from .lapack_threads import on_one_thread
from .state_vector import flatten

Factor = Callable[[Array], "Factored"]


class Factored(NamedTuple):
    """The new frame, T, ln |diag T|, and how many nats of each of these were lost to cancellation.

    The logarithms are -inf where columns have become exactly dependent.
    """

    frame: Float[Array, "n k"]
    triangle: Float[Array, "k k"]
    logs: Float[Array, " k"]
    lost: Float[Array, " k"]


def starting_frame(state: State, k: int | None, key: Array | None) -> Float[Array, "n k"]:
    """k orthonormal columns (n of them for None), random with a key, else fixed ones.

    None lies along a coordinate: for many cells these directions are invariant, and a saturated unit's is mapped to 0.
    """
    vector, _ = flatten(state)
    n, dtype = vector.size, vector.dtype
    on_one_thread()
    k = n if k is None else k
    if k > n:
        raise ValueError(f"k: got {k}, expected at most n = {n}, the numbers in the state")
    if key is None:
        rows, columns = (jnp.arange(1, size + 1, dtype=dtype) for size in (n, k))
        generic = jnp.cos(math.sqrt(2) * math.pi * rows[:, None] * columns[None])
    else:
        generic = jax.random.normal(key, (n, k), dtype)
    return by_norm(generic).frame if k == 1 else jnp.linalg.qr(generic)[0]


def by_lu(Y: Float[Array, "n k"]) -> Factored:
    """T = U of row-pivoted LU.

    A pivot loses digits as far as it is smaller than its own row was. So rows of very different sizes, as saturated
    units make them, cost nothing: elimination commits in each row an error relative to that row.
    """
    k = Y.shape[1]
    lu, pivots, permutation = jax.lax.linalg.lu(Y)
    place = jax.lax.platform_dependent(pivots, permutation, cpu=_place_by_pivots, default=_place_by_permutation)
    # row i of the frame is row place[i] of L; gathered, since XLA fuses a gather with the triangle's mask
    row, column = place[:, None], jnp.arange(k, dtype=place.dtype)[None]
    below = lu.at[place].get(mode="promise_in_bounds", unique_indices=True)
    frame = jnp.where(column < row, below, (column == row).astype(Y.dtype))
    logs = jnp.log(jnp.abs(jnp.diagonal(lu)[:k]))
    # the mean size in a row: a product with ones, which is fast on CPUs, where XLA's plain reductions are not
    sizes = jnp.log(jnp.abs(jax.lax.stop_gradient(Y)) @ jnp.full(k, 1 / k, Y.dtype))
    rows = jnp.zeros_like(sizes).at[place].set(sizes, unique_indices=True)[:k]
    return Factored(frame, jnp.triu(lu[:k]), logs, jnp.where(rows == -jnp.inf, 0, rows - jax.lax.stop_gradient(logs)))


def _place_by_pivots(pivots: Int[Array, " k"], permutation: Int[Array, " n"]) -> Int[Array, " n"]:
    """Where each row has gone, swap by swap: ten times as fast on CPUs as JAX's own composition of the swaps."""

    def swap(place: Array, rows: tuple[Array, Array]) -> tuple[Array, None]:
        i, j = rows
        return jnp.where(place == i, j, jnp.where(place == j, i, place)), None

    start = entry.varying_like(jnp.arange(len(permutation), dtype=pivots.dtype), pivots)
    return jax.lax.scan(swap, start, (jnp.arange(len(pivots), dtype=pivots.dtype), pivots), unroll=8)[0]


def _place_by_permutation(pivots: Int[Array, " k"], permutation: Int[Array, " n"]) -> Int[Array, " n"]:
    """The inverse of the permutation."""
    indices = jnp.arange(len(permutation), dtype=permutation.dtype)
    return jnp.zeros_like(permutation).at[permutation].set(indices, unique_indices=True)


def by_qr(Y: Float[Array, "n k"]) -> Factored:
    """T = R of a QR decomposition: the judge. Its rounding is relative to the largest of all."""
    Q, R = jnp.linalg.qr(Y)
    logs = jnp.log(jnp.abs(jnp.diagonal(R)))
    return Factored(Q, R, logs, jax.lax.stop_gradient(jnp.max(logs) - logs))


def by_norm(Y: Float[Array, "n 1"]) -> Factored:
    """T of a single column, its length, which needs no decomposition and loses nothing."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(Y)))
    scale = jnp.where(largest == 0, 1, largest)
    norm = scale * jnp.linalg.norm(Y / scale)
    frame = Y / jnp.where(norm == 0, 1, norm)
    return Factored(frame, norm[None, None], jnp.log(norm)[None], jnp.zeros_like(norm[None]))


def column_scaled(J: Float[Array, "n n"], F: Float[Array, "n k"]) -> tuple[Float[Array, "n n"], Factored]:
    """Ĵ and the factors of C F, where J = Ĵ C and C holds the sizes of J's columns: J F = Ĵ · (frame · T).

    Units that hardly act on the others make tiny columns of J. In J F their part is rounded off; the rows of C F are
    as different in size, and LU factors that without loss.
    """
    sizes = jax.lax.stop_gradient(jnp.max(jnp.abs(J), axis=0))
    # a column of zeros makes a row of zeros, which comes last and spoils no other
    return J / jnp.where(sizes == 0, 1, sizes)[None], by_lu(sizes[:, None] * F)


METHODS: dict[str, Factor] = {"lu": by_lu, "qr": by_qr}
# whose frames have no volume of their own
ORTHONORMAL: tuple[Factor, ...] = (by_qr, by_norm)
