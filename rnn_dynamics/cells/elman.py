"""The simple recurrent net, h_t = (1 - α) h_{t-1} + α φ(W h_{t-1} + U x_t + b); default φ = tanh and leak α = 1.

Jacobian (1 - α) I + α diag(φ') W. Elman (1990), "Finding structure in time"; leaky units as in Jaeger et al. (2007).
Parameters and initial weights are those of the linear net: W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
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
    """The Elman cell with φ by name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or as a function.

    0 < leak <= 1; at leak = 1 nothing of the old state is kept.
    """
    phi = resolve(activation)
    leak = argument.number("leak", leak, above=0.0, up_to=1.0)

    @check.checked
    def step(p: Affine, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        new = phi(affine(p, h, x))
        return new if leak == 1 else (1 - leak) * h + leak * new

    return Cell(init, initial_state, step)


def resolve(activation: str | Activation) -> Activation:
    """The activation of that name, or the function itself."""
    if callable(activation):
        return activation
    return ACTIVATIONS[argument.choice("activation", activation, ACTIVATIONS)]


elman = make_elman()
