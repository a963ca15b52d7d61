"""All singular values of ∂h_T/∂h_0 = J_T ··· J_1, in logarithms, however far apart they are.

    J_t F_{t-1} = F_t T_t,   F_0 = I:      J_T ··· J_1 = F_T T_T ··· T_1 = Q (R_F T_T ··· T_1)

with the triangular product kept row by row with a scale (`graded.py`): the product itself, whose small singular values
would drown in the rounding of the large ones, is never formed.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.graded_triangles import Graded, identity, log_singular_values_of, times
from ..machinery.lapack_threads import on_one_thread
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import by_lu, by_qr, column_scaled
from ..machinery.state_vector import flatten


def log_singular_values(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Float[Array, " n"]:
    """ln σ_1 >= ... >= ln σ_n of ∂h_T/∂h_0 = J_T ··· J_1; -inf for an exact 0.

    Each is right to about the rounding of T factors, also where the largest is e^2000 times the smallest. Where a step
    lost the digits of a direction in a way that no scaling of its rows and columns avoids, the values from there on
    are NaN. Time O(T n³), memory O(n²); differentiable in forward mode only. For the distribution over inputs or
    seeds, vmap.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    return _log_singular_values(step, params, h0, xs, length=entry.whole_number("length", length))


def log_mean_square(log_values: Float[Array, " n"]) -> Float[Array, ""]:
    """ln of the mean squared singular value, ‖P‖_F²/n, from the logarithms of all of them."""
    return jax.nn.logsumexp(2 * log_values) - math.log(len(log_values))


@entry.compiled("length")
def _log_singular_values(step: Step, params: Params, h0: State, xs: Input, *, length: int | None) -> Float[Array, " n"]:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    entry.decomposable(h0)
    vector, _ = flatten(h0)
    n, dtype = vector.size, vector.dtype
    on_one_thread()
    identity_matrix = jnp.eye(n, dtype=dtype)

    def advance(carry: tuple[State, Array, Graded, Array], x: Input) -> tuple[tuple[State, Array, Graded, Array], None]:
        h, frame, product, lost = carry
        maps = linear_maps(step, params, h, x)
        J, half = column_scaled(maps.push(identity_matrix), frame)
        whole = by_lu(J @ half.frame)
        product = times(whole.triangle, times(half.triangle, product))
        lost = jnp.maximum(lost, jnp.maximum(half.lost, whole.lost))
        return (maps.after, whole.frame, product, lost), None

    start = entry.varying_like((h0, identity_matrix, identity(n, dtype), jnp.zeros(n, dtype)), h0)
    (_, frame, product, lost), _ = jax.lax.scan(advance, start, xs, length=T)
    values = log_singular_values_of(times(by_qr(frame).triangle, product))
    unseen = lost > math.log(0.01 / jnp.finfo(dtype).eps)  # a row of zeros has lost nothing
    return jnp.where(jnp.cumsum(unseen) > 0, jnp.nan, values)
