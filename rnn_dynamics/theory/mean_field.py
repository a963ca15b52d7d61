"""Wide random tanh nets, W ~ N(0, g²/N) and biases N(0, σ_b²) fixed in time, as N -> infinity.

    rate map  x_t = W tanh(x_{t-1}) + b        the same net as  h_t = tanh(W h_{t-1} + b)  with x = W h + b

Each x_i is Gaussian over the draw, with a variance q that settles where it reproduces itself,

    q = g² E[tanh²(√q z)] + σ_b²,    z ~ N(0, 1),

and a tangent vector that is independent of x has its square multiplied by χ₁ = g² E[sech⁴(√q z)] in each step.

Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks"; Poole et al. (2016), "Exponential
expressivity in deep neural networks through transient chaos", and Schoenholz et al. (2017), "Deep information
propagation", for χ₁ and the edge of order; Engelken, Wolf & Abbott (2023), "Lyapunov spectra of chaotic recurrent
neural networks", for exponents. A net of N units scatters about these values by the draw, and its largest exponent lies
below by an amount of order 1/N.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import argument
from .quadrature import gaussian_average

NEWTON_STEPS = 64


def stationary_variance(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """q = g² E[tanh²(√q z)] + σ_b², the variance of the net's inputs W h + b to its units.

    0 for g <= 1 without biases, where the net dies out. Differentiable in both arguments.
    """
    return _variance(*_parameters(gain, bias_variance))


def mean_square_growth(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """χ₁ = g² E[sech⁴(√q z)]: what one step multiplies the mean square of a random tangent vector or gradient by.

    Below 1 gradients vanish, above 1 they explode.
    """
    return _growth(*_parameters(gain, bias_variance))


def largest_exponent(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """λ₁ = ½ ln χ₁ = ½ ln(g² E[sech⁴(√q z)]) in nats a step; ln g for g <= 1 without biases."""
    return jnp.log(mean_square_growth(gain, bias_variance=bias_variance)) / 2


def mean_exponent(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """Σ λ_i/N = E ln|det J|/N = ln g - ½ + E[ln sech²(√q z)], in nats a step.

    ln g - ½ is ln|det W|/N of a Gaussian matrix; for N rows it is lower by about ln(N)/(4N), which the mean of
    `gaussian_product_exponents` has exactly.
    """
    return _mean_exponent(*_parameters(gain, bias_variance))


def share_of_exponents_below(exponent: ArrayLike, gain: ArrayLike) -> Float[Array, "..."]:
    """F(s) = e^{2s}/g² for s <= ln g, the share of exponents that are s or less, for g <= 1 and no biases.

    The net dies out, its Jacobian becomes W, and its exponents are ln|eigenvalues of W|, which fill the disc of radius
    g evenly (Girko's circular law). NaN for a traced g > 1, whose spectrum is not known in closed form.
    """
    gain = argument.real("gain", gain, at_least=0.0, up_to=1.0)
    exponent = argument.real("exponent", exponent, shape=None, dtype=gain.dtype)
    return jnp.where(gain <= 1, jnp.minimum(jnp.exp(2 * (exponent - jnp.log(gain))), 1), jnp.nan)


def edge_of_order(bias_variance: ArrayLike) -> Float[Array, ""]:
    """The σ_w² = g² at which χ₁ = 1, given σ_b²: below it perturbations die out, above it they grow.

    Sought in q, on which σ_w² = 1/E[sech⁴(√q z)] and σ_b² = q - σ_w² E[tanh²(√q z)] depend explicitly. Near 0 that
    difference is 4/3 q³, so that σ_w² = 1 + 2q is good to √eps only, and its derivative is not for σ_b² < eps^1.5.
    """
    return _edge(argument.real("bias_variance", bias_variance, at_least=0.0))


def _parameters(gain: ArrayLike, bias_variance: ArrayLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    gain = argument.real("gain", gain, at_least=0.0)
    return gain, argument.real("bias_variance", bias_variance, at_least=0.0, dtype=gain.dtype)


@jax.jit
def _variance(gain: Float[Array, ""], bias_variance: Float[Array, ""]) -> Float[Array, ""]:
    dead = (gain <= 1) & (bias_variance == 0)
    g = jnp.where(dead, 2, gain)  # any gain that has an answer, so that derivatives of the other branch are finite

    def excess(q: Float[Array, ""]) -> Float[Array, ""]:
        return q - g * g * gaussian_average(lambda x: jnp.tanh(x) ** 2, jnp.sqrt(q)) - bias_variance

    q = jnp.where(dead, 0, _largest_root(excess, g * g + bias_variance))
    return jnp.where((gain < 0) | (bias_variance < 0), jnp.nan, q)


@jax.jit
def _growth(gain: Float[Array, ""], bias_variance: Float[Array, ""]) -> Float[Array, ""]:
    deviation = _root(_variance(gain, bias_variance))
    return gain * gain * gaussian_average(lambda x: _sech2(x) ** 2, deviation)


@jax.jit
def _mean_exponent(gain: Float[Array, ""], bias_variance: Float[Array, ""]) -> Float[Array, ""]:
    deviation = _root(_variance(gain, bias_variance))
    return jnp.log(gain) - 0.5 + gaussian_average(_log_sech2, deviation)


@jax.jit
def _edge(bias_variance: Float[Array, ""]) -> Float[Array, ""]:
    def weight_variance(q: Float[Array, ""]) -> Float[Array, ""]:
        return 1 / gaussian_average(lambda x: _sech2(x) ** 2, jnp.sqrt(q))

    def excess(q: Float[Array, ""]) -> Float[Array, ""]:
        return q - weight_variance(q) * gaussian_average(lambda x: jnp.tanh(x) ** 2, jnp.sqrt(q)) - bias_variance

    start = bias_variance + 2 * _root(bias_variance) + 4
    found = jnp.where(bias_variance == 0, 1, weight_variance(_largest_root(excess, start)))
    return jnp.where(bias_variance < 0, jnp.nan, found)


def _largest_root(convex: Callable[[Array], Array], start: Float[Array, ""]) -> Float[Array, ""]:
    """The largest root of a convex function that increases beyond it, by Newton's method from a start above it.

    Such steps only ever descend, and do not overshoot; where the root is double or triple each still takes a half or
    a third off the distance. What the function closes over gets the derivative of the implicit function.
    """

    def slope(q: Array) -> Array:
        found = jax.jvp(convex, (q,), (jnp.ones_like(q),))[1]
        return jnp.where(found > 0, found, jnp.inf)  # else it is rounding, and the root is reached

    def descend(_: Array | int, q: Array) -> Array:
        return jnp.clip(q - convex(q) / slope(q), q / 16, q)

    q = jax.lax.stop_gradient(jax.lax.fori_loop(0, NEWTON_STEPS, descend, start))
    remainder = convex(q)
    return q - (remainder - jax.lax.stop_gradient(remainder)) / jax.lax.stop_gradient(slope(q))


def _root(x: Float[Array, ""]) -> Float[Array, ""]:
    """√x, with derivative 0 at 0, where the x that come here are constant."""
    return jnp.where(x == 0, 0, jnp.sqrt(jnp.where(x == 0, 1, x)))


def _sech2(x: Array) -> Array:
    """sech² x without the cancellation of 1 - tanh² x."""
    e = jnp.exp(-2 * jnp.abs(x))
    return 4 * e / (1 + e) ** 2


def _log_sech2(x: Array) -> Array:
    """ln sech² x, where sech² x itself may have underflowed."""
    size = jnp.abs(x)
    return 2 * (math.log(2) - size - jnp.log1p(jnp.exp(-2 * size)))
