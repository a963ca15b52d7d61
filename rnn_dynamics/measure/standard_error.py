"""How far the mean over a correlated stretch of time can be trusted."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# the scatter of fewer block means says nothing
FEWEST_BLOCKS = 8


def standard_error(means: Float[Array, "blocks k"], count: int | Int[Array, ""]) -> Float[Array, " k"]:
    """Of the mean of the first `count` block means; inf where these are fewer than 8.

    The largest of the errors by blocks of this length, of twice, four times ... it: where neighbours are correlated,
    short blocks claim too much.
    """
    error = jnp.where(count < FEWEST_BLOCKS, jnp.full_like(means[0], jnp.inf), 0)
    while len(means) >= FEWEST_BLOCKS:
        used = (jnp.arange(len(means), dtype=jnp.int32) < count)[:, None]
        number = jnp.maximum(count, 2).astype(means.dtype)
        mean = jnp.sum(jnp.where(used, means, 0), axis=0, keepdims=True) / number
        variance = jnp.sum(jnp.where(used, (means - mean) ** 2, 0), axis=0) / (number - 1)
        error = jnp.maximum(error, jnp.where(count < FEWEST_BLOCKS, 0, jnp.sqrt(variance / number)))
        means = means[: len(means) // 2 * 2].reshape(-1, 2, means.shape[1]).mean(axis=1)
        count = count // 2
    return error
