"""Mean-field theory of wide random tanh nets: W ~ N(0, g²/N), biases N(0, σ_b²) fixed in time, N -> infinity.

    rate map  x_t = W tanh(x_{t-1}) + b        the same net as  h_t = tanh(W h_{t-1} + b)  with x = W h + b

Over random draws of the net each x_i is Gaussian. Its variance q settles where it reproduces itself,

    q = g² E[tanh²(√q z)] + σ_b²,    z ~ N(0, 1),

and each step multiplies the mean square of a tangent vector that is independent of x by χ₁ = g² E[sech⁴(√q z)].

A net of N units scatters about these values from draw to draw, and its largest exponent is lower by an amount of
order 1/N.

References:
    Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks".
    Poole et al. (2016), "Exponential expressivity in deep neural networks through transient chaos", and
    Schoenholz et al. (2017), "Deep information propagation": χ₁ and the edge of order.
    Engelken, Wolf & Abbott (2023), "Lyapunov spectra of chaotic recurrent neural networks": the exponents.
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
    """Compute the stationary variance of the units' inputs W h + b in a wide random tanh net.

        q = g² E[tanh²(√q z)] + σ_b²,    z ~ N(0, 1)

    It is 0 for g <= 1 without biases, where the activity dies out. Differentiable in both arguments.

    Args:
        gain: g >= 0; the recurrent weights are N(0, g²/N). A scalar; use `jax.vmap` for many.
        bias_variance: σ_b² >= 0, the variance of the biases. Default: 0, no biases.

    Returns:
        q, a scalar in the precision of `gain`; NaN if a traced argument is negative.

    Cost:
        64 Newton steps with one average over 257 points and its derivative each.

    Example:
        >>> float(rd.theory.stationary_variance(0.9))
        0.0
        >>> round(float(rd.theory.stationary_variance(0.0, bias_variance=0.3)), 3)
        0.3

    References:
        Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks".
        Poole et al. (2016), "Exponential expressivity in deep neural networks through transient chaos".
    """
    return _variance(*_parameters(gain, bias_variance))


def mean_square_growth(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """Compute the factor by which one step multiplies the mean square of a random tangent vector or gradient.

        χ₁ = g² E[sech⁴(√q z)],    z ~ N(0, 1),    q from `stationary_variance`

    Gradients vanish below χ₁ = 1 and explode above it.

    Args:
        gain: g >= 0; the recurrent weights are N(0, g²/N). A scalar; use `jax.vmap` for many.
        bias_variance: σ_b² >= 0, the variance of the biases. Default: 0, no biases.

    Returns:
        χ₁, a scalar in the precision of `gain`; NaN if a traced argument is negative.

    Cost:
        About that of `stationary_variance`.

    Example:
        >>> round(float(rd.theory.mean_square_growth(0.5)), 3)
        0.25

    References:
        Poole et al. (2016), "Exponential expressivity in deep neural networks through transient chaos".
        Schoenholz et al. (2017), "Deep information propagation".
    """
    return _growth(*_parameters(gain, bias_variance))


def largest_exponent(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """Compute the largest Lyapunov exponent of a wide random tanh net.

        λ₁ = ½ ln χ₁ = ½ ln(g² E[sech⁴(√q z)]),    z ~ N(0, 1),    q from `stationary_variance`

    It is ln g for g <= 1 without biases. In a net of N units it is lower by an amount of order 1/N.

    Args:
        gain: g >= 0; the recurrent weights are N(0, g²/N). A scalar; use `jax.vmap` for many.
        bias_variance: σ_b² >= 0, the variance of the biases. Default: 0, no biases.

    Returns:
        λ₁ in nats per step, a scalar in the precision of `gain`; NaN if a traced argument is negative.

    Cost:
        About that of `stationary_variance`.

    Example:
        >>> round(float(rd.theory.largest_exponent(0.5)), 3)
        -0.693
        >>> round(float(rd.theory.largest_exponent(1.5)), 3)
        0.065

    References:
        Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks".
        Engelken, Wolf & Abbott (2023), "Lyapunov spectra of chaotic recurrent neural networks".
    """
    return jnp.log(mean_square_growth(gain, bias_variance=bias_variance)) / 2


def mean_exponent(gain: ArrayLike, *, bias_variance: ArrayLike = 0.0) -> Float[Array, ""]:
    """Compute the mean of all Lyapunov exponents of a wide random tanh net.

        Σ λ_i/N = E ln|det J|/N = ln g - ½ + E[ln sech²(√q z)],    z ~ N(0, 1),    q from `stationary_variance`

    ln g - ½ is ln|det W|/N of a Gaussian matrix in the limit N -> infinity. For N rows it is lower by about ln(N)/(4N);
    the mean of `gaussian_product_exponents` is exact at every N.

    Args:
        gain: g >= 0; the recurrent weights are N(0, g²/N). A scalar; use `jax.vmap` for many.
        bias_variance: σ_b² >= 0, the variance of the biases. Default: 0, no biases.

    Returns:
        The mean exponent in nats per step, a scalar in the precision of `gain`; NaN if a traced argument is negative.

    Cost:
        About that of `stationary_variance`.

    Example:
        >>> round(float(rd.theory.mean_exponent(1.0)), 3)
        -0.5

    References:
        Engelken, Wolf & Abbott (2023), "Lyapunov spectra of chaotic recurrent neural networks".
    """
    return _mean_exponent(*_parameters(gain, bias_variance))


def share_of_exponents_below(exponent: ArrayLike, gain: ArrayLike) -> Float[Array, "..."]:
    """Compute the share of Lyapunov exponents that are at most `exponent`, for a net without biases at g <= 1.

        F(s) = e^{2s}/g²  for s <= ln g,    1 above

    At g <= 1 the activity dies out and the Jacobian becomes W. The exponents are then ln|eigenvalues of W|, and the
    eigenvalues fill the disc of radius g evenly (Girko's circular law). No closed form is known for g > 1.

    Args:
        exponent: s in nats per step, an array of any shape.
        gain: g between 0 and 1; the recurrent weights are N(0, g²/N). A scalar.

    Returns:
        F(s), between 0 and 1, in the shape of `exponent` and the precision of `gain`; NaN for a traced g > 1.

    Example:
        >>> round(float(rd.theory.share_of_exponents_below(jnp.log(0.25), 0.5)), 3)
        0.25
    """
    gain = argument.real("gain", gain, at_least=0.0, up_to=1.0)
    exponent = argument.real("exponent", exponent, shape=None, dtype=gain.dtype)
    return jnp.where(gain <= 1, jnp.minimum(jnp.exp(2 * (exponent - jnp.log(gain))), 1), jnp.nan)


def edge_of_order(bias_variance: ArrayLike) -> Float[Array, ""]:
    """Compute the weight variance σ_w² = g² at which χ₁ = 1 for a given bias variance.

        σ_w² = 1/E[sech⁴(√q z)],    σ_b² = q - σ_w² E[tanh²(√q z)],    z ~ N(0, 1)

    Perturbations die out below it and grow above it. The search runs over q, in which both equations are explicit. Near
    q = 0 the right side of the second is 4/3 q³, so that σ_w² = 1 + 2q is accurate to √eps only; its derivative is
    not accurate for σ_b² < eps^1.5.

    Args:
        bias_variance: σ_b² >= 0, the variance of the biases. A scalar; use `jax.vmap` for many.

    Returns:
        σ_w², a scalar in the precision of `bias_variance`; NaN if that is traced and negative. The gain is its root.

    Cost:
        About that of `stationary_variance`.

    Example:
        >>> float(rd.theory.edge_of_order(0.0))
        1.0
        >>> round(float(rd.theory.edge_of_order(0.1)), 3)
        1.986

    References:
        Poole et al. (2016), "Exponential expressivity in deep neural networks through transient chaos".
        Schoenholz et al. (2017), "Deep information propagation".
    """
    return _edge(argument.real("bias_variance", bias_variance, at_least=0.0))


def _parameters(gain: ArrayLike, bias_variance: ArrayLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    gain = argument.real("gain", gain, at_least=0.0)
    return gain, argument.real("bias_variance", bias_variance, at_least=0.0, dtype=gain.dtype)


@jax.jit
def _variance(gain: Float[Array, ""], bias_variance: Float[Array, ""]) -> Float[Array, ""]:
    dead = (gain <= 1) & (bias_variance == 0)
    g = jnp.where(dead, 2, gain)  # a gain with a solution, so that derivatives of the unused branch are finite

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
    """Find the largest root of a convex function by Newton's method, from a start above the root.

    The function must increase beyond the root. Then the steps descend and never overshoot; at a double or triple root
    each still shortens the distance by a half or a third. The values that the function closes over get the derivative
    of the implicit function.
    """

    def slope(q: Array) -> Array:
        found = jax.jvp(convex, (q,), (jnp.ones_like(q),))[1]
        return jnp.where(found > 0, found, jnp.inf)  # a slope <= 0 is rounding at the root: stop there

    def descend(_: Array | int, q: Array) -> Array:
        return jnp.clip(q - convex(q) / slope(q), q / 16, q)

    q = jax.lax.stop_gradient(jax.lax.fori_loop(0, NEWTON_STEPS, descend, start))
    remainder = convex(q)
    return q - (remainder - jax.lax.stop_gradient(remainder)) / jax.lax.stop_gradient(slope(q))


def _root(x: Float[Array, ""]) -> Float[Array, ""]:
    """Return √x with derivative 0 at x = 0, where the callers' x is constant."""
    return jnp.where(x == 0, 0, jnp.sqrt(jnp.where(x == 0, 1, x)))


def _sech2(x: Array) -> Array:
    """Compute sech² x without the cancellation of 1 - tanh² x."""
    e = jnp.exp(-2 * jnp.abs(x))
    return 4 * e / (1 + e) ** 2


def _log_sech2(x: Array) -> Array:
    """Compute ln sech² x, accurate even where sech² x underflows."""
    size = jnp.abs(x)
    return 2 * (math.log(2) - size - jnp.log1p(jnp.exp(-2 * size)))
