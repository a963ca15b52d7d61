"""The simple recurrent net of Elman.

    h_t = (1 - α) h_{t-1} + α φ(W h_{t-1} + U x_t + b)        default φ = tanh and leak α = 1

Its Jacobian is (1 - α) I + α diag(φ') W. Elman (1990), "Finding structure in time"; leaky units as in Jaeger et al.
(2007).

Parameters (`Affine`): W (hidden, hidden), U (hidden, inputs), b (hidden,) or None; state: h (hidden,).
Initial weights: as for the linear net, W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

from jaxtyping import Array, Float

from .. import argument
from . import check
from .activations import ACTIVATIONS, Activation
from .affine import Affine, affine
from .contract import Cell, memoised
from .linear import init, initial_state


@memoised
def make_elman(activation: str | Activation = "tanh", leak: float = 1.0) -> Cell:
    """Make an Elman cell with a given activation and leak.

        h_t = (1 - α) h_{t-1} + α φ(W h_{t-1} + U x_t + b)

    `rd.cells.elman` is the cell with the defaults. Equal arguments give the same object.

    Args:
        activation: φ, as a name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or an elementwise function.
        leak: α, with 0 < leak <= 1. Default: 1, which keeps nothing of the old state.

    Returns:
        A `Cell`. Its parameters are an `Affine`; its state is h, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step.

    Example:
        >>> cell = rd.cells.make_elman("identity", leak=0.5)
        >>> params = cell.init(key, inputs=1, hidden=2, bias=1.0)
        >>> cell.step(params, cell.initial_state(params), None)
        Array([0.5, 0.5], dtype=float32)

    References:
        Elman (1990), "Finding structure in time".
        Jaeger et al. (2007), for leaky units.
    """
    phi = resolve(activation)
    leak = argument.number("leak", leak, above=0.0, up_to=1.0)

    @check.checked
    def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        """Compute h_t = (1 - α) h_{t-1} + α φ(W h_{t-1} + U x_t + b)."""
        new = phi(affine(p, h, x))
        return new if leak == 1 else (1 - leak) * h + leak * new

    return Cell(init, initial_state, step)


def resolve(activation: str | Activation) -> Activation:
    """Return the activation of that name, or the function itself."""
    if callable(activation):
        return activation
    return ACTIVATIONS[argument.choice("activation", activation, ACTIVATIONS)]


elman = make_elman()
