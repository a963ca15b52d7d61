"""The random rate network, as a map and as a flow; x is its state and u its input.

    map   x_t = (1 - δ) x_{t-1} + δ (J φ(x_{t-1}) + U u_t + b)         Jacobian (1 - δ) I + δ J diag(φ'(x))
    flow  dx/dt = -x + J φ(x) + U u + b, one RK4 step of length dt with u held; its Jacobian is that of the RK4 map
          itself, so a tangent follows the numerical trajectory exactly

Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks": chaotic for J ~ N(0, g²/N) with g > 1.
Initial weights: W (their J) ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
"""

from jaxtyping import Array, Float

from .. import argument
from . import check
from .activations import Activation
from .affine import Affine, drive
from .contract import Cell, memoised
from .elman import resolve
from .linear import init, initial_state


@memoised
def make_rate(activation: str | Activation = "tanh", delta: float = 1.0) -> Cell:
    """The rate map with update fraction 0 < delta <= 1: an Euler step of the flow, and at 1 the discrete network."""
    phi = resolve(activation)
    delta = argument.number("delta", delta, above=0.0, up_to=1.0)

    @check.checked
    def step(p: Affine, x: Float[Array, " hidden"], u: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        new = p.W @ phi(x) + drive(p, u)
        return new if delta == 1 else (1 - delta) * x + delta * new

    return Cell(init, initial_state, step)


@memoised
def make_rate_flow(dt: float, activation: str | Activation = "tanh") -> Cell:
    """The rate flow advanced by one classical Runge-Kutta step of length dt > 0.

    Time is counted in time constants of a unit: an exponent per step divided by dt is the exponent per unit time.
    """
    phi = resolve(activation)
    dt = argument.number("dt", dt, above=0.0)

    @check.checked
    def step(p: Affine, x: Float[Array, " hidden"], u: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        held = drive(p, u)

        def velocity(x: Array) -> Array:
            return p.W @ phi(x) + held - x

        k1 = velocity(x)
        k2 = velocity(x + dt / 2 * k1)
        k3 = velocity(x + dt / 2 * k2)
        k4 = velocity(x + dt * k3)
        return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return Cell(init, initial_state, step)


rate = make_rate()
