"""Join windows of time: find how the frame of a whole trajectory grows in each window, from what each did on its own.

Every window starts with the same orthonormal frame S, and P_c = J ··· J over window c gives

    P_c S = Q_c D_c U_c,      Q_c orthonormal, D_c positive and diagonal, U_c unit upper triangular

The frame that comes from the windows before is another one, G_c. It grows by the diagonal of R_c, where

    P_c G_c = Q_c (D_c U_c SᵀG_c) = Q_c (E_c R_c),      E_c orthonormal,      G_{c+1} = Q_c E_c

Nothing is left out: the growths are those of a sequential QR decomposition, whatever the exponents are, equal ones too.
Only matrices of size k pass from window to window.

**In groups.** Two neighbours are joined to one longer window, which starts with S as well:

    P_b P_a S = Q_b D_b U_b (SᵀQ_a) D_a U_a = (Q_b E) (R D_a U_a)

About √C groups of √C windows take their steps side by side, and each step is such a joint:

    1. every group joins its windows, one after the other, to one long window
    2. the groups are joined to those before them, from a distance of 1, 2, 4, ... groups
    3. every group now begins with the trajectory's frame and goes through its windows again

That takes 2 √C + ½ log₂ C steps instead of C, for about twice the work.

**D spans any number of decades**, e^{λ L}, so D U M is never formed. Its rows are eliminated with pivots, where a row
is held as a vector and the logarithm of its size. That leaves a factor with moderate entries, whose QR gives E:

    D U M = F T,   F = E R_F,   R = R_F T,   ln R_ii = ln T_ii + ln (R_F)_ii
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .shard_map_axes import varying_like
from .window_frames import Grown, first


class Window(NamedTuple):
    """P S = Q D U for each window: Q, ln D and U."""

    Q: Float[Array, "windows n k"]
    logs: Float[Array, "windows k"]
    unit: Float[Array, "windows k k"]


class _Chosen(NamedTuple):
    """The pivot of a column in each window.

    row        1 in its row, else 0
    pivot      the pivot
    multiples  what to subtract of its row from each row
    column     the column of F
    its_log    the logarithm of the size of its row
    its_size   the logarithm of the mean entry in its row
    """

    row: Float[Array, "k windows"]
    pivot: Float[Array, " windows"]
    multiples: Float[Array, "k windows"]
    column: Float[Array, "k windows"]
    its_log: Float[Array, " windows"]
    its_size: Float[Array, " windows"]


class _Factored(NamedTuple):
    """D U M = E R for each window, where R = R_F T.

    E       orthonormal
    logs    ln R_ii
    lost    how many nats of each were lost to cancellation
    F_unit  R_F / (R_F)_ii
    T_unit  T / T_ii
    T_logs  ln T_ii
    """

    E: Float[Array, "windows k k"]
    logs: Float[Array, "windows k"]
    lost: Float[Array, "windows k"]
    F_unit: Float[Array, "windows k k"]
    T_unit: Float[Array, "windows k k"]
    T_logs: Float[Array, "windows k"]


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
    k = frames.shape[1]
    each, more = _in_groups(start, frames, grown)
    size, groups = each.logs.shape[:2]
    _, (growth, lost) = _gone_through(start, first_frame, each, _steps(size, groups, again=True))
    growth, lost = (jnp.swapaxes(values[-size:], 0, 1).reshape(-1, k)[more:] for values in (growth, lost))
    return growth, lost


def whole(
    start: Float[Array, "k k"], frames: Float[Array, "windows k k"], grown: Grown
) -> tuple[Window, Float[Array, " k"]]:
    """Join all windows to one, P S = Q D U; return also the most nats that each row of D lost in a joint.

    The arguments are those of `joined`. Only its first two stages are needed.
    """
    each, _ = _in_groups(start, frames, grown)
    through, (_, lost) = _gone_through(start, start, each, _steps(*each.logs.shape[:2], again=False))
    return jax.tree.map(lambda leaf: leaf[-1], through), jnp.max(lost, axis=(0, 1))


def _in_groups(start: Float[Array, "k k"], frames: Float[Array, "windows k k"], grown: Grown) -> tuple[Window, int]:
    """Return the windows as (place in a group, group, ...), and how many without steps were put in front."""
    windows = len(frames)
    logs, unit = (jnp.moveaxis(values, -1, 0) for values in (grown.logs, grown.unit))
    Q, F_unit, F_logs = _orthonormal(frames)
    each = Window(Q, logs + F_logs, _times(F_unit, logs, unit))
    size = math.isqrt(windows - 1) + 1
    groups = -(-windows // size)
    more = groups * size - windows

    def grouped(still: Array, leaf: Array) -> Array:
        padded = jnp.concatenate([jnp.broadcast_to(still, (more, *still.shape)), leaf])
        return jnp.swapaxes(padded.reshape(groups, size, *still.shape), 0, 1)

    return jax.tree.map(grouped, _without_steps(start), each), more


def _without_steps(start: Float[Array, "k k"]) -> Window:
    return Window(start, jnp.zeros_like(start[0]), jnp.eye(len(start), dtype=start.dtype))


def _steps(size: int, groups: int, *, again: bool) -> tuple[Array, Array, Array]:
    """Return for each step the place in a group, the distance between groups, and whether the groups begin again."""
    doublings = 2 ** np.arange((groups - 1).bit_length())
    places, none = np.arange(size), np.zeros(size, int)
    last = places if again else places[:0]
    return (
        jnp.asarray(np.concatenate([places, 0 * doublings, last]), jnp.int32),
        jnp.asarray(np.concatenate([none, doublings, 0 * last]), jnp.int32),
        jnp.asarray(np.concatenate([none, 0 * doublings, last == 0]), bool),
    )


def _gone_through(
    start: Float[Array, "k k"], first_frame: Float[Array, "k k"], each: Window, steps: tuple[Array, Array, Array]
) -> tuple[Window, tuple[Float[Array, "steps groups k"], Float[Array, "steps groups k"]]]:
    """Take the steps; return what each group has gone through, and the growth and the nats lost in every step."""
    groups = each.logs.shape[1]
    begin = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (groups, *leaf.shape)), _without_steps(start))
    begin = begin._replace(Q=jnp.concatenate([first_frame[None], begin.Q[1:]]))
    number = jnp.arange(groups, dtype=jnp.int32)

    def advance(through: Window, at: tuple[Array, Array, Array]) -> tuple[Window, tuple[Array, Array]]:
        """Join what has been gone through to the next window, or to the groups at a distance before it."""
        place, distance, again = at
        window = jax.tree.map(lambda leaf: leaf[place], each)
        before = jax.tree.map(lambda leaf: leaf[jnp.maximum(number - distance, 0)], through)
        begun = begin._replace(Q=jnp.concatenate([first_frame[None], through.Q[:-1]]))
        a = _where(again, begun, _where(distance > 0, before, through))
        b = _where(distance > 0, through, window)
        joint, found = _join(start, a, b)
        exists = number >= distance
        return _where(exists, joint, through), (found.logs, jnp.where(exists[:, None], found.lost, 0))

    return jax.lax.scan(advance, varying_like(begin, each), steps)


def _where(condition: Array, one: Window, other: Window) -> Window:
    """Choose between windows by one condition, or by one for each."""

    def chosen(left: Array, right: Array) -> Array:
        return jnp.where(condition.reshape(-1, *[1] * (left.ndim - 1)), left, right)

    return jax.tree.map(chosen, one, other)


def _join(start: Float[Array, "k k"], a: Window, b: Window) -> tuple[Window, _Factored]:
    """Join each window of a to the one of b that follows it; return also how the frame from a grows in b."""
    found = _factored(b.logs, b.unit @ (start.T @ a.Q))
    unit = _times(found.T_unit, a.logs, a.unit)
    unit = _times(found.F_unit, a.logs + found.T_logs, unit)
    return Window(b.Q @ found.E, a.logs + found.logs, unit), found


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
    return _Factored(E, T_logs + F_logs, lost, F_unit, T_unit, T_logs)


def _eliminated(
    logs: Float[Array, "k windows"], rows: Float[Array, "k k windows"]
) -> tuple[Array, Array, Array, Array]:
    """Eliminate e^{logs} · rows = F T with pivots, as in `window_frames.py`, without forming the exponentials.

    Return F, T / T_ii, ln |T_ii|, and the nats lost.
    """
    k = len(logs)
    sizes = jnp.log(jnp.mean(jnp.abs(jax.lax.stop_gradient(rows)), axis=1))
    at, put = jax.lax.dynamic_index_in_dim, jax.lax.dynamic_update_index_in_dim

    def found(entries: Array) -> _Chosen:
        held = jax.lax.stop_gradient(jnp.log(jnp.abs(entries)) + logs)
        row = first(held == jnp.max(held, axis=0)[None]).astype(entries.dtype)
        pivot, its_log, its_size = (jnp.sum(row * each, axis=0) for each in (entries, logs, sizes))
        # 0 in the row of an earlier pivot, whose entries are 0 by now
        ratio = jnp.exp(jnp.where(entries == 0, -jnp.inf, logs - its_log[None]))
        multiples = entries / jnp.where(pivot == 0, 1, pivot)[None]  # 0 only after the last column
        multiples = jnp.where(row == 1, 1, multiples)  # exactly, where a compiler may round the quotient
        return _Chosen(row, pivot, multiples, ratio * multiples * jnp.sign(pivot)[None], its_log, its_size)

    def column(i: Array, carry: tuple) -> tuple:
        Y, chosen, F, T, pivots, lost = carry
        row = jnp.sum(Y * chosen.row[:, None], axis=0)
        # the pivot's own row becomes 0 exactly, since its multiple is 1
        Y = Y - chosen.multiples[:, None] * row[None]
        log_pivot = jnp.log(jnp.abs(chosen.pivot))
        F, T = put(F, chosen.column, i, 1), put(T, row / chosen.pivot[None], i, 0)
        pivots = put(pivots, log_pivot + chosen.its_log, i, 0)
        lost = put(lost, chosen.its_size - jax.lax.stop_gradient(log_pivot), i, 0)
        return Y, found(at(Y, i + 1, 1, keepdims=False)), F, T, pivots, lost

    nothing, zeros = jnp.zeros_like(rows), jnp.zeros_like(logs)
    return jax.lax.fori_loop(0, k, column, (rows, found(rows[:, 0]), nothing, nothing, zeros, zeros))[2:]
