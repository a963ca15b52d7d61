"""The long short-term memory with a recurrent projection.

    i = σ(W_i h + U_i x + b_i)        input gate
    f = σ(W_f h + U_f x + b_f)        forget gate
    g = tanh(W_g h + U_g x + b_g)     cell candidate
    o = σ(W_o h + U_o x + b_o)        output gate
    c' = f ⊙ c + i ⊙ g
    h' = P (o ⊙ tanh(c'))

h has fewer numbers than c, so that a large memory needs small recurrent matrices. Sak, Senior & Beaufays (2014).
PyTorch's `nn.LSTM` with `proj_size` is this cell.

Parameters (`ProjectedLSTMParams`): every W (hidden, projected), every U (hidden, inputs), every b (hidden,) or None,
P (projected, hidden).
State (`ProjectedLSTMState`): h (projected,) and c (hidden,); the output is h.
Initial weights: every W ~ N(0, gain²/projected), every U ~ N(0, 1/inputs), P ~ N(0, 1/hidden), b_f = 1, the other
biases 0. Half as many numbers in h as in c, unless `projected` says how many.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import logistic, tanh
from .affine import Bias, constant
from .contract import Cell


class ProjectedAffine(NamedTuple):
    """Parameters of an affine map from a projected state and an input to all units.

        W h + U x + b

    Attributes:
        W: Recurrent weights, shape (hidden, projected).
        U: Input weights, shape (hidden, inputs).
        b: Bias, shape (hidden,), or None for no bias.
    """

    W: Float[Array, "hidden projected"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None = None


class ProjectedLSTMParams(NamedTuple):
    """Parameters of an LSTM with a projection: an affine map for each gate and for the cell candidate, and P.

        i = σ(W_i h + U_i x + b_i),    f = σ(W_f h + U_f x + b_f),    o = σ(W_o h + U_o x + b_o)
        g = tanh(W_g h + U_g x + b_g),    c' = f ⊙ c + i ⊙ g,    h' = P (o ⊙ tanh(c'))

    Attributes:
        input: W_i, U_i, b_i of the input gate.
        forget: W_f, U_f, b_f of the forget gate.
        cell: W_g, U_g, b_g of the cell candidate.
        output: W_o, U_o, b_o of the output gate.
        P: The projection, shape (projected, hidden).

    Example:
        >>> params = rd.cells.projected_lstm.init(key, inputs=2, hidden=6, projected=3)
        >>> params.forget.W.shape, params.P.shape
        ((6, 3), (3, 6))

    References:
        Sak, Senior & Beaufays (2014), arXiv:1402.1128.
    """

    input: ProjectedAffine
    forget: ProjectedAffine
    cell: ProjectedAffine
    output: ProjectedAffine
    P: Float[Array, "projected hidden"]


class ProjectedLSTMState(NamedTuple):
    """State of an LSTM with a projection.

    Attributes:
        h: Projected hidden state, shape (projected,). The gates, the layer above and a readout receive it.
        c: Cell state, the memory, shape (hidden,).
    """

    h: Float[Array, " projected"]
    c: Float[Array, " hidden"]


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    projected: int | None = None,
    gain: Any = 1.0,
    input_bias: Bias = 0.0,
    forget_bias: Bias = 1.0,
    cell_bias: Bias = 0.0,
    output_bias: Bias = 0.0,
    dtype: Any = None,
) -> ProjectedLSTMParams:
    """Draw every W ~ N(0, gain²/projected), every U ~ N(0, 1/inputs) and P ~ N(0, 1/hidden); set the biases.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        projected: The size of h, 1 or more. Default: half of `hidden`, rounded up.
        gain: Scales every W. Default: 1. It may be traced.
        input_bias: b_i, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        forget_bias: b_f, likewise. Default: 1.
        cell_bias: b_g, likewise. Default: 0.
        output_bias: b_o, likewise. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        A `ProjectedLSTMParams`.
    """
    inputs, hidden = argument.size("inputs", inputs, 0), argument.size("hidden", hidden, 1)
    projected = (hidden + 1) // 2 if projected is None else argument.size("projected", projected, 1)
    dtype = argument.floating(dtype)
    key_P, key_input, key_forget, key_cell, key_output = jax.random.split(argument.key(key), 5)

    def normal(key: PRNGKeyArray, *shape: int) -> Array:
        return jax.random.normal(key, shape, dtype) / math.sqrt(max(shape[1], 1))

    def draw(key: PRNGKeyArray, bias: Bias) -> ProjectedAffine:
        key_W, key_U = jax.random.split(key)
        return ProjectedAffine(
            W=constant("gain", gain, (), dtype) * normal(key_W, hidden, projected),
            U=normal(key_U, hidden, inputs),
            b=None if bias is None else jnp.broadcast_to(constant("bias", bias, (hidden,), dtype), (hidden,)),
        )

    return ProjectedLSTMParams(
        input=draw(key_input, input_bias),
        forget=draw(key_forget, forget_bias),
        cell=draw(key_cell, cell_bias),
        output=draw(key_output, output_bias),
        P=normal(key_P, projected, hidden),
    )


@check.checked
def initial_state(p: ProjectedLSTMParams) -> ProjectedLSTMState:
    """Return zeros in the precision of the parameters."""
    return ProjectedLSTMState(h=jnp.zeros_like(p.P[:, 0]), c=jnp.zeros_like(p.P[0]))


@check.checked
def step(p: ProjectedLSTMParams, state: ProjectedLSTMState, x: Float[Array, " inputs"] | None) -> ProjectedLSTMState:
    """Compute c' = f ⊙ c + i ⊙ g and h' = P (o ⊙ tanh(c'))."""
    h, c = state
    i = logistic(affine(p.input, h, x))
    f = logistic(affine(p.forget, h, x))
    g = tanh(affine(p.cell, h, x))
    o = logistic(affine(p.output, h, x))
    c = f * c + i * g
    return ProjectedLSTMState(h=p.P @ (o * tanh(c)), c=c)


def affine(
    p: ProjectedAffine, h: Float[Array, " projected"], x: Float[Array, " inputs"] | None
) -> Float[Array, " hidden"]:
    """Compute W h + U x + b. A term that is None counts as zero."""
    recurrent = p.W @ h if p.b is None else p.W @ h + p.b
    return recurrent if x is None else recurrent + p.U @ x


def output(state: ProjectedLSTMState) -> Float[Array, " projected"]:
    """Return h."""
    return state.h


projected_lstm = Cell(init, initial_state, step, output)
