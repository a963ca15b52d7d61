"""The minimal gated unit: a GRU whose single gate both resets and updates.

    f = σ(W_f h + U_f x + b_f)
    n = tanh(W_n (f ⊙ h) + U_n x + b_n)
    h' = (1 - f) ⊙ h + f ⊙ n

Zhou, Wu, Zhang & Zhou (2016), "Minimal gated unit for recurrent neural networks".

Parameters (`OneGateParams`): both W (hidden, hidden), both U (hidden, inputs), both b (hidden,) or None.
State: h (hidden,).
Initial weights: both W ~ N(0, gain²/hidden), both U ~ N(0, 1/inputs), both biases 0.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import logistic, tanh
from .affine import Affine, Bias, affine, init_affine
from .contract import Cell
from .initializers import Initializer, gaussian


class OneGateParams(NamedTuple):
    """Parameters of a minimal gated unit (MGU) or a JANET cell: one affine map for the gate, one for the candidate.

        MGU      f = σ(W_f h + U_f x + b_f),    n = tanh(W_n (f ⊙ h) + U_n x + b_n),    h' = (1 - f) ⊙ h + f ⊙ n
        JANET    s = W_s h + U_s x + b_s,    n = tanh(W_n h + U_n x + b_n),    h' = σ(s) ⊙ h + (1 - σ(s - β)) ⊙ n

    Each `Affine` has W (hidden, hidden), U (hidden, inputs) and b (hidden,) or None.

    Attributes:
        forget: W_f, U_f, b_f of the gate; W_s, U_s, b_s for JANET.
        candidate: W_n, U_n, b_n of the candidate.

    Example:
        >>> params = rd.cells.mgu.init(key, inputs=1, hidden=2, gain=0.0)
        >>> rd.cells.mgu.step(params, jnp.ones(2), None)  # f = ½, n = 0
        Array([0.5, 0.5], dtype=float32)

    References:
        Zhou, Wu, Zhang & Zhou (2016), "Minimal gated unit for recurrent neural networks".
        van der Westhuizen & Lasenby (2018), "The unreasonable effectiveness of the forget gate".
    """

    forget: Affine
    candidate: Affine


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer = gaussian,
    forget_bias: Bias = 0.0,
    candidate_bias: Bias = 0.0,
    dtype: Any = None,
) -> OneGateParams:
    """Draw both W ~ N(0, gain²/hidden) and both U ~ N(0, 1/inputs); set the biases.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: Scales both W. Default: 1. It may be traced.
        recurrent: An initializer; both W are `gain` times what it draws. Default: `initializers.gaussian`.
        forget_bias: b_f, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        candidate_bias: b_n, likewise. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        A `OneGateParams`.
    """
    draw = partial(init_affine, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype)
    key_forget, key_candidate = jax.random.split(argument.key(key))
    return OneGateParams(forget=draw(key_forget, bias=forget_bias), candidate=draw(key_candidate, bias=candidate_bias))


@check.checked
def initial_state(p: OneGateParams) -> Float[Array, " hidden"]:
    """Return zeros in the precision of the parameters."""
    return jnp.zeros_like(p.candidate.W[:, 0])


@check.checked
def step(p: OneGateParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """Compute h' = (1 - f) ⊙ h + f ⊙ n."""
    forget = affine(p.forget, h, x)
    f = logistic(forget)
    n = tanh(affine(p.candidate, f * h, x))
    return logistic(-forget) * h + f * n


mgu = Cell(init, initial_state, step)
