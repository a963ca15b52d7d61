"""What may be wrong with a measured exponent: whole numbers in the results, names to be printed."""

import enum
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int


class Doubt(enum.IntFlag):
    """Reasons not to trust a number. `doubts` in a result is the sum of those that apply, 0 where there is none.

    TOO_SHORT      fewer than eight blocks of time: there is no standard error
    BELOW_FLOOR    it, or one above it in the frame, lost too many digits in a factorisation
    SINGULAR       a Jacobian was exactly singular to the arithmetic, and took this direction's growth with it
    SUM_RULE       the exponents do not add up to the mean of ln |det J|, and no loss of digits explains it
    NOT_CONVERGED  its standard error is larger than `until`
    NOT_FINITE     it is NaN or infinite
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
    """The names of the doubts, as an array of texts of the same shape; "" where there is none.

    >>> reasons([0, 3])
    array(['', 'too short, below the floor'], dtype=object)
    """
    codes = np.asarray(doubts)
    names = [", ".join(name for flag, name in NAMES.items() if int(code) & flag) for code in codes.ravel()]
    return np.array(names, dtype=object).reshape(codes.shape)


def seen(lost: Float[Any, " k"]) -> Bool[Any, " k"]:
    """Whether the rounding of every factor, some eps e^lost of it for each step, was small: one in a thousand."""
    return lost < math.log(0.001 / jnp.finfo(lost.dtype).eps)


def difference(xp: Any, left: Float[Any, ""], right: Float[Any, ""]) -> Float[Any, ""]:
    """left - right, 0 where both are -inf: a singular Jacobian obeys the sum rule too."""
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
    """What speaks against each exponent; `gross` is the sum of their absolute values.

    A violated sum rule says that some exponents are wrong, not which. Digits that were lost, or a zero of the
    determinant, explain it by the exponents that they have spoilt. Without an explanation it speaks against all.
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
