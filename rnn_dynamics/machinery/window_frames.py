"""Factor the frames of many windows of time at once, by row-pivoted LU in which the windows lie along the last axis.

    Y = F T,   T = D U       D positive and diagonal, U unit upper triangular, one of each for every window

LAPACK factors one small matrix after the other and spends its time in the calls. Here each arithmetic operation is
done for all windows at once, so that the compiler can use vector instructions, or the threads of an accelerator. Rows
are not swapped: column i of F keeps the pivots in the rows where they were found,

    p = the row of the largest |Y_pi|,   T_i = ± row p of Y,   F_i = Y_i / |Y_pi|,   Y <- Y - F_i T_i        i = 1 .. k

so the pivot's row and later the whole column become 0 and are never chosen again.

The product of all T of a window is kept as ln D and U. The entries of U stay moderate, whereas those of D do not:

    T (D U) = D' U',   D'_i = T_ii D_i,   U'_i = U_i + Σ_{l > i} (T_il / T_ii) (D_l / D_i) U_l

`time_windows.py` calls `factored` after every few steps. Next: `window_joints.py` joins the windows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .frame_loop import compensated

# columns that are eliminated in one loop: the next loop runs over the smaller rest
PANEL = 8
# up to this size the loop over columns is written out
WRITTEN_OUT = 4


class Grown(NamedTuple):
    """The triangular factor D U that was taken out of each window's frame, and what it cost.

    logs   ln D, (k, windows)
    unit   U, (k, k, windows)
    ratio  the largest (mean size in the row of a pivot) / |pivot|, (k, windows): its logarithm counts the nats lost
    rest   the rounding error of logs, a sum over many steps, (k, windows)
    """

    logs: Float[Array, "k windows"]
    unit: Float[Array, "k k windows"]
    ratio: Float[Array, "k windows"]
    rest: Float[Array, "k windows"]


class _Pivot(NamedTuple):
    """What the elimination of a column needs: the pivot's size, the column over it, and ±1 in the row of the pivot."""

    size: Float[Array, " windows"]
    column: Float[Array, "n windows"]
    sign: Float[Array, "n windows"]


def nothing(k: int, windows: int, dtype: jnp.dtype) -> Grown:
    """Return the factor of frames that have not grown: the identity."""
    zeros = jnp.zeros((k, windows), dtype)
    return Grown(zeros, jnp.broadcast_to(jnp.eye(k, dtype=dtype)[..., None], (k, k, windows)), zeros, zeros)


def factored(Y: Float[Array, "n k windows"], grown: Grown) -> tuple[Float[Array, "n k windows"], Grown]:
    """Factor each window's Y = F T; return the frames F and the grown factor T D U."""
    k = Y.shape[1]
    sizes = jnp.mean(jnp.abs(jax.lax.stop_gradient(Y)), axis=1)
    frames, units, logs, ratios = [], [], [], []
    for done in range(0, k, PANEL):
        width = min(PANEL, k - done)
        Y, frame, pivots, lost, unit = _panel(Y, width, sizes, grown.logs[done:], grown.unit[done:, done:])
        left = jnp.zeros((width, done, Y.shape[2]), Y.dtype)
        frames.append(frame)
        logs.append(jnp.log(pivots))
        ratios.append(lost)
        units.append(jnp.concatenate([left, unit], axis=1))
    ratio = jnp.maximum(grown.ratio, jax.lax.stop_gradient(jnp.concatenate(ratios)))
    total, rest = compensated(grown.logs, jnp.concatenate(logs) + grown.rest)
    return jnp.concatenate(frames, axis=1), Grown(total, jnp.concatenate(units), ratio, rest)


def log_det(J: Float[Array, "n n windows"]) -> Float[Array, " windows"]:
    """Compute ln |det J| for each window."""
    n = len(J)
    if n <= 3:  # elimination would take longer than the step of such a system
        if jnp.finfo(J.dtype).bits > 32:
            return jnp.log(jnp.abs(_small_det(J)))
        total = jnp.zeros(J.shape[2], J.dtype)
        for axis in (1, 0):  # a product of two small rows or columns is 0 in float32
            sizes = jax.lax.stop_gradient(jnp.max(jnp.abs(J), axis=axis, keepdims=True))
            sizes = jnp.where(sizes == 0, 1, sizes)
            J, total = J / sizes, total + jnp.sum(jnp.log(sizes), axis=(0, 1))
        return jnp.log(jnp.abs(_small_det(J))) + total
    total = jnp.zeros(J.shape[2], J.dtype)
    for done in range(0, n, PANEL):
        J, pivots = _pivots(J, min(PANEL, n - done))
        total = total + jnp.sum(jnp.log(pivots), axis=0)
    return total


