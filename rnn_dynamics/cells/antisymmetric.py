"""The antisymmetric net, h_t = h_{t-1} + ε tanh((W - Wᵀ - γ I) h_{t-1} + U x_t + b).

An Euler step of an ODE whose Jacobian has eigenvalues near the imaginary axis, so that gradients neither grow nor
decay in the limit ε → 0; γ damps what the Euler step itself adds. Chang, Chen, Haber & Chi (2019), "AntisymmetricRNN".
Initial weights: W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import argument
from . import check
from .activations import tanh
from .affine import Affine, affine
from .contract import Cell, memoised
from .linear import init, initial_state


@memoised
def make_antisymmetric(epsilon: float = 0.01, gamma: float = 0.01) -> Cell:
    """The antisymmetric cell with step size epsilon > 0 and diffusion gamma."""
    epsilon, gamma = argument.number("epsilon", epsilon, above=0.0), argument.number("gamma", gamma)

    @check.checked
    def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        A = p.W - p.W.T - gamma * jnp.eye(h.size, dtype=h.dtype)
        return h + epsilon * tanh(affine(p._replace(W=A), h, x))

    return Cell(init, initial_state, step)


antisymmetric = make_antisymmetric()
