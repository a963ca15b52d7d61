"""Activations whose first derivative is right to the last digits under saturation.

A gradient that vanishes is made of small derivatives, so a small derivative must not be rounding noise. The textbook
forms 1 - tanh² and σ(1 - σ) cancel: in float32 the first is exactly 0 for |x| > 9, the Jacobian diag(φ') W is then
singular and every logarithm of it -inf. Written with exponentials of -|x| nothing cancels,

    sech²(x) = (2 e^{-|x|} / (1 + e^{-2|x|}))²          σ'(x) = e^{-|x|} / (1 + e^{-|x|})²

and the relative error stays at a few ulp for as long as the value is a normal number (|x| < 44 and 87 in float32).
Each derivative names its own derivative in turn, so every higher order is right as well, at x = 0 included.

All functions are elementwise, of real arrays, and usable under jit, vmap, jvp and grad.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Real = Float[Array, "..."]
Activation = Callable[[Array], Array]


@jax.custom_jvp
def tanh(x: Real) -> Real:
    """tanh x, with derivative sech² x."""
    return jnp.tanh(_real(x))


@jax.custom_jvp
def sech2(x: Real) -> Real:
    """sech² x = d tanh x / dx, with derivative -2 tanh x sech² x."""
    e = _decay(x)
    sech = 2 * e / (1 + e * e)
    return sech * sech


@jax.custom_jvp
def logistic(x: Real) -> Real:
    """σ(x) = 1 / (1 + e^{-x}), with derivative σ'(x); relative accuracy also where σ is nearly 0."""
    e = _decay(x)
    return jnp.where(x >= 0, 1, e) / (1 + e)


@jax.custom_jvp
def logistic_slope(x: Real) -> Real:
    """σ'(x) = σ(x) σ(-x), with derivative -tanh(x/2) σ'(x)."""
    e = _decay(x)
    return e / ((1 + e) * (1 + e))


@jax.custom_jvp
def softplus(x: Real) -> Real:
    """ln(1 + e^x), with derivative σ(x)."""
    return jnp.maximum(x, 0) + jnp.log1p(_decay(x))


@jax.custom_jvp
def erf(x: Real) -> Real:
    """erf x = 2/√π ∫₀ˣ e^{-s²} ds, with derivative 2/√π e^{-x²}."""
    return jax.lax.erf(_real(x))


@jax.custom_jvp
def erf_slope(x: Real) -> Real:
    """2/√π e^{-x²}, with derivative -2x times that.

    Rounding x² alone would cost x² ulp. With a grid point g next to x, x² = g² + (x - g)(x + g), where g² is exact and
    the second term so small that its rounding does not count. Its factor is written with expm1 because XLA would fold
    a product of two exponentials back into one. The shift keeps the factors away from the end of the normal range.
    """
    shift = 16.0
    x = jnp.clip(x, -30, 30)  # beyond, the value is 0 in either precision
    grid = jnp.round(x * 64) / 64
    coarse = jnp.exp(shift - grid * grid)
    return (2 / math.sqrt(math.pi) * math.exp(-shift)) * (coarse + coarse * jnp.expm1(-(x - grid) * (x + grid)))


def relu(x: Real) -> Real:
    """max(x, 0), with derivative 1 for x > 0 and 0 elsewhere."""
    return jnp.where(_real(x) <= 0, 0, x)  # this way round a NaN stays one


def identity(x: Real) -> Real:
    """x itself: the linear net as a member of every family."""
    return x


def heaviside(x: Real) -> Real:
    """1 for x > 0, else 0. Its derivative is 0 wherever it has one, and so is the gradient it passes on."""
    return jnp.where(jnp.isnan(_real(x)), x, (x > 0).astype(x.dtype))


def _decay(x: Real) -> Real:
    return jnp.exp(-jnp.abs(_real(x)))


def _real(x: Real) -> Real:
    if jnp.iscomplexobj(x):
        raise TypeError(f"x: got dtype {x.dtype}, expected a real one; these derivatives hold on the real line")
    return x


tanh.defjvps(lambda dx, _, x: sech2(x) * dx)
sech2.defjvps(lambda dx, slope, x: -2 * tanh(x) * slope * dx)
logistic.defjvps(lambda dx, _, x: logistic_slope(x) * dx)
logistic_slope.defjvps(lambda dx, slope, x: -tanh(x / 2) * slope * dx)
softplus.defjvps(lambda dx, _, x: logistic(x) * dx)
erf.defjvps(lambda dx, _, x: erf_slope(x) * dx)
erf_slope.defjvps(lambda dx, slope, x: -2 * x * slope * dx)

__all__ = [
    "ACTIVATIONS",
    "erf",
    "erf_slope",
    "heaviside",
    "identity",
    "logistic",
    "logistic_slope",
    "relu",
    "sech2",
    "softplus",
    "tanh",
]

ACTIVATIONS: dict[str, Activation] = {
    "tanh": tanh,
    "logistic": logistic,
    "relu": relu,
    "softplus": softplus,
    "erf": erf,
    "identity": identity,
}
