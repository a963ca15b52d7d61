"""Find ‖J_t‖₂ for the step Jacobians of a trajectory, with many times t side by side.

A search for one ‖J_t‖₂ multiplies single vectors by the weights. 32 searches side by side multiply a matrix of 32
columns instead, which is one product with the same weights. Each group starts from the singular vectors of the group
before it. The search itself is in `spectral_norm.py`.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..cells.contract import Input, Params, State, Step
from . import entry
from .linear_maps import linear_maps
from .spectral_norm import DENSE, SpectralNorm, dense_spectral_norm, random_vectors, spectral_norm
from .state_vector import flatten

# J_t v_t for this many times is one product of the weights with a matrix of as many columns
SIDE_BY_SIDE = 32


def step_norms(
    step: Step, params: Params, before: State, xs: Input, length: int
) -> tuple[Float[Array, " {length}"], Bool[Array, " {length}"]]:
    """Compute ‖J_t‖₂ at each of the states `before`, and return with it whether it is right to rounding.

    Groups of at most 32 times are searched together. Each search starts from the singular vector at the same place of
    the group before. Time O(n²) for each iteration and step, memory O(32 n).
    """
    h = jax.tree.map(lambda leaf: leaf[0], before)
    vector, _ = flatten(h)
    n, dtype = vector.size, vector.dtype
    each = min(range(min(SIDE_BY_SIDE, length), min(SIDE_BY_SIDE, length) // 2, -1), key=lambda k: -length % k)
    groups = math.ceil(length / each)
    spare = groups * each - length

    def norm(h: State, x: Input, guess: Array) -> SpectralNorm:
        maps = linear_maps(step, params, h, x)
        if n <= DENSE:
            return dense_spectral_norm(maps.pull(jnp.eye(n, dtype=dtype)))
        return spectral_norm(lambda v: maps.push(v[:, None])[:, 0], lambda u: maps.pull(u[None])[0], guess)

    def group(guesses: Array, times: tuple[State, Input]) -> tuple[Array, tuple[Array, Array]]:
        found = jax.vmap(norm)(*times, guesses)
        return found.left, (found.value, found.converged)

    def grouped(leaf: Array) -> Array:
        last = jnp.broadcast_to(leaf[-1:], (spare, *leaf.shape[1:]))
        leaf = jnp.concatenate([leaf, last]) if spare else leaf
        return leaf.reshape(groups, each, *leaf.shape[1:])

    guesses = jnp.broadcast_to(random_vectors(n, dtype)[0], (each, n))
    guesses = entry.varying_like(guesses, (before, jax.eval_shape(step, params, h, jax.tree.map(lambda x: x[0], xs))))
    if groups == 1:
        return group(guesses, (before, xs))[1]
    _, (values, converged) = jax.lax.scan(group, guesses, jax.tree.map(grouped, (before, xs)))
    return values.reshape(-1)[:length], converged.reshape(-1)[:length]
