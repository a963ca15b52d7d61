"""The linear net, whose Jacobian is W in every step, so that all its measurements have an exact answer.

    h_t = W h_{t-1} + U x_t + b

Parameters (`Affine`): W (hidden, hidden), U (hidden, inputs), b (hidden,) or None; state: h (hidden,).
Initial weights: W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

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
    """Draw W ~ N(0, gain²/hidden) and U ~ N(0, 1/inputs); set b.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: Scales W. Default: 1. It may be traced.
        recurrent: An initializer; W is `gain` times what it draws. Default: `initializers.gaussian`.
        bias: b, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        An `Affine`.
    """
    return init_affine(key, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, bias=bias, dtype=dtype)


@checked
def initial_state(p: Affine) -> Float[Array, " hidden"]:
    """Return zeros in the precision of the parameters."""
    return jnp.zeros_like(p.W[:, 0])


@checked
def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """Compute h_t = W h_{t-1} + U x_t + b."""
    return affine(p, h, x)


linear = Cell(init, initial_state, step)
