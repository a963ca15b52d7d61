"""Fewer rows for a product of many Jacobians: it loses numerical rank, and the rows that carry nothing are dropped.

For an orthogonal matrix with blocks Q (k columns) and Q⊥, and any later factor M,

    ‖P M‖² <= ‖Qᵀ P M‖² + ‖Q⊥ᵀ P M‖²,        ‖P M‖_F² = the same sum in the Frobenius norm,

so that what Q⊥ᵀ P = E misses enters the norm as a square: dropping directions below √eps of the norm changes it by no
more than rounding. Whether E stays that small under all later M is watched, not assumed: a few random combinations of
its rows are kept in the frame, and their share of its norm is measured at every lag.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .lapack_threads import on_one_thread

# rows that stand for all that was dropped
WITNESSES = 4
# compression starts to pay at this size
FEWEST_ROWS = 128


class Compressed(NamedTuple):
    """A frame of half as many rows, the last of them witnesses; a vector in its coordinates; whether it may be used."""

    frame: Float[Array, "half n"]
    vector: Float[Array, " half"]
    faithful: Bool[Array, ""]


def widths(rows: int) -> tuple[int, ...]:
    """Numbers of rows to halve through, the largest first."""
    found = [rows]
    while found[-1] >= 32 and found[0] >= FEWEST_ROWS and len(found) < 5:
        found.append(found[-1] // 2)
    return tuple(found)


def halved(P: Float[Array, "rows n"], vector: Float[Array, " rows"]) -> Compressed:
    """The leading rows of P in other coordinates, by a randomised range finder (Halko, Martinsson, Tropp 2011).

    Exact to rounding for later norms where `faithful`. Costs two products of half a matrix and a QR decomposition.
    """
    on_one_thread()
    rows, n = P.shape
    half = rows // 2
    # fixed draws: they are part of the method, not of an experiment
    test, weights = jax.random.key(0), jax.random.key(1)
    Q = jnp.linalg.qr(jax.lax.stop_gradient(P @ jax.random.normal(test, (n, half - WITNESSES), P.dtype)))[0]
    kept = Q.T @ P
    # not signs, which cancel exactly where two rows are opposite
    combine = jax.random.normal(weights, (WITNESSES, rows), P.dtype) / WITNESSES**0.5
    missed = combine @ P - (combine @ Q) @ kept
    faithful = jnp.sum(missed**2) <= jnp.finfo(P.dtype).eps / 16 * jnp.sum(kept**2)
    frame = jnp.concatenate([kept, missed])
    return Compressed(frame, jnp.concatenate([vector @ Q, jnp.zeros(WITNESSES, P.dtype)]), faithful)


def share_of_witnesses(squares: Float[Array, " rows"]) -> Float[Array, ""]:
    """What the dropped directions would add to the squared Frobenius norm, relative; from squared norms of rows."""
    total = jnp.sum(squares)
    return jnp.sum(squares[-WITNESSES:]) / jnp.where(total == 0, 1, total)
