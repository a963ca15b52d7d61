"""Gradient flossing of a copy: a few updates that bring its largest exponents to 0, as `rd.train.prefloss` does."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..cells.contract import Cell, Input, Params, State, Step

DIRECTIONS, UPDATES, LENGTH, RATE = 8, 20, 60, 0.01


def flossed(step: Step, params: Params, h0: State, xs: Input, *, horizon: int, key: Array) -> Params:
    """Return the parameters after a few updates of gradient flossing along the sequences of xs, (sequences, T, m)."""
    # optax is loaded only by those who train
    import optax

    from ..train import Example, make_task, prefloss

    sequences, T, _ = xs.shape
    length = min(horizon, LENGTH, T)

    def sample(key: Array) -> Example:
        one = xs[jax.random.randint(key, (), 0, sequences)]
        return Example(one, jnp.zeros((T, 1), one.dtype), jnp.ones(T, bool))

    def undrawn(*args: Any, **options: Any) -> Any:
        # a `Cell` must have an init, but prefloss is given parameters and draws none
        raise AssertionError("flossing drew parameters")

    n = sum(leaf.size for leaf in jax.tree.leaves(h0))
    cell = Cell(undrawn, lambda _: h0, step)
    task = make_task(sample, lambda answer, target: jnp.sum((answer - target) ** 2))
    optimizer, k = optax.adam(RATE), min(n, DIRECTIONS)
    # optax relies on it, whatever the caller has set
    with jax.numpy_dtype_promotion("standard"):
        found = prefloss(cell, params, task, key=key, k=k, updates=UPDATES, optimizer=optimizer, length=length)
    return found.net
