"""The minimal gated unit: a GRU whose one gate both resets and updates.

    f = σ(W_f h + U_f x + b_f)
    n = tanh(W_n (f ⊙ h) + U_n x + b_n)
    h' = (1 - f) ⊙ h + f ⊙ n

Zhou, Wu, Zhang & Zhou (2016), "Minimal gated unit for recurrent neural networks".
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
    """One affine map for the gate and one for the candidate."""

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
    """W ~ N(0, gain²/hidden) or gain · `recurrent`, U ~ N(0, 1/inputs), biases as given (None: none)."""
    draw = partial(init_affine, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype)
    key_forget, key_candidate = jax.random.split(argument.key(key))
    return OneGateParams(forget=draw(key_forget, bias=forget_bias), candidate=draw(key_candidate, bias=candidate_bias))


@check.checked
def initial_state(p: OneGateParams) -> Float[Array, " hidden"]:
    """Zeros, in the precision of the parameters."""
    return jnp.zeros_like(p.candidate.W[:, 0])


@check.checked
def step(p: OneGateParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
    """(1 - f) ⊙ h + f ⊙ n."""
    forget = affine(p.forget, h, x)
    f = logistic(forget)
    n = tanh(affine(p.candidate, f * h, x))
    return logistic(-forget) * h + f * n


mgu = Cell(init, initial_state, step)
