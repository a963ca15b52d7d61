"""The antisymmetric net, an Euler step of an ODE whose Jacobian has eigenvalues near the imaginary axis.

    h_t = h_{t-1} + ε tanh((W - Wᵀ - γ I) h_{t-1} + U x_t + b)

Gradients neither grow nor decay in the limit ε → 0; γ damps the growth that the Euler step itself adds. Chang, Chen,
Haber & Chi (2019), "AntisymmetricRNN".

Parameters (`Affine`): W (hidden, hidden), U (hidden, inputs), b (hidden,) or None; state: h (hidden,).
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
    """Make an antisymmetric cell with a given step size and damping.

        h_t = h_{t-1} + ε tanh((W - Wᵀ - γ I) h_{t-1} + U x_t + b)

    `rd.cells.antisymmetric` is the cell with the defaults. Equal arguments give the same object.

    Args:
        epsilon: ε > 0, the step size. Default: 0.01.
        gamma: γ, the damping (the paper's diffusion constant). Default: 0.01.

    Returns:
        A `Cell`. Its parameters are an `Affine`; its state is h, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step.

    Example:
        >>> cell = rd.cells.make_antisymmetric(epsilon=0.1)
        >>> params = cell.init(key, inputs=1, hidden=2, bias=1.0)
        >>> h = cell.step(params, cell.initial_state(params), None)
        >>> round(float(h[0]), 3)  # 0.1 tanh 1
        0.076

    References:
        Chang, Chen, Haber & Chi (2019), "AntisymmetricRNN".
    """
    epsilon, gamma = argument.number("epsilon", epsilon, above=0.0), argument.number("gamma", gamma)

    @check.checked
    def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        """Compute h_t = h_{t-1} + ε tanh((W - Wᵀ - γ I) h_{t-1} + U x_t + b)."""
        A = p.W - p.W.T - gamma * jnp.eye(h.size, dtype=h.dtype)
        return h + epsilon * tanh(affine(p._replace(W=A), h, x))

    return Cell(init, initial_state, step)


antisymmetric = make_antisymmetric()