def _small_det(J: Float[Array, "n n windows"]) -> Float[Array, " windows"]:
    """Expand the determinant along the first row."""
    if len(J) == 1:
        return J[0, 0]
    if len(J) == 2:
        return J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
    minors = [_small_det(jnp.stack([J[1:, (i + 1) % 3], J[1:, (i + 2) % 3]], axis=1)) for i in range(3)]
    return J[0, 0] * minors[0] + J[0, 1] * minors[1] + J[0, 2] * minors[2]


def _panel(
    Y: Float[Array, "n k windows"],
    width: int,
    sizes: Float[Array, "n windows"],
    before: Float[Array, "k windows"],
    unit: Float[Array, "k k windows"],
) -> tuple[Array, Array, Array, Array, Array]:
    """Eliminate the first `width` columns.

    Return the other columns, and of these: the frame, the pivots, the ratios of `Grown` and the new rows of U.
    """
    later = jnp.arange(Y.shape[1])

    def column(i: Array | int, carry: tuple) -> tuple:
        (Y, pivot), (frame, pivots, ratios, unit) = carry
        row = _row(Y, pivot)
        Y = _without(Y, pivot, row)
        ratio = jnp.sum(jnp.abs(pivot.sign) * sizes, axis=0) / pivot.size
        # the steps from here on are those of U; before[i] is ln D_i
        # chosen before the exponential, which may overflow for earlier columns and make a derivative NaN
        ratio_of_sizes = jnp.exp(jnp.where((later > i)[:, None], before - _at(before, i)[None], -jnp.inf))
        fraction = row / pivot.size[None] * ratio_of_sizes
        new = _at(unit, i) + jnp.sum(fraction[:, None] * unit, axis=0)
        kept = (
            _put(frame, pivot.column, i, axis=1),
            _put(pivots, pivot.size, i),
            _put(ratios, ratio, i),
            _put(unit, new, i),
        )
        return (Y, _pivot(_at(Y, i + 1, axis=1))), kept

    empty = jnp.zeros_like(Y[:, :width]), jnp.zeros_like(before[:width]), jnp.zeros_like(before[:width]), unit
    (Y, _), (frame, pivots, ratios, unit) = _loop(width, column, ((Y, _pivot(Y[:, 0])), empty))
    return Y[:, width:], frame, pivots, ratios, unit[:width]


def _pivots(Y: Float[Array, "n k windows"], width: int) -> tuple[Array, Array]:
    """Eliminate the first `width` columns; return the other columns and the pivots."""

    def column(i: Array | int, carry: tuple) -> tuple:
        Y, pivot, pivots = carry
        Y = _without(Y, pivot, _row(Y, pivot))
        return Y, _pivot(_at(Y, i + 1, axis=1)), _put(pivots, pivot.size, i)

    Y, _, pivots = _loop(width, column, (Y, _pivot(Y[:, 0]), jnp.zeros_like(Y[0, :width])))
    return Y[:, width:], pivots


def _pivot(column: Float[Array, "n windows"]) -> _Pivot:
    """Find the pivot of a column in each window: the first of its largest entries."""
    sizes = jnp.abs(column)
    held = jax.lax.stop_gradient(sizes)
    chosen = first(held == jnp.max(held, axis=0)[None])
    size = jnp.sum(jnp.where(chosen, sizes, 0), axis=0)
    sign = jnp.sign(jax.lax.stop_gradient(column))
    # after the last column a column of zeros is looked at, which must not make a derivative NaN
    scaled = column / jnp.where(size == 0, 1, size)[None]
    # exactly ±1 in the pivot's row, where a compiler may round the quotient
    return _Pivot(size, jnp.where(chosen, sign, scaled), jnp.where(chosen, sign, 0))


def first(marked: Array) -> Array:
    """Keep only the first mark along axis 0."""
    n = len(marked)
    place = jnp.arange(n, dtype=jnp.int32)[:, None]
    return place == jnp.min(jnp.where(marked, place, n), axis=0)[None]


def _row(Y: Float[Array, "n k windows"], pivot: _Pivot) -> Float[Array, "k windows"]:
    return jnp.sum(Y * pivot.sign[:, None], axis=0)


def _without(Y: Float[Array, "n k windows"], pivot: _Pivot, row: Float[Array, "k windows"]) -> Array:
    return Y - pivot.column[:, None] * row[None]


def _loop(count: int, body, carry):  # type: ignore[no-untyped-def]
    """Run the body for i < count. The pivot is carried so that it is computed once and not fused into its uses."""
    if count <= WRITTEN_OUT:
        for i in range(count):
            carry = body(i, carry)
        return carry
    return jax.lax.fori_loop(0, count, body, carry)


def _at(array: Array, i: Array | int, axis: int = 0) -> Array:
    return jax.lax.dynamic_index_in_dim(array, i, axis, keepdims=False)


def _put(array: Array, part: Array, i: Array | int, axis: int = 0) -> Array:
    return jax.lax.dynamic_update_index_in_dim(array, part, i, axis)
