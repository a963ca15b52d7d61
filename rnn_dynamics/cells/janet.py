"""JANET, an LSTM with only a forget gate, whose state is the memory cell itself.

    s = W_s h + U_s x + b_s
    n = tanh(W_n h + U_n x + b_n)
    h' = σ(s) ⊙ h + (1 - σ(s - β)) ⊙ n

van der Westhuizen & Lasenby (2018), "The unreasonable effectiveness of the forget gate", with β = 1.

Parameters (`OneGateParams`): both W (hidden, hidden), both U (hidden, inputs), both b (hidden,) or None.
State: h (hidden,).
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
    """Draw both W ~ N(0, gain²/hidden) and both U ~ N(0, 1/inputs); set the biases.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: Scales both W. Default: 1. It may be traced.
        recurrent: An initializer; both W are `gain` times what it draws. Default: `initializers.gaussian`.
        forget_bias: b_s, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 1.
        candidate_bias: b_n, likewise. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        A `OneGateParams`.
    """
    biases = {"forget_bias": forget_bias, "candidate_bias": candidate_bias}
    return init_one_gate(key, inputs=inputs, hidden=hidden, gain=gain, recurrent=recurrent, dtype=dtype, **biases)


@memoised
def make_janet(beta: float = 1.0) -> Cell:
    """Make a JANET cell with a given input offset.

        s = W_s h + U_s x + b_s,    n = tanh(W_n h + U_n x + b_n)
        h' = σ(s) ⊙ h + (1 - σ(s - β)) ⊙ n

    `rd.cells.janet` is the cell with the default. Equal arguments give the same object.

    Args:
        beta: β; the larger it is, the more of the candidate enters the state. At 0 the input gate is 1 minus the forget
            gate. Default: 1.

    Returns:
        A `Cell`. Its parameters are a `OneGateParams`; its state is h, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step, two affine maps.

    Example:
        >>> cell = rd.cells.make_janet(beta=0.0)
        >>> params = cell.init(key, inputs=1, hidden=2, gain=0.0, forget_bias=0.0)
        >>> cell.step(params, jnp.ones(2), None)  # σ(s) = ½, n = 0
        Array([0.5, 0.5], dtype=float32)

    References:
        van der Westhuizen & Lasenby (2018), "The unreasonable effectiveness of the forget gate".
    """
    beta = argument.number("beta", beta)

    @check.checked
    def step(
        p: OneGateParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None
    ) -> Float[Array, " hidden"]:
        """Compute h' = σ(s) ⊙ h + (1 - σ(s - β)) ⊙ n."""
        s = affine(p.forget, h, x)
        n = tanh(affine(p.candidate, h, x))
        return logistic(s) * h + logistic(beta - s) * n

    return Cell(init, initial_state, step)


janet = make_janet()
