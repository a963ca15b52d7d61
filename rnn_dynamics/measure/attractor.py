"""What a Lyapunov spectrum and a trajectory say of the attractor they belong to."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..cells.contract import State
from ..machinery.state_vector import flatten


def kaplan_yorke_dimension(exponents: Float[Array, " k"], *, full: bool = False) -> Float[Array, ""]:
    """j + (λ_1 + ... + λ_j)/|λ_{j+1}| with j the most exponents whose sum is not negative; 0 if λ_1 < 0.

    The dimension that volumes neither grow nor shrink in. It equals the information dimension for typical attractors
    by conjecture, not by theorem, and says nothing about finite-time exponents of a transient. k of n exponents are
    enough if their sum is negative; otherwise the answer is NaN, not a guess, or n if these are `full`, all of them.
    A first exponent of 0, as a limit cycle of a flow has it, gives 1 and one of -1e-12 gives 0: round to its error
    first. Of a driven net it is the dimension of its response at one fixed sequence of inputs.
    """
    ordered = -jnp.sort(-exponents)
    sums = jnp.cumsum(ordered)
    inside = jnp.sum(sums >= 0)
    before = jnp.where(inside > 0, sums[inside - 1], 0)
    following = ordered[jnp.minimum(inside, len(ordered) - 1)]
    dimension = inside.astype(exponents.dtype) + before / jnp.abs(following)
    # -inf ends the count at j; without a next exponent the sum has not been seen to turn
    unturned = float(len(ordered)) if full else jnp.nan
    dimension = jnp.where(inside == len(ordered), unturned, dimension)
    return jnp.where(jnp.isnan(sums[-1]), jnp.nan, dimension)


def entropy_rate(exponents: Float[Array, " k"]) -> Float[Array, ""]:
    """Σ of the positive exponents, in nats a step: the Kolmogorov-Sinai entropy by Pesin's formula, else a bound of it.

    All positive exponents have to be among those given.
    """
    return jnp.sum(jnp.maximum(exponents, 0))


def participation_ratio(states: State) -> Float[Array, ""]:
    """(tr C)²/tr C² of the covariance C of states stacked over time: how many directions share the variance, 1 .. n.

    A linear measure: a curved one-dimensional orbit fills many directions. NaN where nothing varies.
    """
    flat = jax.vmap(lambda state: flatten(state)[0])(states)
    centred = flat - jnp.mean(flat, axis=0, keepdims=True)
    # the smaller of the two Gram matrices has the same traces
    gram = centred.T @ centred if flat.shape[1] <= flat.shape[0] else centred @ centred.T
    return jnp.trace(gram) ** 2 / jnp.sum(gram**2)
