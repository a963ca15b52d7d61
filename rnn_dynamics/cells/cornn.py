"""The coupled oscillatory net: position y and velocity z of damped, driven, coupled oscillators.

    z' = z + Δt (tanh(W y + V z + U x + b) - γ y - ε z)
    y' = y + Δt z'

Rusch & Mishra (2021), "Coupled oscillatory recurrent neural network (coRNN)", in the explicit form of their code, with
Δt = 0.042, γ = 2.7, ε = 4.7 (their values for sequential MNIST). Their bounds on the gradient require a small Δt.

Parameters (`CoRNNParams`): W and V (hidden, hidden), U (hidden, inputs), b (hidden,) or None.
State (`CoRNNState`): y and z (hidden,); the output is y.
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
    """Parameters of the coupled oscillatory net.

        z' = z + Δt (tanh(W y + V z + U x + b) - γ y - ε z),    y' = y + Δt z'

    Attributes:
        position: The affine map W y + U x + b of position and input: W (hidden, hidden), U (hidden, inputs),
            b (hidden,) or None.
        V: Coupling of the velocities, shape (hidden, hidden).

    References:
        Rusch & Mishra (2021), "Coupled oscillatory recurrent neural network (coRNN)".
    """

    position: Affine
    V: Float[Array, "hidden hidden"]


class CoRNNState(NamedTuple):
    """State of the coupled oscillatory net.

    Attributes:
        y: Positions, shape (hidden,); the cell's output.
        z: Velocities, shape (hidden,).
    """

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
    """Draw W and V ~ N(0, gain²/hidden) and U ~ N(0, 1/inputs); set b.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of oscillators, 1 or more.
        gain: Scales W and V. Default: 1. It may be traced.
        recurrent: An initializer; W and V are `gain` times what it draws. Default: `initializers.gaussian`.
        bias: b, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        dtype: A real floating dtype. Default: JAX's default.

    Returns:
        A `CoRNNParams`.
    """
    key_position, key_velocity = jax.random.split(argument.key(key))
    options = {"hidden": hidden, "gain": gain, "recurrent": recurrent, "dtype": dtype}
    return CoRNNParams(
        position=init_affine(key_position, inputs=inputs, bias=bias, **options),
        V=init_affine(key_velocity, inputs=0, bias=None, **options).W,
    )


@check.checked
def initial_state(p: CoRNNParams) -> CoRNNState:
    """Return the state of rest: zeros in the precision of the parameters."""
    zeros = jnp.zeros_like(p.V[:, 0])
    return CoRNNState(y=zeros, z=zeros)


@memoised
def make_cornn(dt: float = 0.042, gamma: float = 2.7, epsilon: float = 4.7) -> Cell:
    """Make a coupled oscillatory cell with a given time step, stiffness and damping.

        z' = z + Δt (tanh(W y + V z + U x + b) - γ y - ε z),    y' = y + Δt z'

    `rd.cells.cornn` is the cell with the defaults. Equal arguments give the same object.

    Args:
        dt: Δt > 0, the time step. Default: 0.042. The paper's bounds on the gradient require a small one.
        gamma: γ, the stiffness. Default: 2.7.
        epsilon: ε, the damping. Default: 4.7.

    Returns:
        A `Cell`. Its parameters are a `CoRNNParams`, its state is a `CoRNNState`, its output is y, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step.

    Example:
        >>> cell = rd.cells.make_cornn(dt=0.5, gamma=1.0, epsilon=0.0)
        >>> params = cell.init(key, inputs=1, hidden=2, gain=0.0)
        >>> state = rd.cells.CoRNNState(y=jnp.ones(2), z=jnp.zeros(2))
        >>> cell.step(params, state, None).y
        Array([0.75, 0.75], dtype=float32)

    References:
        Rusch & Mishra (2021), "Coupled oscillatory recurrent neural network (coRNN)".
    """
    dt = argument.number("dt", dt, above=0.0)
    gamma, epsilon = argument.number("gamma", gamma), argument.number("epsilon", epsilon)

    @check.checked
    def step(p: CoRNNParams, state: CoRNNState, x: Float[Array, " inputs"] | None) -> CoRNNState:
        """Compute z' = z + Δt (tanh(W y + V z + U x + b) - γ y - ε z) and y' = y + Δt z'."""
        y, z = state
        z = z + dt * (tanh(affine(p.position, y, x) + p.V @ z) - gamma * y - epsilon * z)
        return CoRNNState(y=y + dt * z, z=z)

    return Cell(init, initial_state, step, output)


def output(state: CoRNNState) -> Float[Array, " hidden"]:
    """Return the positions y."""
    return state.y


cornn = make_cornn()
