"""Averages over a Gaussian of any width.

    E f(s z) = ∫ f(s z) e^{-z²/2}/√(2π) dz,    z = w sinh t,  w = max(1, π/(2s)),    by the trapezoidal rule in t

The functions of mean-field theory are made of tanh, whose singularities ±iπ/2, ±3iπ/2, ... close in on the real line
as s grows, so that rules for polynomials (Gauss-Hermite) need ever more points. In t all of them lie at a distance of
π/2, and the Gaussian stays bounded within π/4 of the line: the rule converges like e^{-π²/(2Δt)} at any s, with points
that are dense near 0 and reach as far as the Gaussian does (Trefethen and Weideman 2014 on why that rule is enough).
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import argument

# points on each side of 0, and the |z| beyond which the Gaussian is left out, 1e-22 of its peak
SIDE = 128
REACH = 10.0
# the nearest singularity of tanh, and the least width in units of it
POLE = math.pi / 2


def gaussian_average(function: Callable[[Array], Array], deviation: ArrayLike) -> Float[Array, ""]:
    """E f(s z) over a standard normal z, for an elementwise f and a deviation s >= 0.

    To rounding for s up to 10⁶ if f is smooth on the real line and has its singularities on the imaginary axis no
    nearer than π/2, as everything made of tanh or the logistic function does; a kink such as that of relu leaves an
    error of 1e-4. `function` is called once, with 257 points.
    """
    if not callable(function):
        raise TypeError(f"function: got {function!r}, expected an elementwise function of an array")
    deviation = argument.real("deviation", deviation, at_least=0.0)
    z, weights = nodes(deviation)
    return jnp.sum(weights * function(deviation * z))


def nodes(deviation: Float[Array, ""]) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """The points z and their weights."""
    w = POLE / jnp.maximum(deviation, POLE)
    unit = np.arange(-SIDE, SIDE + 1) / SIDE
    end = jnp.arcsinh(REACH / w)
    t = end * jnp.asarray(unit, deviation.dtype)
    z = w * jnp.sinh(t)
    weights = (end / (SIDE * math.sqrt(2 * math.pi))) * w * jnp.cosh(t) * jnp.exp(-z * z / 2)
    return z, weights
