"""The gated recurrent unit.

    z = σ(W_z h + U_z x + b_z)                               update gate
    r = σ(W_r h + U_r x + b_r)                               reset gate
    n = tanh(W_n (r ⊙ h) + U_n x + b_n)                      candidate, reset="before" the recurrent product
    n = tanh(r ⊙ (W_n h + c) + U_n x + b_n)                  candidate, reset="after" it, with its own bias c
    h' = z ⊙ h + (1 - z) ⊙ n                                 update="keep": z says how much of the old state is kept
    h' = (1 - z) ⊙ h + z ⊙ n                                 update="replace": z says how much of it is replaced

Cho et al. (2014) use (keep, before), Chung et al. (2014) (replace, before), cuDNN and PyTorch (keep, after). 1 - z is
computed as σ of the negated argument, so that a gate that is nearly shut keeps its digits.
Initial weights: every W ~ N(0, gain²/hidden), every U ~ N(0, 1/inputs), every bias 0.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import logistic, tanh
from .affine import Affine, Bias, affine, constant, drive, init_affine
from .contract import Cell, memoised
from .initializers import Initializer, gaussian


class GRUParams(NamedTuple):
    """One affine map for each gate and the candidate; `recurrent_bias` is c and belongs to reset="after" alone."""

    update: Affine
    reset: Affine
    candidate: Affine
    recurrent_bias: Float[Array, " hidden"] | None = None


@check.checked
def initial_state(p: GRUParams) -> Float[Array, " hidden"]:
    """Zeros, in the precision of the parameters."""
    return jnp.zeros_like(p.candidate.W[:, 0])


@memoised
def make_gru(update: str = "keep", reset: str = "before") -> Cell:
    """The GRU with the update convention "keep" or "replace" and the reset gate "before" or "after" the product."""
    keeps = argument.choice("update", update, ("keep", "replace")) == "keep"
    after = argument.choice("reset", reset, ("before", "after")) == "after"

    def init(
        key: PRNGKeyArray,
        *,
        inputs: int,
        hidden: int,
        gain: Any = 1.0,
        recurrent: Initializer = gaussian,
        update_bias: Bias = 0.0,
        reset_bias: Bias = 0.0,
        candidate_bias: Bias = 0.0,
        recurrent_bias: Bias = 0.0 if after else None,
        dtype: Any = None,
    ) -> GRUParams:
        """W ~ N(0, gain²/hidden) or gain · `recurrent`, U ~ N(0, 1/inputs), biases as given (None: none)."""
        draw = partial(init_affine, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype)
        key_update, key_reset, key_candidate = jax.random.split(argument.key(key), 3)
        candidate = draw(key_candidate, bias=candidate_bias)
        return GRUParams(
            update=draw(key_update, bias=update_bias),
            reset=draw(key_reset, bias=reset_bias),
            candidate=candidate,
            recurrent_bias=bias_vector("recurrent_bias", recurrent_bias, candidate),
        )

    @check.checked
    def step(p: GRUParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        if p.recurrent_bias is not None and not after:
            raise ValueError('params.recurrent_bias: got an array, expected None with reset="before"')
        update = affine(p.update, h, x)
        r = logistic(affine(p.reset, h, x))
        if after:
            inner = p.candidate.W @ h
            n = tanh(r * (inner if p.recurrent_bias is None else inner + p.recurrent_bias) + drive(p.candidate, x))
        else:
            n = tanh(affine(p.candidate, r * h, x))
        keep, replace = logistic(update), logistic(-update)
        return keep * h + replace * n if keeps else replace * h + keep * n

    return Cell(init, initial_state, step)


def bias_vector(name: str, bias: Bias, like: Affine) -> Array | None:
    """`bias` as a vector of the size and dtype of `like`, or None."""
    zeros = jnp.zeros_like(like.W[:, 0])
    return None if bias is None else zeros + constant(name, bias, zeros.shape, zeros.dtype)


gru = make_gru()
