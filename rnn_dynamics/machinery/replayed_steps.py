"""Check states that an iteration found against those that the step itself returns, from some of them on."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.contract import Input
from .linear_recurrence import states_before
from .parallel_iteration import first_of, relative, units

STEPS = 32  # of each check


def difference_from_replay(
    advance: Callable[[Float[Array, " n"], Input], Float[Array, " n"]],
    start: Float[Array, " n"],
    states: Float[Array, "T n"],
    xs: Input,
    known: Int[Array, ""],
    checks: int,
    key: Array | None,
    tolerance: float,
) -> Float[Array, ""]:
    """Return the largest relative difference among the first `known` states, over up to `STEPS` steps of each check.

    The checks begin at random times, or evenly spread if there is no key.
    """
    T, steps = len(states), min(STEPS, len(states))
    if key is None:
        begins = jnp.asarray(np.linspace(0, T - steps, checks).round(), jnp.int32)
    else:
        begins = jax.random.randint(key, (checks,), 0, T - steps + 1, jnp.int32)
    states = jax.lax.stop_gradient(states)
    times = jnp.arange(steps, dtype=jnp.int32)[:, None] + begins[None]

    def again(h: Float[Array, "checks n"], x: Input) -> tuple[Float[Array, "checks n"], Float[Array, "checks n"]]:
        h = jax.vmap(advance)(h, x)
        return h, h

    given = jax.tree.map(lambda leaf: leaf[times], xs)
    _, replayed = jax.lax.scan(again, states_before(start, states)[begins], given, length=steps)
    apart = jax.vmap(relative, (0, None))(states[times] - replayed, units(start, first_of(states, known), tolerance))
    return jax.lax.stop_gradient(jnp.max(jnp.where(known > times, apart, 0)))
