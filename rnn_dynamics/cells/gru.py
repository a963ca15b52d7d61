"""The gated recurrent unit.

    z = σ(W_z h + U_z x + b_z)                               update gate
    r = σ(W_r h + U_r x + b_r)                               reset gate
    n = tanh(W_n (r ⊙ h) + U_n x + b_n)                      candidate, reset="before" the recurrent product
    n = tanh(r ⊙ (W_n h + c) + U_n x + b_n)                  candidate, reset="after" it, with its own bias c
    h' = z ⊙ h + (1 - z) ⊙ n                                 update="keep": z is the share of the old state that is kept
    h' = (1 - z) ⊙ h + z ⊙ n                                 update="replace": z is the share that is replaced

Cho et al. (2014) use (keep, before), Chung et al. (2014) (replace, before), cuDNN and PyTorch (keep, after). 1 - z is
computed as σ of the negated argument, so that a nearly shut gate keeps its digits.

Parameters (`GRUParams`): every W (hidden, hidden), every U (hidden, inputs), every b and c (hidden,) or None.
State: h (hidden,).
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
    """Parameters of a GRU.

        z = σ(W_z h + U_z x + b_z),    r = σ(W_r h + U_r x + b_r)
        n = tanh(W_n (r ⊙ h) + U_n x + b_n)  or  tanh(r ⊙ (W_n h + c) + U_n x + b_n)
        h' = z ⊙ h + (1 - z) ⊙ n  or  (1 - z) ⊙ h + z ⊙ n

    Each `Affine` has W (hidden, hidden), U (hidden, inputs) and b (hidden,) or None.

    Attributes:
        update: W_z, U_z, b_z of the update gate.
        reset: W_r, U_r, b_r of the reset gate.
        candidate: W_n, U_n, b_n of the candidate.
        recurrent_bias: c, shape (hidden,), for reset="after" only; else None.

    References:
        Cho et al. (2014); Chung et al. (2014).
    """

    update: Affine
    reset: Affine
    candidate: Affine
    recurrent_bias: Float[Array, " hidden"] | None = None


@check.checked
def initial_state(p: GRUParams) -> Float[Array, " hidden"]:
    """Return zeros in the precision of the parameters."""
    return jnp.zeros_like(p.candidate.W[:, 0])


@memoised
def make_gru(update: str = "keep", reset: str = "before") -> Cell:
    """Make a GRU with a given update convention and place of the reset gate.

        z = σ(W_z h + U_z x + b_z),    r = σ(W_r h + U_r x + b_r)
        n = tanh(W_n (r ⊙ h) + U_n x + b_n)            reset="before"
        n = tanh(r ⊙ (W_n h + c) + U_n x + b_n)        reset="after"
        h' = z ⊙ h + (1 - z) ⊙ n                       update="keep"
        h' = (1 - z) ⊙ h + z ⊙ n                       update="replace"

    Cho et al. use (keep, before), Chung et al. (replace, before), cuDNN and PyTorch (keep, after). `rd.cells.gru` is
    the cell with the defaults. Equal arguments give the same object.

    Args:
        update: "keep", where z is the share of the old state that is kept, or "replace". Default: "keep".
        reset: "before" or "after": the place of the reset gate, relative to the recurrent product. Default: "before".

    Returns:
        A `Cell`. Its parameters are a `GRUParams`; its state is h, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step, three affine maps.

    Example:
        >>> cell = rd.cells.make_gru(update="replace")
        >>> params = cell.init(key, inputs=1, hidden=2, gain=0.0)
        >>> cell.step(params, jnp.ones(2), None)  # z = ½, n = 0
        Array([0.5, 0.5], dtype=float32)

    References:
        Cho et al. (2014).
        Chung et al. (2014).
    """
    # long because it holds the cell's own functions, which depend on the options
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
        """Draw every W ~ N(0, gain²/hidden) and every U ~ N(0, 1/inputs); set the biases.

        Args:
            key: A JAX random key.
            inputs: The size of the input, 0 or more.
            hidden: The number of units, 1 or more.
            gain: Scales every W. Default: 1. It may be traced.
            recurrent: An initializer; every W is `gain` times what it draws. Default: `initializers.gaussian`.
            update_bias: b_z, a scalar or an array of shape (hidden,), traced or not; None for no bias. Default: 0.
            reset_bias: b_r, likewise.
            candidate_bias: b_n, likewise.
            recurrent_bias: c, likewise, for reset="after" only. Default: 0 for reset="after", else None.
            dtype: A real floating dtype. Default: JAX's default.

        Returns:
            A `GRUParams`.
        """
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
        """Compute h' from the gates z and r and the candidate n; the equations are in `make_gru`."""
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
    """Return `bias` as a vector of the size and dtype of `like`, or None."""
    zeros = jnp.zeros_like(like.W[:, 0])
    return None if bias is None else zeros + constant(name, bias, zeros.shape, zeros.dtype)


gru = make_gru()
