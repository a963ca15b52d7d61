"""The long short-term memory.

    i = σ(W_i h + U_i x + b_i)        input gate
    f = σ(W_f h + U_f x + b_f)        forget gate
    g = tanh(W_g h + U_g x + b_g)     cell candidate
    o = σ(W_o h + U_o x + b_o)        output gate
    c' = f ⊙ c + i ⊙ g
    h' = o ⊙ tanh(c')

The state is (h, c) and a gradient flows through both. Hochreiter & Schmidhuber (1997); forget gate by Gers et al.
(2000); initial forget bias of 1 by Jozefowicz et al. (2015).

Parameters (`LSTMParams`): every W (hidden, hidden), every U (hidden, inputs), every b (hidden,) or None.
State (`LSTMState`): h and c (hidden,); the output is h.
Initial weights: every W ~ N(0, gain²/hidden), every U ~ N(0, 1/inputs), b_f = 1, the other biases 0.
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


class LSTMParams(NamedTuple):
    """Parameters of an LSTM: one affine map for each gate and for the cell candidate.

        i = σ(W_i h + U_i x + b_i),    f = σ(W_f h + U_f x + b_f),    o = σ(W_o h + U_o x + b_o)
        g = tanh(W_g h + U_g x + b_g),    c' = f ⊙ c + i ⊙ g,    h' = o ⊙ tanh(c')

    Each `Affine` has W (hidden, hidden), U (hidden, inputs) and b (hidden,) or None.

    Attributes:
        input: W_i, U_i, b_i of the input gate.
        forget: W_f, U_f, b_f of the forget gate.
        cell: W_g, U_g, b_g of the cell candidate.
        output: W_o, U_o, b_o of the output gate.

    Example:
        >>> params = rd.cells.lstm.init(key, inputs=2, hidden=3)
        >>> params.forget.b
        Array([1., 1., 1.], dtype=float32)

    References:
        Hochreiter & Schmidhuber (1997).
        Gers et al. (2000), for the forget gate.
        Jozefowicz et al. (2015), for its initial bias of 1.
    """

    input: Affine
    forget: Affine
    cell: Affine
    output: Affine


class LSTMState(NamedTuple):
    """State of an LSTM.

    Attributes:
        h: Hidden state, shape (hidden,). The gates, the layer above and a readout receive it.
        c: Cell state, the memory, shape (hidden,).
    """

    h: Float[Array, " hidden"]
    c: Float[Array, " hidden"]


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer = gaussian,
    input_bias: Bias = 0.0,
    forget_bias: Bias = 1.0,
    cell_bias: Bias = 0.0,
    output_bias: Bias = 0.0,
    dtype: Any = None,
) -> LSTMParams:
    """Draw every W ~ N(0, gain²/hidden) and every U ~ N(0, 1/inputs); set the biases.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: Scales every W. Default: 1. It may be traced.
        recurrent: An initializer; every W is `gain` times what it draws. Default: `initializers.gaussian`.
        input_bias: b_i, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        forget_bias: b_f, likewise. Default: 1.
        cell_bias: b_g, likewise. Default: 0.
        output_bias: b_o, likewise. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        An `LSTMParams`.
    """
    draw = partial(init_affine, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype)
    key_input, key_forget, key_cell, key_output = jax.random.split(argument.key(key), 4)
    return LSTMParams(
        input=draw(key_input, bias=input_bias),
        forget=draw(key_forget, bias=forget_bias),
        cell=draw(key_cell, bias=cell_bias),
        output=draw(key_output, bias=output_bias),
    )


@check.checked
def initial_state(p: LSTMParams) -> LSTMState:
    """Return zeros in the precision of the parameters."""
    zeros = jnp.zeros_like(p.cell.W[:, 0])
    return LSTMState(h=zeros, c=zeros)


@check.checked
def step(p: LSTMParams, state: LSTMState, x: Float[Array, " inputs"] | None) -> LSTMState:
    """Compute c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c')."""
    h, c = state
    i = logistic(affine(p.input, h, x))
    f = logistic(affine(p.forget, h, x))
    g = tanh(affine(p.cell, h, x))
    o = logistic(affine(p.output, h, x))
    c = f * c + i * g
    return LSTMState(h=o * tanh(c), c=c)


def output(state: LSTMState) -> Float[Array, " hidden"]:
    """Return h."""
    return state.h


lstm = Cell(init, initial_state, step, output)
