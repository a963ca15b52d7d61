"""Activations whose derivatives stay accurate to the last digits under saturation.

A vanishing gradient is a product of small derivatives, so small derivatives must not be rounding noise. The textbook
forms 1 - tanh² and σ(1 - σ) cancel: in float32 the first is exactly 0 for |x| > 9, the Jacobian diag(φ') W is then
singular, and the logarithm of its determinant is -inf. Written with exponentials of -|x| nothing cancels,

    sech²(x) = (2 e^{-|x|} / (1 + e^{-2|x|}))²          σ'(x) = e^{-|x|} / (1 + e^{-|x|})²

and the relative error stays at a few ulp while the value is a normal number (|x| < 44 for sech² and |x| < 87 for σ' in
float32). Each derivative has its own derivative rule, so every higher order is accurate too, also at x = 0.

All functions are elementwise, take real arrays, and work under jit, vmap, jvp and grad. A complex argument raises a
TypeError in all of them but `identity`.
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
    """Compute the hyperbolic tangent, with a derivative that is accurate under saturation.

        tanh x,    tanh' x = sech² x

    Args:
        x: A real array of any shape.

    Returns:
        tanh x elementwise, between -1 and 1.

    Example:
        >>> slope = jax.grad(rd.cells.activations.tanh)(20.0)
        >>> round(float(jnp.log(slope)), 2)  # ln 4 - 40; the textbook form gives -inf
        -38.61
    """
    return jnp.tanh(_real(x))


@jax.custom_jvp
def sech2(x: Real) -> Real:
    """Compute the slope of tanh without cancellation.

        sech² x = d tanh x / dx = (2e / (1 + e²))²,    e = exp(-|x|),    (sech²)' = -2 tanh x sech² x

    Args:
        x: A real array of any shape.

    Returns:
        sech² x elementwise, between 0 and 1, to a few ulp for |x| < 44 in float32.

    Example:
        >>> float(rd.cells.activations.sech2(jnp.array(0.0)))
        1.0
    """
    e = _decay(x)
    sech = 2 * e / (1 + e * e)
    return sech * sech


@jax.custom_jvp
def logistic(x: Real) -> Real:
    """Compute the logistic function, accurate to a relative error of a few ulp even where it is nearly 0.

        σ(x) = 1 / (1 + e^{-x}),    σ'(x) from `logistic_slope`

    Args:
        x: A real array of any shape.

    Returns:
        σ(x) elementwise, between 0 and 1.

    Example:
        >>> float(rd.cells.activations.logistic(jnp.array(0.0)))
        0.5
    """
    e = _decay(x)
    return jnp.where(x >= 0, 1, e) / (1 + e)


@jax.custom_jvp
def logistic_slope(x: Real) -> Real:
    """Compute the slope of the logistic function without cancellation.

        σ'(x) = σ(x) σ(-x) = e / (1 + e)²,    e = exp(-|x|),    σ''(x) = -tanh(x/2) σ'(x)

    Args:
        x: A real array of any shape.

    Returns:
        σ'(x) elementwise, between 0 and 1/4, to a few ulp for |x| < 87 in float32.

    Example:
        >>> float(rd.cells.activations.logistic_slope(jnp.array(0.0)))
        0.25
    """
    e = _decay(x)
    return e / ((1 + e) * (1 + e))


@jax.custom_jvp
def softplus(x: Real) -> Real:
    """Compute the softplus function, a smooth version of relu.

        ln(1 + e^x),    its derivative σ(x)

    Args:
        x: A real array of any shape.

    Returns:
        ln(1 + e^x) elementwise.

    Example:
        >>> round(float(rd.cells.activations.softplus(jnp.array(0.0))), 3)  # ln 2
        0.693
    """
    return jnp.maximum(x, 0) + jnp.log1p(_decay(x))


@jax.custom_jvp
def erf(x: Real) -> Real:
    """Compute the error function, with a derivative that is accurate under saturation.

        erf x = 2/√π ∫₀ˣ e^{-s²} ds,    erf' x = 2/√π e^{-x²}

    Args:
        x: A real array of any shape.

    Returns:
        erf x elementwise, between -1 and 1.

    Example:
        >>> float(rd.cells.activations.erf(jnp.array(0.0)))
        0.0
    """
    return jax.lax.erf(_real(x))


@jax.custom_jvp
def erf_slope(x: Real) -> Real:
    """Compute the slope of the error function, to a few ulp as long as it is a normal number.

        erf' x = 2/√π e^{-x²},    erf'' x = -2x erf' x

    Args:
        x: A real array of any shape.

    Returns:
        2/√π e^{-x²} elementwise.

    Example:
        >>> round(float(rd.cells.activations.erf_slope(jnp.array(0.0))), 3)  # 2/√π
        1.128
    """
    # The rounding of x² alone would cost x² ulp. With g the multiple of 1/64 next to x, x² = g² + (x - g)(x + g): g² is
    # exact, and the second term is so small that its rounding does not count. Its factor is written with expm1 because
    # XLA would fold a product of two exponentials back into one. The shift keeps the factors in the normal range.
    shift = 16.0
    x = jnp.clip(x, -30, 30)  # beyond, the value is 0 in float32 and in float64
    grid = jnp.round(x * 64) / 64
    coarse = jnp.exp(shift - grid * grid)
    return (2 / math.sqrt(math.pi) * math.exp(-shift)) * (coarse + coarse * jnp.expm1(-(x - grid) * (x + grid)))


def relu(x: Real) -> Real:
    """Compute the rectified linear function.

        max(x, 0),    its derivative 1 for x > 0 and 0 elsewhere

    Args:
        x: A real array of any shape.

    Returns:
        max(x, 0) elementwise; NaN stays NaN.

    Example:
        >>> rd.cells.activations.relu(jnp.array([-1.0, 2.0]))
        Array([0., 2.], dtype=float32)
    """
    return jnp.where(_real(x) <= 0, 0, x)  # the comparison `x > 0` would turn a NaN into 0


def identity(x: Real) -> Real:
    """Return x unchanged, which makes a net of any family linear.

    Args:
        x: An array of any shape.

    Returns:
        x itself.

    Example:
        >>> rd.cells.activations.identity(jnp.array([-1.0, 2.0]))
        Array([-1.,  2.], dtype=float32)
    """
    return x


def heaviside(x: Real) -> Real:
    """Compute the step function.

        H(x) = 1 for x > 0 and 0 for x <= 0

    Its derivative is 0 wherever it exists, so the gradient that it passes on is 0.

    Args:
        x: A real array of any shape.

    Returns:
        H(x) elementwise, in the dtype of x; NaN stays NaN.

    Example:
        >>> rd.cells.activations.heaviside(jnp.array([-1.0, 0.0, 2.0]))
        Array([0., 0., 1.], dtype=float32)
    """
    return jnp.where(jnp.isnan(_real(x)), x, (x > 0).astype(x.dtype))


def _decay(x: Real) -> Real:
    return jnp.exp(-jnp.abs(_real(x)))


def _real(x: Real) -> Real:
    if jnp.iscomplexobj(x):
        raise TypeError(f"x: got dtype {x.dtype}, expected a real dtype; the derivatives hold for real numbers only")
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


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
