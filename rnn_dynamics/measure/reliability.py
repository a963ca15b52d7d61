"""Reasons to doubt a measured exponent: bit flags in the results, and their names in words."""

import enum
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int


class Doubt(enum.IntFlag):
    """Reasons not to trust an exponent, as bit flags.

    The field `doubts` of a result is the sum of those that apply, 0 where there is none. `reasons` puts it in words.

    Attributes:
        TOO_SHORT: There are fewer than eight blocks of time, so there is no standard error.
        BELOW_FLOOR: The exponent, or one before it in the frame, lost too many digits in a factorisation.
        SINGULAR: A Jacobian was exactly singular in the arithmetic, which removed the growth of this direction.
        SUM_RULE: The exponents do not add up to the mean of ln |det J|, and no loss of digits explains it.
        NOT_CONVERGED: The standard error is larger than `until`.
        NOT_FINITE: The exponent is NaN or infinite.

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
    codes = xp.array([int(flag) for flag in flags], np.int32)
    return xp.sum(xp.where(xp.stack(list(flags.values())), codes[:, None], 0), axis=0, dtype=np.int32)
