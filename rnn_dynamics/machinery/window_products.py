"""Multiply step Jacobians in many windows of time side by side, so that a long product takes fewer, larger steps.

    J_S ··· J_1 = Q_C ··· Q_1,   Q_c = the product of the L Jacobians of window c,   S = C L

The states are found first, one after the other. Then all windows pull their rows through their steps together, which is
one batched operation in place of C small ones, and C - 1 more products join the windows. The result is that of one long
loop up to rounding, because a matrix product is associative. Every product is kept as P · 2^exponent (`scaled.py`).

A stretch of S steps is finished before the next one begins, so that memory does not depend on T: C matrices and S
states. `measure/product.py` needs only the whole product. `lag_loop.py` needs the norm at every lag, so it pulls twice:
once to learn the product that each window starts from, and once more from there.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from . import entry
from .linear_maps import linear_maps
from .scaled import exponent_of, power_of_two, rescaled
from .state_vector import flatten

# steps of a window: more would hold more states, fewer would spend more time on joining the windows
LONGEST = 32

# what "auto" chooses on a CPU, by the table of benchmarks/windows.py: a call takes between 0.2 and 0.9 of the time. The
# program takes half a second longer to compile, which a few calls of this length make up for
ON_CPU, LONG_ON_CPU, SMALL_ON_CPU = 32, 100_000, 16
# and on an accelerator, where a step takes as long for one small matrix as for many: an expectation, not yet measured
ON_ACCELERATOR, LONG_ON_ACCELERATOR, SMALL_ON_ACCELERATOR = 64, 2_000, 128

# matrices as (direction, exponent), the largest magnitude of each direction in [½, 1)
Product = tuple[Float[Array, "..."], Int[Array, "..."]]


def number_of_windows(windows: int | str, T: int, n: int, batched: bool, least: int = 1) -> int:
    """Return how many windows to use: what the user chose, at most T; for "auto" as many as pay for these sizes.

    `batched`: whether several such products may already be computed side by side; then "auto" is 1. It is also 1 on a
    CPU below `least` numbers in the state.
    """
    if windows != "auto":
        return min(argument.size("windows", windows, 1), T)
    if jax.default_backend() == "cpu":
        pays = T >= LONG_ON_CPU and least <= n <= SMALL_ON_CPU
        return ON_CPU if pays and not batched else 1
    pays = T >= LONG_ON_ACCELERATOR and n <= SMALL_ON_ACCELERATOR
    return ON_ACCELERATOR if pays and not batched else 1


def window_length(T: int, windows: int) -> int:
    """Return how many steps each window has, so that stretches of that many exceed T as little as possible."""
    stretches = math.ceil(T / (windows * LONGEST))
    return math.ceil(T / (stretches * windows))


def cut(tree: Any, windows: int) -> Any:
    """Cut the leading axis, time, into (window, step of it)."""
    return jax.tree.map(lambda leaf: leaf.reshape(windows, -1, *leaf.shape[1:]), tree)


def window_products(pull: Callable[[Array, Any], Array], start: Float[Array, "rows n"], times: Any) -> Product:
    """Return start · J_L ··· J_1 for each window, where `pull(rows, times[c, t])` = rows · J_t."""
    # a fixed combination without zeros, and without symmetries that a net may have
    glance = jnp.cos(jnp.arange(len(start), dtype=start.dtype) + 1)

    def back(carry: tuple[Array, Array, Array], now: Any) -> tuple[tuple[Array, Array, Array], None]:
        rows, exponent, shift = carry
        rows = pull(rows * power_of_two(-shift, rows.dtype), now)
        # one combination of the rows has about their size and is cheaper than a look at all of them
        size = jax.lax.stop_gradient(jnp.max(jnp.abs(glance @ rows)))
        return (rows, exponent + shift, exponent_of(size)), None

    def of_one(times: Any) -> Product:
        nothing = jnp.int32(0)
        begin = entry.varying_like((start, nothing, nothing), times)
        (rows, exponent, _), _ = jax.lax.scan(back, begin, times, reverse=True)
        rows, more = rescaled(rows)
        return rows, exponent + more

    return jax.vmap(of_one)(times)


def joined(left: Product, windows: Product, columns: slice = slice(None)) -> tuple[Product, Product]:
    """Multiply left · Q_C ··· Q_1. Return this product, and for each window the product of all that stands before it.

    `columns` are those of a product that the rows of the next one belong to, where not all do.
    """

    def on(left: Product, window: Product) -> tuple[Product, Product]:
        product, more = rescaled(left[0][:, columns] @ window[0])
        return (product, left[1] + window[1] + more), left

    return jax.lax.scan(on, left, windows, reverse=True)


def product_in_windows(step: Step, params: Params, h0: State, xs: Input, T: int, windows: int) -> Product:
    """Compute J_T ··· J_1 in stretches of this many windows. The first stretch begins with steps that stay at h0."""
    every = windows * window_length(T, windows)
    stretches = math.ceil(T / every)
    vector, _ = flatten(h0)
    identity = jnp.eye(vector.size, dtype=vector.dtype)
    step, xs = _lengthened(step, xs, T, stretches * every - T)

    def pull(rows: Array, now: tuple[State, Input]) -> Array:
        return linear_maps(step, params, *now).pull(rows)

    def through(h: State, x: Input) -> tuple[State, State]:
        return step(params, h, x), h

    def stretch(carry: tuple[State, Product], xs: Input) -> tuple[tuple[State, Product], None]:
        h, (product, exponent) = carry
        h, before = jax.lax.scan(through, h, xs, length=every)
        begin = entry.varying_like((identity, jnp.int32(0)), h)
        (left, shift), _ = joined(begin, window_products(pull, identity, cut((before, xs), windows)))
        product, more = rescaled(left @ product)
        return (h, (product, exponent + shift + more)), None

    start = entry.varying_like((h0, (identity, jnp.int32(0))), h0)
    (_, product), _ = jax.lax.scan(stretch, start, cut(xs, stretches), length=stretches)
    return product


def _lengthened(step: Step, xs: Input, T: int, spare: int) -> tuple[Step, Input]:
    """Put `spare` steps that leave the state as it is in front of the inputs."""
    if not spare:
        return step, xs

    def staying(params: Params, h: State, now: tuple[Array, Input]) -> State:
        still, x = now
        return jax.tree.map(lambda old, new: jnp.where(still, old, new), h, step(params, h, x))

    def longer(leaf: Array) -> Array:
        return jnp.concatenate([jnp.broadcast_to(leaf[:1], (spare, *leaf.shape[1:])), leaf])

    return staying, (jnp.arange(spare + T) < spare, jax.tree.map(longer, xs))
