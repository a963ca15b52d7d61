"""Products of triangular matrices whose rows differ in size by more than a float type spans; their singular values.

R = diag(e^s) V with V upper triangular and rows of size 1. The singular values come from one-sided Jacobi rotations of
the rows, which find each of them to the relative accuracy that V allows, however small (Demmel and Veselić 1992); a
rotation needs the sizes of its two rows only as their ratio, which is at most 1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import entry

MOST_SWEEPS = 40


class Graded(NamedTuple):
    """diag(e^{scales}) · rows; a scale of -inf is a row of zeros."""

    scales: Float[Array, " n"]
    rows: Float[Array, "n n"]


def identity(n: int, dtype: jnp.dtype) -> Graded:
    """The n × n identity."""
    return Graded(jnp.zeros(n, dtype), jnp.eye(n, dtype=dtype))


def times(left: Float[Array, "n n"], right: Graded) -> Graded:
    """left · right, for an upper triangular `left`."""
    sizes = jnp.log(jnp.abs(left)) + right.scales[None]
    scales = jnp.max(sizes, axis=1)
    weights = jnp.sign(left) * jnp.exp(sizes - _finite(scales)[:, None])
    rows = weights @ right.rows
    largest = jnp.max(jnp.abs(rows), axis=1)
    return Graded(scales + jnp.log(largest), rows / jnp.where(largest == 0, 1, largest)[:, None])


def log_singular_values_of(product: Graded) -> Float[Array, " n"]:
    """ln σ_i, descending; NaN should the rows not have become orthogonal to rounding."""
    n = len(product.scales)
    pairs = (n + 1) // 2
    # with an odd number of rows one of zeros plays along
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

    # a NaN compares false and ends the loop
    start = entry.varying_like((scales, rows, jnp.full((), jnp.inf, rows.dtype), jnp.int32(0)), rows)
    scales, rows, worst, _ = jax.lax.while_loop(lambda c: (c[2] > tolerance) & (c[3] < MOST_SWEEPS), sweep, start)
    values = scales + jnp.log(jnp.linalg.norm(rows, axis=1))
    return jnp.where(worst <= tolerance, -jnp.sort(-values)[:n], jnp.nan)


def _rotated(left: Graded, right: Graded) -> tuple[Graded, Graded, Array]:
    """Each pair of rows turned in its plane until orthogonal, and the cosine of the angle that they had."""
    left, right = _unit(left), _unit(right)
    swap = (right.scales > left.scales)[:, None]
    large = Graded(jnp.maximum(left.scales, right.scales), jnp.where(swap, right.rows, left.rows))
    small = Graded(jnp.minimum(left.scales, right.scales), jnp.where(swap, left.rows, right.rows))
    cosine = jnp.sum(large.rows * small.rows, axis=1)
    ratio = jnp.exp(small.scales - _finite(large.scales))
    gap = 1 - ratio * ratio
    # tan θ / ratio, so that a ratio of zero is no special case
    slope = 2 * cosine / jnp.maximum(gap + jnp.sqrt(gap * gap + 4 * (cosine * ratio) ** 2), jnp.finfo(gap.dtype).tiny)
    tangent = slope * ratio
    turn = (1 / jnp.sqrt(1 + tangent * tangent))[:, None]
    larger = turn * (large.rows + (tangent * ratio)[:, None] * small.rows)
    smaller = turn * (small.rows - slope[:, None] * large.rows)
    # each keeps its seat, or the tournament would not bring every pair together
    first = Graded(left.scales, jnp.where(swap, smaller, larger))
    second = Graded(right.scales, jnp.where(swap, larger, smaller))
    return first, second, jnp.abs(cosine)


def _unit(part: Graded) -> Graded:
    norms = jnp.linalg.norm(part.rows, axis=1)
    return Graded(part.scales + jnp.log(norms), part.rows / jnp.where(norms == 0, 1, norms)[:, None])


def _next_round(first: Array, second: Array) -> Array:
    """A round-robin tournament: the first player stays, the others move one seat on around the table."""
    if len(first) == 1:
        return jnp.concatenate([first, second])
    first, second = (
        jnp.concatenate([first[:1], second[:1], first[1:-1]]),
        jnp.concatenate([second[1:], first[-1:]]),
    )
    return jnp.concatenate([first, second])


def _finite(scales: Array) -> Array:
    return jnp.where(jnp.isfinite(scales), scales, 0)
