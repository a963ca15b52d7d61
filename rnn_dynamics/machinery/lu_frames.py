"""Replace a frame Y of columns by a well-conditioned frame F, and return the triangular factor T that was taken out.

    Y = F T,   T upper triangular
    by_qr:  F = Q,    T = R        orthonormal columns
    by_lu:  F = PᵀL,  T = U        row-pivoted LU, P Y = L U; entries of F are at most 1

**Any such factor will do.** For every i the first i columns of F span the same subspace as those of Y, because T is
upper triangular. So Lyapunov exponents can be measured with either. An LU frame is not orthonormal, so its own volume
is measured at both ends, and at the end of each segment for the standard error, and taken out.

**LU is cheaper**: a quarter of a QR decomposition that forms Q.

**LU loses less.** Elimination commits in each row an error relative to that row; the error of QR is relative to the
whole matrix. A saturated unit of h' = tanh(W h) makes a tiny row of J, and so of Y: it costs LU no digits. A pivot
loses digits only as far as it is smaller than its own row was,

    lost_i = ln (mean size in the row of pivot i) - ln |T_ii|        in nats; all digits are gone near ln 1/eps

**Tiny columns are the other case.** For x' = W tanh(x) a saturated unit makes a tiny column of J, whose part in J F is
rounded off. `column_scaled` splits J = Ĵ C, with the sizes of the columns in the diagonal matrix C. The rows of C F
differ in size, which LU factors without loss, and only then comes Ĵ.

Next: `frame_push.py` and `frame_loop.py` use these factors over time, `graded_triangles.py` multiplies the T.
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
    """A factored frame.

    frame     F
    triangle  T
    logs      ln |T_ii|; -inf where columns have become exactly dependent
    lost      how many nats of each T_ii were lost to cancellation
    """

    frame: Float[Array, "n k"]
    triangle: Float[Array, "k k"]
    logs: Float[Array, " k"]
    lost: Float[Array, " k"]


def starting_frame(state: State, k: int | None, key: Array | None) -> Float[Array, "n k"]:
    """Return k orthonormal columns (n if k is None), random if there is a key, otherwise always the same.

    No column lies along a coordinate. For many cells coordinate directions are invariant, and a saturated unit maps its
    own to 0.
    """
    vector, _ = flatten(state)
    n, dtype = vector.size, vector.dtype
    on_one_thread()
    k = n if k is None else k
    if k > n:
        raise ValueError(f"k: got {k}, expected at most n = {n}, the size of the state")
    if key is None:
        rows, columns = (jnp.arange(1, size + 1, dtype=dtype) for size in (n, k))
        generic = jnp.cos(math.sqrt(2) * math.pi * rows[:, None] * columns[None])
    else:
        generic = jax.random.normal(key, (n, k), dtype)
    return by_norm(generic).frame if k == 1 else jnp.linalg.qr(generic)[0]


def by_lu(Y: Float[Array, "n k"]) -> Factored:
    """Factor Y = PᵀL · U by row-pivoted LU: F = PᵀL, T = U.

    A pivot loses digits only as far as it is smaller than its own row was. So rows of very different sizes, as
    saturated units make them, cost nothing: elimination commits in each row an error relative to that row.
    """
    k = Y.shape[1]
    lu, pivots, permutation = jax.lax.linalg.lu(Y)
    place = jax.lax.platform_dependent(pivots, permutation, cpu=_place_by_pivots, default=_place_by_permutation)
    # row i of the frame is row place[i] of L; a gather, because XLA fuses it with the mask of the triangle
    row, column = place[:, None], jnp.arange(k, dtype=place.dtype)[None]
    below = lu.at[place].get(mode="promise_in_bounds", unique_indices=True)
    frame = jnp.where(column < row, below, (column == row).astype(Y.dtype))
    logs = jnp.log(jnp.abs(jnp.diagonal(lu)[:k]))
    # the mean size in each row, as a product with a constant vector: XLA's plain reductions are slow on CPUs
    sizes = jnp.log(jnp.abs(jax.lax.stop_gradient(Y)) @ jnp.full(k, 1 / k, Y.dtype))
    rows = jnp.zeros_like(sizes).at[place].set(sizes, unique_indices=True)[:k]
    return Factored(frame, jnp.triu(lu[:k]), logs, jnp.where(rows == -jnp.inf, 0, rows - jax.lax.stop_gradient(logs)))


def _place_by_pivots(pivots: Int[Array, " k"], permutation: Int[Array, " n"]) -> Int[Array, " n"]:
    """Return where each row has gone, swap by swap: ten times as fast on CPUs as JAX's composition of the swaps."""

    def swap(place: Array, rows: tuple[Array, Array]) -> tuple[Array, None]:
        i, j = rows
        return jnp.where(place == i, j, jnp.where(place == j, i, place)), None

    start = entry.varying_like(jnp.arange(len(permutation), dtype=pivots.dtype), pivots)
    return jax.lax.scan(swap, start, (jnp.arange(len(pivots), dtype=pivots.dtype), pivots), unroll=8)[0]


def _place_by_permutation(pivots: Int[Array, " k"], permutation: Int[Array, " n"]) -> Int[Array, " n"]:
    """Return where each row has gone, as the inverse of the permutation."""
    indices = jnp.arange(len(permutation), dtype=permutation.dtype)
    return jnp.zeros_like(permutation).at[permutation].set(indices, unique_indices=True)


def by_qr(Y: Float[Array, "n k"]) -> Factored:
    """Factor Y = Q R: F = Q, T = R. The reference for `by_lu`; its rounding is relative to the largest |R_ii|."""
    Q, R = jnp.linalg.qr(Y)
    logs = jnp.log(jnp.abs(jnp.diagonal(R)))
    return Factored(Q, R, logs, jax.lax.stop_gradient(jnp.max(logs) - logs))


def by_norm(Y: Float[Array, "n 1"]) -> Factored:
    """Factor a single column into a unit vector and its length, which needs no decomposition and loses nothing."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(Y)))
    scale = jnp.where(largest == 0, 1, largest)
    norm = scale * jnp.linalg.norm(Y / scale)
    frame = Y / jnp.where(norm == 0, 1, norm)
    return Factored(frame, norm[None, None], jnp.log(norm)[None], jnp.zeros_like(norm[None]))


def column_scaled(J: Float[Array, "n n"], F: Float[Array, "n k"]) -> tuple[Float[Array, "n n"], Factored]:
    """Split J = Ĵ C, where the diagonal of C holds the sizes of J's columns; return Ĵ and the LU factors of C F.

        J F = Ĵ · (C F) = Ĵ · (frame · T)

    A unit that hardly acts on the others makes a tiny column of J, whose part in J F is rounded off. In C F it makes a
    tiny row instead, and LU factors rows of different sizes without loss.
    """
    sizes = jax.lax.stop_gradient(jnp.max(jnp.abs(J), axis=0))
    # a column of zeros makes a row of zeros, which pivoting puts last, where it affects no other row
    return J / jnp.where(sizes == 0, 1, sizes)[None], by_lu(sizes[:, None] * F)


METHODS: dict[str, Factor] = {"lu": by_lu, "qr": by_qr}
# factors whose frames have volume 1
ORTHONORMAL: tuple[Factor, ...] = (by_qr, by_norm)
