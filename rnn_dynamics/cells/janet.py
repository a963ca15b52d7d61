"""JANET, an LSTM with nothing left but its forget gate; its state is the cell itself.

    s = W_s h + U_s x + b_s
    n = tanh(W_n h + U_n x + b_n)
    h' = σ(s) ⊙ h + (1 - σ(s - β)) ⊙ n

van der Westhuizen & Lasenby (2018), "The unreasonable effectiveness of the forget gate", with β = 1.
Initial weights: both W ~ N(0, gain²/hidden), both U ~ N(0, 1/inputs), b_s = 1 and b_n = 0; the paper draws b_s by
`initializers.chrono`.
"""

from typing import Any

from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import logistic, tanh
from .affine import Bias, affine
from .contract import Cell, memoised
from .initializers import Initializer, gaussian
from .mgu import OneGateParams, initial_state
from .mgu import init as init_one_gate


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer = gaussian,
    forget_bias: Bias = 1.0,
    candidate_bias: Bias = 0.0,
    dtype: Any = None,
) -> OneGateParams:
    """As for the minimal gated unit, with the forget bias started at 1."""
    biases = {"forget_bias": forget_bias, "candidate_bias": candidate_bias}
    return init_one_gate(key, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype, **biases)


@memoised
def make_janet(beta: float = 1.0) -> Cell:
    """JANET with β, which opens the input the wider the larger it is; β = 0 ties it to the forget gate."""
    beta = argument.number("beta", beta)

    @check.checked
    def step(
        p: OneGateParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None
    ) -> Float[Array, " hidden"]:
        s = affine(p.forget, h, x)
        n = tanh(affine(p.candidate, h, x))
        return logistic(s) * h + logistic(beta - s) * n

    return Cell(init, initial_state, step)


janet = make_janet()
