"""The independently recurrent net, in which each unit feeds back only on itself.

    h_t = φ(w ⊙ h_{t-1} + U x_t + b)        default φ = relu

The Jacobian diag(φ' w) is diagonal, so each unit's gradient depends only on its own weight. Units mix only in the next
layer. Li et al. (2018), "Independently recurrent neural network (IndRNN)", with φ = relu.

Parameters (`IndRNNParams`): w (hidden,), U (hidden, inputs), b (hidden,) or None; state: h (hidden,).
Initial weights: w ~ U(0, gain), U ~ N(0, 1/inputs), b = 0.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import Activation
from .affine import Bias, constant, init_affine
from .contract import Cell, memoised
from .elman import resolve
from .initializers import identity


class IndRNNParams(NamedTuple):
    """Parameters of an independently recurrent net.

        h_t = φ(w ⊙ h_{t-1} + U x_t + b)

    Attributes:
        w: One recurrent weight per unit, shape (hidden,).
        U: Input weights, shape (hidden, inputs).
        b: Bias, shape (hidden,), or None for no bias.

    References:
        Li et al. (2018), "Independently recurrent neural network (IndRNN)".
    """

    w: Float[Array, " hidden"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None = None


def init(
    key: PRNGKeyArray, *, inputs: int, hidden: int, gain: Any = 1.0, bias: Bias = 0.0, dtype: Any = None
) -> IndRNNParams:
    """Draw w ~ U(0, gain) and U ~ N(0, 1/inputs); set b.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: The upper end of the range of w. Default: 1. It may be traced.
        bias: b, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        An `IndRNNParams`.
    """
    key_w, key_U = jax.random.split(argument.key(key))
    unit = init_affine(key_U, inputs=inputs, hidden=hidden, recurrent=identity, bias=bias, dtype=dtype)
    w = jax.random.uniform(key_w, (unit.W.shape[0],), unit.W.dtype)
    return IndRNNParams(w=constant("gain", gain, (), w.dtype) * w, U=unit.U, b=unit.b)


@check.checked
def initial_state(p: IndRNNParams) -> Float[Array, " hidden"]:
    """Return zeros in the precision of the parameters."""
    return jnp.zeros_like(p.w)


@memoised
def make_indrnn(activation: str | Activation = "relu") -> Cell:
    """Make an independently recurrent cell with a given activation.

        h_t = φ(w ⊙ h_{t-1} + U x_t + b)

    `rd.cells.indrnn` is the cell with the default. Equal arguments give the same object.

    Args:
        activation: φ, as a name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or an elementwise function.

    Returns:
        A `Cell`. Its parameters are an `IndRNNParams`; its state is h, shape (hidden,).

    Cost:
        O(hidden inputs) per step.

    Example:
        >>> cell = rd.cells.make_indrnn("identity")
        >>> params = rd.cells.IndRNNParams(w=jnp.array([0.5, 2.0]), U=jnp.ones((2, 1)))
        >>> cell.step(params, jnp.ones(2), None)
        Array([0.5, 2. ], dtype=float32)

    References:
        Li et al. (2018), "Independently recurrent neural network (IndRNN)".
    """
    phi = resolve(activation)

    @check.checked
    def step(p: IndRNNParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        """Compute h_t = φ(w ⊙ h_{t-1} + U x_t + b)."""
        z = p.w * h
        z = z if x is None else z + p.U @ x
        return phi(z if p.b is None else z + p.b)

    return Cell(init, initial_state, step)


indrnn = make_indrnn()
