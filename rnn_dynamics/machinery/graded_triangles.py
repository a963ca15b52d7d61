"""Multiply many triangular matrices whose rows differ in size by more than a float type spans, and find the σ_i.

    R = diag(e^s) V,   V upper triangular with rows of size 1, one logarithmic scale s_i for each row

A plain product would drown its small singular values in the rounding of the large ones. Here every row has its own
scale, so each keeps its digits.

Multiply (`times`): row i of T R is Σ_l T_il e^{s_l} V_l. The largest term is divided out before the sum.

Find the singular values (`log_singular_values_of`): turn pairs of rows in their plane until all rows are orthogonal.
Then their lengths are the singular values. These one-sided Jacobi rotations find each value to the relative accuracy
that V allows, however small it is (Demmel and Veselić 1992). A rotation needs the sizes of its two rows only as their
ratio ρ <= 1. With g and h the unit vectors of the larger and the smaller row and c the cosine of their angle,

    q = 2c / (1 - ρ² + √((1 - ρ²)² + 4c²ρ²)),   tan θ = ρ q
    larger ← cos θ (g + ρ² q h),   smaller ← cos θ (h - q g)        each to be multiplied by its own scale

A sweep rotates every pair once, in rounds of n/2 disjoint pairs, as in a round-robin tournament. The sweeps end when
every cosine is at the level of rounding.

`measure/singular_values.py` builds the product from the T of `lu_frames.py`.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import entry

MOST_SWEEPS = 40


class Graded(NamedTuple):
    """The matrix diag(e^{scales}) · rows. A row of zeros has the scale -inf."""

    scales: Float[Array, " n"]
    rows: Float[Array, "n n"]


def identity(n: int, dtype: jnp.dtype) -> Graded:
    """Return the n × n identity."""
    return Graded(jnp.zeros(n, dtype), jnp.eye(n, dtype=dtype))


def times(left: Float[Array, "n n"], right: Graded) -> Graded:
    """Compute left · right for an upper triangular `left`."""
    held = jax.lax.stop_gradient  # the derivative of a scale would be NaN where T_il is 0; the rows have all of it
    scales = jnp.max(held(jnp.log(jnp.abs(left)) + right.scales[None]), axis=1)
    # the first factor is 0 where the second would overflow
    most = math.log(jnp.finfo(left.dtype).max) - 1
    weights = jnp.triu(left) * jnp.exp(jnp.minimum(right.scales[None] - _finite(scales)[:, None], most))
    rows = weights @ right.rows
    largest = held(jnp.max(jnp.abs(rows), axis=1))
    return Graded(scales + jnp.log(largest), rows / jnp.where(largest == 0, 1, largest)[:, None])


def log_singular_values_of(product: Graded) -> Float[Array, " n"]:
    """Compute ln σ_i in descending order; NaN if the rows do not become orthogonal to rounding in 40 sweeps."""
    n = len(product.scales)
    pairs = (n + 1) // 2
    # pairs need an even number of rows: an odd one is filled up with a row of zeros, which no rotation changes
    scales = jnp.pad(product.scales, (0, 2 * pairs - n), constant_values=-jnp.inf)
    rows = jnp.pad(product.rows, ((0, 2 * pairs - n), (0, 0)))
    tolerance = 8 * n * float(jnp.finfo(rows.dtype).eps)

    def tournament(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        scales, rows, worst = carry
        first, second, cosine = _rotated(Graded(scales[:pairs], rows[:pairs]), Graded(scales[pairs:], rows[pairs:]))
        scales, rows = _next_round(first.scales, second.scales), _next_round(first.rows, second.rows)
        return (scales, rows, jnp.maximum(worst, jnp.max(cosine))), None

    def sweep(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        scales, rows, _, sweeps = carry
        start = entry.varying_like((scales, rows, jnp.zeros((), rows.dtype)), rows)
        (scales, rows, worst), _ = jax.lax.scan(tournament, start, None, length=max(2 * pairs - 1, 1))
        return scales, rows, worst, sweeps + 1

    # a comparison with NaN is false and ends the loop
    start = entry.varying_like((scales, rows, jnp.full((), jnp.inf, rows.dtype), jnp.int32(0)), rows)
    scales, rows, worst, _ = jax.lax.while_loop(lambda c: (c[2] > tolerance) & (c[3] < MOST_SWEEPS), sweep, start)
    values = _unit(Graded(scales, rows)).scales
    return jnp.where(worst <= tolerance, -jnp.sort(-values)[:n], jnp.nan)


def _rotated(left: Graded, right: Graded) -> tuple[Graded, Graded, Array]:
    """Turn each pair of rows in its plane until they are orthogonal; return them and the cosines they had before."""
    left, right = _unit(left), _unit(right)
    swap = (right.scales > left.scales)[:, None]
    large = Graded(jnp.maximum(left.scales, right.scales), jnp.where(swap, right.rows, left.rows))
    small = Graded(jnp.minimum(left.scales, right.scales), jnp.where(swap, left.rows, right.rows))
    cosine = jnp.sum(large.rows * small.rows, axis=1)
    ratio = jnp.exp(small.scales - _finite(large.scales))
    gap = 1 - ratio * ratio
    # tan θ / ratio, so that a ratio of zero needs no special case
    slope = 2 * cosine / jnp.maximum(gap + jnp.sqrt(gap * gap + 4 * (cosine * ratio) ** 2), jnp.finfo(gap.dtype).tiny)
    tangent = slope * ratio
    turn = (1 / jnp.sqrt(1 + tangent * tangent))[:, None]
    larger = turn * (large.rows + (tangent * ratio)[:, None] * small.rows)
    smaller = turn * (small.rows - slope[:, None] * large.rows)
    # each row keeps its place, otherwise the rounds would not pair every row with every other
    first = Graded(left.scales, jnp.where(swap, smaller, larger))
    second = Graded(right.scales, jnp.where(swap, larger, smaller))
    return first, second, jnp.abs(cosine)


def _unit(part: Graded) -> Graded:
    squares = jnp.sum(part.rows**2, axis=1)
    zero = squares == 0
    norms = jnp.sqrt(jnp.where(zero, 1, squares))  # a derivative at the length of a row of zeros would be NaN
    return Graded(part.scales + jnp.where(zero, -jnp.inf, jnp.log(norms)), part.rows / norms[:, None])


def _next_round(first: Array, second: Array) -> Array:
    """Form the pairs of the next round, as in a round-robin tournament: the first row stays, the others move on."""
    if len(first) == 1:
        return jnp.concatenate([first, second])
    first, second = (
        jnp.concatenate([first[:1], second[:1], first[1:-1]]),
        jnp.concatenate([second[1:], first[-1:]]),
    )
    return jnp.concatenate([first, second])


def _finite(scales: Array) -> Array:
    return jnp.where(jnp.isfinite(scales), scales, 0)
