"""The coupled oscillatory net: position y and velocity z of damped, driven, coupled oscillators.

    z' = z + Δt (tanh(W y + V z + U x + b) - γ y - ε z)
    y' = y + Δt z'

Rusch & Mishra (2021), "Coupled oscillatory recurrent neural network (coRNN)", in the explicit form of their code,
with Δt = 0.042, γ = 2.7, ε = 4.7 (their sequential MNIST). Their bounds on the gradient ask for small Δt.
Initial weights: W and V ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import tanh
from .affine import Affine, Bias, affine, init_affine
from .contract import Cell, memoised
from .initializers import Initializer, gaussian


class CoRNNParams(NamedTuple):
    """The affine map of position and input, and the coupling V of the velocities."""

    position: Affine
    V: Float[Array, "hidden hidden"]


class CoRNNState(NamedTuple):
    """Position y and velocity z."""

    y: Float[Array, " hidden"]
    z: Float[Array, " hidden"]


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    recurrent: Initializer = gaussian,
    bias: Bias = 0.0,
    dtype: Any = None,
) -> CoRNNParams:
    """W, V ~ N(0, gain²/hidden) or gain · `recurrent`, U ~ N(0, 1/inputs), b = `bias` (None: no bias)."""
    key_position, key_velocity = jax.random.split(argument.key(key))
    options = {"hidden": hidden, "gain": gain, "recurrent": recurrent, "dtype": dtype}
    return CoRNNParams(
        position=init_affine(key_position, inputs=inputs, bias=bias, **options),
        V=init_affine(key_velocity, inputs=0, bias=None, **options).W,
    )


@check.checked
def initial_state(p: CoRNNParams) -> CoRNNState:
    """At rest: zeros, in the precision of the parameters."""
    zeros = jnp.zeros_like(p.V[:, 0])
    return CoRNNState(y=zeros, z=zeros)


@memoised
def make_cornn(dt: float = 0.042, gamma: float = 2.7, epsilon: float = 4.7) -> Cell:
    """The coRNN with time step dt > 0, stiffness gamma and damping epsilon."""
    dt = argument.number("dt", dt, above=0.0)
    gamma, epsilon = argument.number("gamma", gamma), argument.number("epsilon", epsilon)

    @check.checked
    def step(p: CoRNNParams, state: CoRNNState, x: Float[Array, " inputs"] | None) -> CoRNNState:
        y, z = state
        z = z + dt * (tanh(affine(p.position, y, x) + p.V @ z) - gamma * y - epsilon * z)
        return CoRNNState(y=y + dt * z, z=z)

    return Cell(init, initial_state, step, output)


def output(state: CoRNNState) -> Float[Array, " hidden"]:
    """The positions y."""
    return state.y


cornn = make_cornn()
