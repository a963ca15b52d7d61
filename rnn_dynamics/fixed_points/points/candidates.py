"""States to start a search from: those that a trajectory visits, with noise."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import argument
from ...cells.contract import Input, Params, State, Step
from ...machinery import entry
from ...machinery.compiled_programs import with_float32_products
from ...machinery.state_vector import flatten
from ...measure.unroll import unroll


@with_float32_products
def visited_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    count: int,
    key: Array,
    noise: float = 0.1,
    length: int | None = None,
    burn_in: int = 0,
) -> State:
    """Draw `count` states at random from those that a trajectory visits, and add noise to them.

        candidate = h_t + noise · σ ⊙ ξ,   t uniform in burn_in .. T,   ξ standard normal

    σ_i is the standard deviation of the i-th number of the state along the trajectory, but at least a tenth of their
    root mean square, so that a unit that never moves is searched as well. Where the trajectory rests, and every σ_i is
    0, σ is the root mean square of the states, or 1 if they are 0.

    For several trajectories draw from each, with a key of its own, and join what is drawn.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, any pytree.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        count: How many candidates to draw.
        key: A JAX random key.
        noise: The standard deviation of the noise relative to the spread of the states, 0 or more. Default: 0.1.
        length: T, needed where xs is None.
        burn_in: How many of the first states are left out. Default: 0, which keeps h0 too.

    Returns:
        The candidates, a pytree like a state with a leading axis of `count`.

    Cost:
        Time T steps and O(count · n), memory O((T + count) n).

    Example:
        >>> cell = rd.cells.gru
        >>> params = cell.init(key, inputs=1, hidden=8, gain=3.0)
        >>> rd.visited_states(cell.step, params, jnp.ones(8), None, length=100, count=32, key=key).shape
        (32, 8)

    References:
        Sussillo & Barak (2013), Neural Computation 25, 626-649.
    """
    count = argument.size("count", count, 1)
    noise = argument.number("noise", noise)
    if noise < 0:
        raise ValueError(f"noise: got {noise}, expected 0 or more")
    burn_in = argument.size("burn_in", burn_in, 0)
    key_time, key_noise = jax.random.split(argument.key(key))
    states = unroll(step, params, h0, xs, length=length)
    T = len(jax.tree.leaves(states)[0])
    if burn_in > T:
        raise ValueError(f"burn_in: got {burn_in}, expected at most the number of steps, {T}")
    states = jax.tree.map(lambda one, all_: jnp.concatenate([jnp.asarray(one, all_.dtype)[None], all_]), h0, states)
    one = jax.tree.map(lambda leaf: leaf[0], states)
    vectors = jax.vmap(lambda state: flatten(state)[0])(states)[burn_in:]
    entry.enter(step, visited=vectors)
    root = jnp.sqrt(jnp.mean(vectors**2))
    spread = jnp.std(vectors, axis=0)
    least = jnp.sqrt(jnp.mean(spread**2))
    spread = jnp.where(least > 1e-6 * root, jnp.maximum(spread, 0.1 * least), jnp.where(root > 0, root, 1.0))
    chosen = vectors[jax.random.randint(key_time, (count,), 0, len(vectors))]
    drawn = chosen + noise * spread[None] * jax.random.normal(key_noise, chosen.shape, chosen.dtype)
    return jax.vmap(flatten(one)[1])(drawn)
