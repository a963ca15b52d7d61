"""The linear net, h_t = W h_{t-1} + U x_t + b: every Jacobian is W, so everything about it is known exactly."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .affine import Affine, Bias, affine, init_affine
from .check import checked
from .contract import Cell
from .initializers import Initializer, gaussian


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer = gaussian,
    bias: Bias = 0.0,
    dtype: Any = None,
) -> Affine:
    """W ~ N(0, gain²/hidden) or gain · `recurrent`, U ~ N(0, 1/inputs), b = `bias` (None: no bias)."""
    return init_affine(key, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, bias=bias, dtype=dtype)


@checked
def initial_state(p: Affine) -> Float[Array, " hidden"]:
    """Zeros, in the precision of the parameters."""
    return jnp.zeros_like(p.W[:, 0])


@checked
def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """W h + U x + b."""
    return affine(p, h, x)


linear = Cell(init, initial_state, step)
