"""Averages of a function over a Gaussian of any width.

    E f(s z) = ∫ f(s z) e^{-z²/2}/√(2π) dz,    z = w sinh t,  w = max(1, π/(2s)),    by the trapezoidal rule in t

The functions of mean-field theory are made of tanh, whose singularities ±iπ/2, ±3iπ/2, ... come closer to the real line
of z as s grows, so that rules for polynomials (Gauss-Hermite) need ever more points. In t all of them lie at a distance
of π/2, and the Gaussian stays bounded within π/4 of the line. The rule then converges like e^{-π²/(2Δt)} at any s, with
points that are dense near 0 and reach as far as the Gaussian does (Trefethen and Weideman 2014 explain why the
trapezoidal rule is enough).
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import argument

# the number of points on each side of 0, and the largest |z|, where the Gaussian is 1e-22 of its peak
SIDE = 128
REACH = 10.0
# the distance of tanh's nearest singularity from 0
POLE = math.pi / 2


def gaussian_average(function: Callable[[Array], Array], deviation: ArrayLike) -> Float[Array, ""]:
    """Compute the average of a function over a Gaussian with mean 0 and a given standard deviation.

        E f(s z),    z ~ N(0, 1)

    It is exact to rounding for s up to 10⁶ if f is smooth on the real line and its singularities on the imaginary axis
    are at least π/2 away from 0, as for everything made of tanh or the logistic function. A kink such as that of relu
    leaves an error of 1e-4.

    Args:
        function: f, an elementwise function of an array. It is called once, with 257 points.
        deviation: s >= 0, a scalar, traced or not; use `jax.vmap` for many.

    Returns:
        The average, a scalar.

    Cost:
        One call of `function` with 257 points.

    Example:
        >>> round(float(rd.theory.gaussian_average(lambda x: x**2, 3.0)), 3)
        9.0

    References:
        Trefethen & Weideman (2014), on the exponential convergence of the trapezoidal rule.
    """
    if not callable(function):
        raise TypeError(f"function: got {function!r}, expected an elementwise function of an array")
    deviation = argument.real("deviation", deviation, at_least=0.0)
    z, weights = nodes(deviation)
    return jnp.sum(weights * function(deviation * z))


def nodes(deviation: Float[Array, ""]) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Return the points z and their weights."""
    w = POLE / jnp.maximum(deviation, POLE)
    unit = np.arange(-SIDE, SIDE + 1) / SIDE
    end = jnp.arcsinh(REACH / w)
    t = end * jnp.asarray(unit, deviation.dtype)
    z = w * jnp.sinh(t)
    weights = (end / (SIDE * math.sqrt(2 * math.pi))) * w * jnp.cosh(t) * jnp.exp(-z * z / 2)
    return z, weights
