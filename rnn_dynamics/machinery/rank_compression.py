"""Drop rows of a long product P of Jacobians when it has lost numerical rank, with a check that this stays harmless.

The singular values of P spread like e^{λ_i ℓ} over the lag ℓ, so most of them are soon below the rounding of the
largest. For an orthogonal matrix with blocks Q (k columns) and Q⊥, and any later factor M,

    ‖P M‖² <= ‖Qᵀ P M‖² + ‖Q⊥ᵀ P M‖²,        ‖P M‖_F² = the same sum in the Frobenius norm

What is dropped, E = Q⊥ᵀ P, enters as a square: dropping directions below √eps of the norm changes the norm by no more
than rounding. So half of the rows can go as soon as ‖E‖ < √eps ‖P‖.

This does not prove that E M stays small: a later M may shrink the directions that were kept and not those that were
dropped. So it is measured. Four random combinations of the rows of E stay in the frame as witnesses, and their share of
the norm is computed at every lag. Over their random draws that share has the mean ‖E M‖_F² / ‖P M‖_F².

`halved` does one halving, `share_of_witnesses` the check. Next: `lag_loop.py` decides when.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .lapack_threads import on_one_thread

# rows that represent everything that was dropped
WITNESSES = 4
# with fewer rows compression costs more than it saves
FEWEST_ROWS = 64


class Compressed(NamedTuple):
    """A frame with half as many rows.

    frame     its rows; the last four are the witnesses
    vector    a vector over the old rows, in the new coordinates
    faithful  whether the frame may replace the old one
    """

    frame: Float[Array, "half n"]
    vector: Float[Array, " half"]
    faithful: Bool[Array, ""]


def widths(rows: int) -> tuple[int, ...]:
    """Return the numbers of rows that a frame passes through, largest first, each half of the one before."""
    found = [rows]
    while found[-1] >= 32 and found[0] >= FEWEST_ROWS and len(found) < 5:
        found.append(found[-1] // 2)
    return tuple(found)


def halved(P: Float[Array, "rows n"], vector: Float[Array, " rows"]) -> Compressed:
    """Rotate P so that half of its rows hold its leading part, and drop the others.

    Q comes from a randomised range finder (Halko, Martinsson, Tropp 2011). Where `faithful`, later norms are exact to
    rounding. Costs two products of half a matrix and a QR decomposition.
    """
    on_one_thread()
    rows, n = P.shape
    half = rows // 2
    # always the same draws: they are part of the method, not of an experiment
    test, weights = jax.random.key(0), jax.random.key(1)
    Q = jnp.linalg.qr(jax.lax.stop_gradient(P @ jax.random.normal(test, (n, half - WITNESSES), P.dtype)))[0]
    kept = Q.T @ P
    # Gaussian weights, because random signs would cancel exactly where two rows are opposite
    combine = jax.random.normal(weights, (WITNESSES, rows), P.dtype) / WITNESSES**0.5
    missed = combine @ P - (combine @ Q) @ kept
    faithful = jnp.sum(missed**2) <= jnp.finfo(P.dtype).eps / 16 * jnp.sum(kept**2)
    frame = jnp.concatenate([kept, missed])
    return Compressed(frame, jnp.concatenate([vector @ Q, jnp.zeros(WITNESSES, P.dtype)]), faithful)


def share_of_witnesses(squares: Float[Array, " rows"]) -> Float[Array, ""]:
    """Estimate the share of the dropped directions in the squared Frobenius norm from the squared norms of the rows."""
    total = jnp.sum(squares)
    return jnp.sum(squares[-WITNESSES:]) / jnp.where(total == 0, 1, total)
