"""The independently recurrent net, h_t = φ(w ⊙ h_{t-1} + U x_t + b): each unit feeds back on itself alone.

The Jacobian diag(φ' w) is diagonal, so each unit's gradient is known from its own weight. Li et al. (2018),
"Independently recurrent neural network (IndRNN)", with φ = relu; mixing between units is left to the next layer.
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
    """One recurrent weight a unit, input weights and bias."""

    w: Float[Array, " hidden"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None = None


def init(
    key: PRNGKeyArray, *, inputs: int, hidden: int, gain: Any = 1.0, bias: Bias = 0.0, dtype: Any = None
) -> IndRNNParams:
    """w ~ U(0, gain), U ~ N(0, 1/inputs), b = `bias` (None: no bias)."""
    key_w, key_U = jax.random.split(argument.key(key))
    unit = init_affine(key_U, inputs=inputs, hidden=hidden, recurrent=identity, bias=bias, dtype=dtype)
    w = jax.random.uniform(key_w, (unit.W.shape[0],), unit.W.dtype)
    return IndRNNParams(w=constant("gain", gain, (), w.dtype) * w, U=unit.U, b=unit.b)


@check.checked
def initial_state(p: IndRNNParams) -> Float[Array, " hidden"]:
    """Zeros, in the precision of the parameters."""
    return jnp.zeros_like(p.w)


@memoised
def make_indrnn(activation: str | Activation = "relu") -> Cell:
    """The IndRNN with φ by name or as a function."""
    phi = resolve(activation)

    @check.checked
    def step(p: IndRNNParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        z = p.w * h
        z = z if x is None else z + p.U @ x
        return phi(z if p.b is None else z + p.b)

    return Cell(init, initial_state, step)


indrnn = make_indrnn()
