"""The logarithms of all singular values of ∂h_T/∂h_0 = J_T ··· J_1, however far apart they are.

    J_t F_{t-1} = F_t T_t,   F_0 = I:      J_T ··· J_1 = F_T T_T ··· T_1 = Q (R_F T_T ··· T_1)

The triangular product is stored with one scale per row (`graded_triangles.py`). The full product is never formed,
because rounding of its large singular values would swamp the small ones.

A long product of small Jacobians is formed in windows of time side by side (`time_windows.py`). Their composition
J_T ··· J_1 S = Q D U has the same singular values as D U, a triangular product of the same kind.

The specification, for products that neither overflow nor lose rank:

    def log_singular_values(step, params, h0, xs):
        h, P = h0, np.eye(len(h0))
        for x in xs:
            P = rd.step_jacobian(step, params, h, x) @ P
            h = step(params, h, x)
        return np.log(np.linalg.svd(P, compute_uv=False))
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.batch_decision import either, smallest
from ..machinery.compiled_programs import inside_transformation, is_traced
from ..machinery.frame_schedule import WindowPlan
from ..machinery.graded_triangles import Graded, identity, log_singular_values_of, times
from ..machinery.lapack_threads import on_one_thread
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import by_lu, by_qr, column_scaled
from ..machinery.state_vector import flatten
from ..machinery.time_windows import Windows, product_of
from .windows_of_time import Cut, best_count, cores, in_windows

# the part of its digits that a factor may lose in windows; one step after the other loses fewer of them
LOSABLE = 0.6


def log_singular_values(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    windows: int | str = "auto",
) -> Float[Array, " n"]:
    """Compute the logarithms of all singular values of the product of the step Jacobians.

        ln σ_1 >= ... >= ln σ_n   of   ∂h_T/∂h_0 = J_T ··· J_1

    Each is right to about the rounding of T factors, even where the largest is e^2000 times the smallest. If a step
    loses the digits of a direction in a way that no scaling of its rows and columns can avoid, that value and all
    smaller ones are NaN. Differentiable in forward mode only. For the distribution over inputs or seeds use `jax.vmap`.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.
        windows: How many windows of time to multiply side by side; 1 takes one step after the other. Results agree to
            rounding, which is less in windows in float32. If a Jacobian is singular or digits are lost, everything is
            computed again one step after the other. "auto" uses windows outside of your own transformations where they
            pay: on CPUs at least 50 000 steps and n <= 16.

    Returns:
        ln σ in descending order, (n,); -inf for an exact 0.

    Cost:
        Time O(T n³), memory O(n²). In windows a fifth to a tenth of the time, and memory O(T n + n² windows): they keep
        all states.

    Example:
        >>> W = jnp.diag(jnp.array([2.0, 0.5]))
        >>> logs = rd.log_singular_values(lambda W, h, x: W @ h, W, jnp.zeros(2), None, length=100)
        >>> [round(float(x), 2) for x in logs]  # ± 100 ln 2
        [69.31, -69.31]

    References:
        Demmel & Veselić (1992), SIAM Journal on Matrix Analysis and Applications 13, 1204-1245.
    """
    length, T = entry.checked(step, params, h0, xs, length)
    n = jax.eval_shape(lambda h: flatten(h)[0], h0).size
    inside = inside_transformation(params, h0, xs)
    count = _window_count(windows, T, n, inside)
    step_by_step = partial(_log_singular_values, step, params, h0, xs, length=length)
    if count == 1:
        return step_by_step()
    cut = Cut(T, 0, 0, count, count, 1 if inside else min(cores(T, n), count), determinant=False)
    values, good = in_windows(
        _joined_values, step, params, h0, xs, None, cut=cut, length=length, interval=1, inside=inside
    )
    return either(smallest(good) if is_traced(good) else bool(good), values, step_by_step)


def log_mean_square(log_values: Float[Array, " n"]) -> Float[Array, ""]:
    """Compute the logarithm of the mean squared singular value.

        ln (1/n Σ σ_i²) = ln (‖P‖_F²/n)

    Args:
        log_values: ln σ of all n singular values, (n,), as from `log_singular_values`.

    Returns:
        The logarithm in nats, a scalar.

    Example:
        >>> round(float(rd.log_mean_square(jnp.log(jnp.array([3.0, 1.0])))), 3)  # ln 5
        1.609
    """
    return jax.nn.logsumexp(2 * log_values) - math.log(len(log_values))


def _window_count(windows: int | str, T: int, n: int, inside: bool) -> int:
    """Return how many windows of time to use; "auto" uses none inside a transformation."""
    if windows == "auto":
        return 1 if inside else best_count(n, T, 1)
    count = argument.size("windows", windows, 1)
    if count > T:
        raise ValueError(f"windows: got {count}, expected at most T = {T}")
    return count


def _joined_values(start: Array, shares: list[Windows], _: WindowPlan) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """Return the values of the product of all windows, and whether each factor kept its digits."""
    product, lost = product_of(start, shares)
    kept = jnp.all(lost < -LOSABLE * math.log(jnp.finfo(lost.dtype).eps))
    return log_singular_values_of(product), kept


@entry.compiled()
def _log_singular_values(step: Step, params: Params, h0: State, xs: Input, *, length: int | None) -> Float[Array, " n"]:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
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
    unseen = lost > math.log(0.01 / jnp.finfo(dtype).eps)  # a row of zeros does not count as a loss
    return jnp.where(jnp.cumsum(unseen) > 0, jnp.nan, values)
