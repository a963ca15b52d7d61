"""Join windows of time: find how the frame of a whole trajectory grows in each window, from what each did on its own.

Every window starts with the same orthonormal frame S, and P_c = J ··· J over window c gives

    P_c S = Q_c D_c U_c,      Q_c orthonormal, D_c positive and diagonal, U_c unit upper triangular

The frame that comes from the windows before is another one, G_c. It grows by the diagonal of R_c, where

    P_c G_c = Q_c (D_c U_c SᵀG_c) = Q_c (E_c R_c),      E_c orthonormal,      G_{c+1} = Q_c E_c

Nothing is left out: the growths are those of a sequential QR decomposition, whatever the exponents are, equal ones too.
Only matrices of size k pass from window to window.

**All windows at once.** Two neighbours are joined to one longer window, which starts with S as well,

    P_b P_a S = Q_b D_b U_b (SᵀQ_a) D_a U_a = (Q_b E) (R D_a U_a)

So in round r every window is joined to what ends 2^r windows earlier, until nothing changes: all log₂ C rounds where
exponents are equal, but only one or two where they are far apart and a frame soon forgets where it began.

**D spans any number of decades**, e^{λ L}, so D U M is never formed. Its rows are eliminated with pivots, where a row
is held as a vector and the logarithm of its size. That leaves a factor with moderate entries, whose QR gives E:

    D U M = F T,   F = E R_F,   R = R_F T,   ln R_ii = ln T_ii + ln (R_F)_ii
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .batch_decision import smallest
from .window_frames import Grown, first


class _Window(NamedTuple):
    """P S = Q D U for each window: Q, ln D and U."""

    Q: Float[Array, "windows n k"]
    logs: Float[Array, "windows k"]
    unit: Float[Array, "windows k k"]


class _Factored(NamedTuple):
    """D U M = E R for each window: E, ln R_ii, R / R_ii, and the nats lost to cancellation in each R_ii."""

    E: Float[Array, "windows k k"]
    logs: Float[Array, "windows k"]
    F_unit: Float[Array, "windows k k"]
    T_unit: Float[Array, "windows k k"]
    T_logs: Float[Array, "windows k"]
    lost: Float[Array, "windows k"]


def joined(
    start: Float[Array, "k k"],
    first_frame: Float[Array, "k k"],
    frames: Float[Array, "windows k k"],
    grown: Grown,
) -> tuple[Float[Array, "windows k"], Float[Array, "windows k"]]:
    """Return ln R_ii for each window and how many nats of each were lost to cancellation.

    `start` is S, `first_frame` the trajectory's own frame before the first window. `frames` and `grown` are what the
    windows ended with, F_c and D_c U_c with P_c S = F_c D_c U_c, F_c not orthonormal.
    """
    windows, k = frames.shape[:2]
    logs, unit = (jnp.moveaxis(values, -1, 0) for values in (grown.logs, grown.unit))
    Q, F_unit, F_logs = _orthonormal(frames)
    each = _Window(Q, logs + F_logs, _times(F_unit, logs, unit))
    # one more window in front, which ends with the trajectory's first frame
    nothing = _Window(first_frame[None], jnp.zeros_like(logs[:1]), jnp.eye(k, dtype=Q.dtype)[None])
    through = jax.tree.map(lambda *parts: jnp.concatenate(parts), nothing, each)
    tolerance = 100 * k * jnp.finfo(Q.dtype).eps
    place = jnp.arange(windows + 1)

    def round_of(carry: tuple[_Window, Array], distance: Array) -> tuple[tuple[_Window, Array], None]:
        through, settled = carry

        def change(through: _Window) -> tuple[_Window, Array]:
            earlier = jax.tree.map(lambda leaf: leaf[jnp.maximum(place - distance, 0)], through)
            new = _join(start, earlier, through)
            new = jax.tree.map(
                lambda one, other: jnp.where((place >= distance).reshape(-1, *[1] * (one.ndim - 1)), one, other),
                new,
                through,
            )
            change = jnp.max(jnp.abs(jax.lax.stop_gradient(new.Q - through.Q)))
            return new, smallest(change <= tolerance)

        return jax.lax.cond(settled, lambda through: (through, jnp.bool_(True)), change, through), None

    rounds = (windows - 1).bit_length() + 1 if windows > 1 else 1
    distances = 2 ** jnp.arange(rounds, dtype=jnp.int32)
    (through, _), _ = jax.lax.scan(round_of, (through, jnp.bool_(False)), distances)
    found = _factored(each.logs, each.unit @ (start.T @ through.Q[:-1]))
    return found.logs, found.lost


def _join(start: Float[Array, "k k"], a: _Window, b: _Window) -> _Window:
    """Join each window of a to the one of b that follows it."""
    found = _factored(b.logs, b.unit @ (start.T @ a.Q))
    unit = _times(found.T_unit, a.logs, a.unit)
    unit = _times(found.F_unit, a.logs + found.T_logs, unit)
    return _Window(b.Q @ found.E, a.logs + found.logs, unit)


def _times(
    upper: Float[Array, "windows k k"], logs: Float[Array, "windows k"], unit: Float[Array, "windows k k"]
) -> Float[Array, "windows k k"]:
    """Return the U' of T (D U) = D' U', where `upper` is T / T_ii and `logs` is ln D."""
    above = jnp.triu(upper, 1)
    ratio = jnp.exp(jnp.where(above != 0, logs[:, None, :] - logs[..., None], 0))
    return unit + (above * ratio) @ unit


