"""What decides whether a measured number can be trusted: for flows, exponents and covariant vectors.

Their results say what is doubtful about each number in `doubts`, a sum of `Doubt` flags. `reliable` is doubts == 0,
and `reasons` puts the doubts into words. Other fields, such as `converged`, are what the doubts are derived from.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


class Doubt(enum.IntFlag):
    """Reasons not to trust a number, as bit flags.

    The field `doubts` of a result is the sum of those that apply, 0 where there is none. `reasons` puts it in words.

    Attributes:
        TOO_SHORT: There are fewer than eight segments of time, so there is no standard error.
        BELOW_FLOOR: The exponent or vector, or one before it in the frame, lost too many digits in a factorisation.
        SINGULAR: A Jacobian was exactly singular in the arithmetic, which removed this direction.
        SUM_RULE: The exponents do not add up to the mean of ln |det J|, and no loss of digits explains it.
        NOT_CONVERGED: The standard error is larger than `until`; or a 2-norm may be too low; or an iteration over all
            states ended before their errors were small.
        NOT_FINITE: The number is NaN or infinite.

    Example:
        >>> rd.Doubt(3)
        <Doubt.TOO_SHORT|BELOW_FLOOR: 3>
    """

    TOO_SHORT = 1
    BELOW_FLOOR = 2
    SINGULAR = 4
    SUM_RULE = 8
    NOT_CONVERGED = 16
    NOT_FINITE = 32


NAMES = {
    Doubt.TOO_SHORT: "too short",
    Doubt.BELOW_FLOOR: "below the floor",
    Doubt.SINGULAR: "singular Jacobian",
    Doubt.SUM_RULE: "sum rule",
    Doubt.NOT_CONVERGED: "not converged",
    Doubt.NOT_FINITE: "not finite",
}


def reasons(doubts: Any) -> np.ndarray:
    """Put doubts into words.

    Args:
        doubts: Sums of `rd.Doubt` flags, whole numbers of any shape, as in the field `doubts` of a result.

    Returns:
        A NumPy array of strings of the same shape; "" where there is no doubt.

    Example:
        >>> rd.measure.reasons([0, 3])
        array(['', 'too short, below the floor'], dtype=object)
    """
    codes = np.asarray(doubts)
    names = [", ".join(name for flag, name in NAMES.items() if int(code) & flag) for code in codes.ravel()]
    return np.array(names, dtype=object).reshape(codes.shape)


def seen(lost: Float[Any, " k"]) -> Bool[Any, " k"]:
    """Return whether the relative rounding error of each factor, about eps e^lost a factorisation, is below 1/1000."""
    return lost < math.log(0.001 / jnp.finfo(lost.dtype).eps)


def difference(xp: Any, left: Float[Any, ""], right: Float[Any, ""]) -> Float[Any, ""]:
    """Return left - right, and 0 where both are -inf, because a singular Jacobian obeys the sum rule too."""
    both = (left == right) & xp.isinf(left)
    return xp.where(both, 0, left - xp.where(both, 0, right))


def doubts_of(
    xp: Any,
    exponents: Float[Any, " k"],
    lost: Float[Any, " k"],
    residual: Float[Any, ""],
    gross: Float[Any, ""],
    *,
    short: bool,
    converged: Bool[Any, " k"],
) -> Int[Any, " k"]:
    """Return the doubts about each exponent; `gross` is Σ |λ_i|.

    A violated sum rule shows that some exponents are wrong, but not which. If digits were lost or a determinant was
    zero, those exponents explain it. Otherwise all exponents are doubted.
    """
    low, finite, zero = ~seen(lost), xp.isfinite(exponents), exponents == -np.inf
    allowed = math.sqrt(jnp.finfo(exponents.dtype).eps) * xp.maximum(1, gross)
    violated = xp.abs(residual) > allowed  # there is no residual for k < n
    flags = {
        Doubt.TOO_SHORT: xp.full_like(finite, short),
        Doubt.BELOW_FLOOR: low & ~zero,
        Doubt.SINGULAR: zero | (low & (residual == np.inf)),
        Doubt.SUM_RULE: xp.broadcast_to(violated & ~xp.any(low | ~finite), finite.shape),
        Doubt.NOT_CONVERGED: ~converged & finite,
        Doubt.NOT_FINITE: ~finite & ~zero,
    }
    return _sum_of(xp, flags)


def doubts_of_vectors(lost: Float[Array, " k"], finite: Bool[Array, " k"], frames: Bool[Array, ""]) -> Int[Array, " k"]:
    """Return the doubts about the covariant vectors; `frames` says whether the frames they lie in are finite.

    A column of the frame that is noise spoils those after it. A vector that is not finite although the frames are was
    removed by a step that maps it to 0.
    """
    low = ~seen(jax.lax.cummax(lost))
    flags = {
        Doubt.BELOW_FLOOR: low & finite,
        Doubt.SINGULAR: ~finite & frames,
        Doubt.NOT_FINITE: ~finite & ~frames,
    }
    return _sum_of(jnp, flags)


def doubts_of_flow(curves: Sequence[Any], converged: Sequence[Any]) -> Int[Any, "*lags"]:
    """Return the doubts about a gradient flow at each lag: one of its curves is not a number, or may be too low."""
    xp = np if all(isinstance(curve, np.ndarray) for curve in curves) else jnp
    no_number = [xp.isnan(curve) | (curve == np.inf) for curve in curves]  # -inf is an exact zero
    flags = {Doubt.NOT_FINITE: xp.any(xp.stack(no_number), axis=0)}
    if converged:
        flags[Doubt.NOT_CONVERGED] = ~xp.all(xp.stack(list(converged)), axis=0)
    return _sum_of(xp, flags)


def doubts_of_states(converged: Bool[Array, ""], finite: Bool[Array, ""]) -> Int[Array, ""]:
    """Return the doubts about states that an iteration found; `finite` says whether those it believes are numbers."""
    return _sum_of(jnp, {Doubt.NOT_CONVERGED: ~converged, Doubt.NOT_FINITE: ~finite})


def doubts_of_all(doubts: Int[Array, "examples k"], *, but: Doubt) -> Int[Array, " k"]:
    """Return every doubt that some example has, except for `but`."""
    return _sum_of(jnp, {flag: jnp.any(doubts & int(flag) != 0, axis=0) for flag in Doubt if flag != but})


def _sum_of(xp: Any, flags: Mapping[Doubt, Bool[Any, "*shape"]]) -> Int[Any, "*shape"]:
    """Return the sum of the flags that are set."""
    held = xp.stack(list(flags.values()))
    codes = xp.array([int(flag) for flag in flags], np.int32).reshape(-1, *(1,) * (held.ndim - 1))
    return xp.sum(xp.where(held, codes, 0), axis=0, dtype=np.int32)
