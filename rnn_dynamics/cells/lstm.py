"""The long short-term memory.

    i = σ(W_i h + U_i x + b_i)        input gate
    f = σ(W_f h + U_f x + b_f)        forget gate
    g = tanh(W_g h + U_g x + b_g)     cell candidate
    o = σ(W_o h + U_o x + b_o)        output gate
    c' = f ⊙ c + i ⊙ g
    h' = o ⊙ tanh(c')

The state is (h, c) and a gradient flows through both. Hochreiter & Schmidhuber (1997); forget gate by Gers et al.
(2000), its bias started at 1 by Jozefowicz et al. (2015).
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
    """One affine map for each gate and for the cell candidate."""

    input: Affine
    forget: Affine
    cell: Affine
    output: Affine


class LSTMState(NamedTuple):
    """Hidden state h, which the gates and the world see, and cell state c, the memory."""

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
    """W ~ N(0, gain²/hidden) or gain · `recurrent`, U ~ N(0, 1/inputs), biases as given (None: none)."""
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
    """Zeros, in the precision of the parameters."""
    zeros = jnp.zeros_like(p.cell.W[:, 0])
    return LSTMState(h=zeros, c=zeros)


@check.checked
def step(p: LSTMParams, state: LSTMState, x: Float[Array, " inputs"] | None) -> LSTMState:
    """(h, c) → (h', c')."""
    h, c = state
    i = logistic(affine(p.input, h, x))
    f = logistic(affine(p.forget, h, x))
    g = tanh(affine(p.cell, h, x))
    o = logistic(affine(p.output, h, x))
    c = f * c + i * g
    return LSTMState(h=o * tanh(c), c=c)


def output(state: LSTMState) -> Float[Array, " hidden"]:
    """h: the cell state is not shown."""
    return state.h


lstm = Cell(init, initial_state, step, output)
