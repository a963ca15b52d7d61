"""Properties of an attractor, from its Lyapunov spectrum or from a trajectory on it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import State
from ..machinery.compiled_programs import with_float32_products
from ..machinery.state_vector import flatten


def kaplan_yorke_dimension(exponents: Float[Array, " k"], *, full: bool = False) -> Float[Array, ""]:
    """Compute the Kaplan-Yorke dimension of an attractor from its Lyapunov exponents.

        D = j + (λ_1 + ... + λ_j)/|λ_{j+1}|,   j = the largest number of exponents whose sum is not negative

    In this dimension volumes neither grow nor shrink; it is 0 if λ_1 < 0. By conjecture, not by theorem, it equals the
    information dimension of a typical attractor. Finite-time exponents of a transient give no dimension. For a driven
    net it is the dimension of the response to one fixed sequence of inputs.

    A largest exponent of exactly 0, as for a limit cycle of a flow, gives 1, but one of -1e-12 gives 0. Round the
    exponents to their errors first.

    Args:
        exponents: The k largest of n Lyapunov exponents, (k,), in any order. They suffice if their sum is negative.
        full: Whether these are all n exponents. Default: no.

    Returns:
        The dimension, a scalar. If the sum of the exponents is not negative it is n for a `full` spectrum and NaN
        otherwise.

    Cost:
        A sort of k numbers.

    Example:
        >>> round(float(rd.kaplan_yorke_dimension(jnp.array([0.42, -1.62]))), 3)  # the Hénon map
        1.259
    """
    ordered = -jnp.sort(-exponents)
    sums = jnp.cumsum(ordered)
    inside = jnp.sum(sums >= 0)
    before = jnp.where(inside > 0, sums[inside - 1], 0)
    following = ordered[jnp.minimum(inside, len(ordered) - 1)]
    dimension = inside.astype(exponents.dtype) + before / jnp.abs(following)
    # an exponent of -inf ends the count at j; without a next exponent it is unknown where the sum turns negative
    unturned = float(len(ordered)) if full else jnp.nan
    dimension = jnp.where(inside == len(ordered), unturned, dimension)
    return jnp.where(jnp.isnan(sums[-1]), jnp.nan, dimension)


def entropy_rate(exponents: Float[Array, " k"]) -> Float[Array, ""]:
    """Sum the positive Lyapunov exponents.

        h = Σ_{λ_i > 0} λ_i

    This is the Kolmogorov-Sinai entropy where Pesin's formula holds, and an upper bound of it elsewhere.

    Args:
        exponents: Lyapunov exponents in nats per step, (k,). All positive ones have to be among them.

    Returns:
        The sum in nats per step, a scalar.

    Example:
        >>> round(float(rd.entropy_rate(jnp.array([0.5, 0.25, -2.0]))), 3)
        0.75
    """
    return jnp.sum(jnp.maximum(exponents, 0))


@with_float32_products
def participation_ratio(states: State) -> Float[Array, ""]:
    """Compute how many directions share the variance of the states.

        (tr C)² / tr C²,   C = the covariance of the states over time

    The measure is linear: a curved one-dimensional orbit fills many directions.

    Args:
        states: States over time, a pytree with leading axis T and n numbers for each time, as from `unroll`.

    Returns:
        A scalar between 1 and n; NaN where nothing varies.

    Cost:
        Time O(T n min(T, n)), memory O(T n + min(T, n)²).

    Example:
        >>> angle = 2 * jnp.pi * jnp.arange(100) / 100
        >>> round(float(rd.participation_ratio(jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1))), 3)
        2.0
    """
    flat = jax.vmap(lambda state: flatten(state)[0])(states)
    centred = flat - jnp.mean(flat, axis=0, keepdims=True)
    # the smaller of the two Gram matrices has the same traces
    gram = centred.T @ centred if flat.shape[1] <= flat.shape[0] else centred @ centred.T
    return jnp.trace(gram) ** 2 / jnp.sum(gram**2)