def _orthonormal(
    frames: Float[Array, "windows n k"],
) -> tuple[Float[Array, "windows n k"], Float[Array, "windows k k"], Float[Array, "windows k"]]:
    """Factor F = Q R with positive R_ii; return Q, R / R_ii and ln R_ii."""
    Q, R = jnp.linalg.qr(frames)
    diagonal = jnp.diagonal(R, axis1=1, axis2=2)
    sign = jax.lax.stop_gradient(jnp.where(diagonal < 0, -1, 1).astype(R.dtype))
    return Q * sign[:, None], R / diagonal[..., None], jnp.log(jnp.abs(diagonal))


def _factored(logs: Float[Array, "windows k"], rows: Float[Array, "windows k k"]) -> _Factored:
    """Factor e^{logs} · rows = E R in each window."""
    F, T_unit, T_logs, lost = (
        jnp.moveaxis(values, -1, 0) for values in _eliminated(jnp.moveaxis(logs, 0, -1), jnp.moveaxis(rows, 0, -1))
    )
    E, F_unit, F_logs = _orthonormal(F)
    return _Factored(E, T_logs + F_logs, F_unit, T_unit, T_logs, lost)


def _eliminated(
    logs: Float[Array, "k windows"], rows: Float[Array, "k k windows"]
) -> tuple[Array, Array, Array, Array]:
    """Eliminate e^{logs} · rows = F T with pivots, as in `window_frames.py`, without forming the exponentials.

    Return F, T / T_ii, ln |T_ii|, and the nats lost.
    """
    k = len(logs)
    sizes = jnp.log(jnp.mean(jnp.abs(jax.lax.stop_gradient(rows)), axis=1))

    def column(i: Array, carry: tuple) -> tuple:
        Y, F, T, pivots, lost = carry
        entries = jax.lax.dynamic_index_in_dim(Y, i, 1, keepdims=False)
        held = jax.lax.stop_gradient(jnp.log(jnp.abs(entries)) + logs)
        chosen = first(held == jnp.max(held, axis=0))
        pivot, its_log, its_size = (jnp.sum(jnp.where(chosen, each, 0), axis=0) for each in (entries, logs, sizes))
        log_pivot = jnp.log(jnp.abs(pivot))
        multiples = entries / pivot
        # 0 in the row of an earlier pivot, whose entries are 0 by now
        part = jnp.where(
            entries == 0, 0, jnp.exp(jnp.where(entries == 0, 0, logs - its_log)) * entries / jnp.abs(pivot)
        )
        row = jnp.sum(jnp.where(chosen[:, None], Y, 0), axis=0)
        Y = jnp.where(chosen[:, None], 0, Y - multiples[:, None] * row[None])
        put = jax.lax.dynamic_update_index_in_dim
        F, T, pivots = put(F, part, i, 1), put(T, row / pivot, i, 0), put(pivots, log_pivot + its_log, i, 0)
        return Y, F, T, pivots, put(lost, its_size - jax.lax.stop_gradient(log_pivot), i, 0)

    nothing, zeros = jnp.zeros_like(rows), jnp.zeros_like(logs)
    return jax.lax.fori_loop(0, k, column, (rows, nothing, nothing, zeros, zeros))[1:]
