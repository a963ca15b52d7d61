"""Divide points out that are known, so that Newton's method ends at others.

Instead of f(h) = 0, solve m(h) f(h) = 0 with

    m(h) = Π_i (1 + s² / ‖h - p_i‖²)

which grows without bound at the known points p_i and is 1 far from them. By the formula of Sherman and Morrison, the
Newton step of m f is that of f times a number: with d = -A⁻¹ f,

    d / (1 - ∇ln m · d)

so that deflation costs O(n) for each known point, and no factorisation. Farrell, Birkisson & Funke (2015), SIAM
Journal on Scientific Computing 37, A2026-A2045.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# points are divided out in tables of a multiple of so many rows, so that another number of points compiles nothing
ROWS = 64


class Divided(NamedTuple):
    """Points that are divided out, K of them.

    Attributes:
        points: p, (inputs, K, n).
        weight: 1, or 0 for a row of the table that holds no point, (inputs, K).
        reach: s, the distance from a point at which m = 2.
    """

    points: Float[Array, "inputs K n"]
    weight: Float[Array, "inputs K"]
    reach: Float[Array, ""]


def divided(points: list[np.ndarray], n: int, reach: float, dtype: np.dtype) -> Divided:
    """Return a table of the points of each input, (K, n) each."""
    most = max(len(each) for each in points)
    table = np.zeros((len(points), ROWS * -(-max(most, 1) // ROWS), n), dtype)
    weight = np.zeros(table.shape[:2], dtype)
    for i, each in enumerate(points):
        table[i, : len(each)], weight[i, : len(each)] = each, 1.0
    return Divided(jnp.asarray(table), jnp.asarray(weight), jnp.asarray(reach, dtype))


def deflated(
    change: Float[Array, " n"],
    h: Float[Array, " n"],
    points: Float[Array, "K n"],
    weight: Float[Array, " K"],
    reach: Float[Array, ""],
) -> Float[Array, " n"]:
    """Return the Newton step of m f, given that of f."""
    away = h[None] - points
    squared = jnp.sum(away**2, axis=1) / reach**2 + 1e-30
    slopes = -2 * (away @ change) / (reach**2 * squared * (1 + squared))
    return change / (1 - jnp.sum(jnp.where(weight > 0, slopes, 0.0)))
