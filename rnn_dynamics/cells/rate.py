"""The random rate network, as a map and as a flow; here x is the state and u the input.

    map   x_t = (1 - δ) x_{t-1} + δ (J φ(x_{t-1}) + U u_t + b)         Jacobian (1 - δ) I + δ J diag(φ'(x))
    flow  dx/dt = -x + J φ(x) + U u + b, one RK4 step of length dt with u held constant; its Jacobian is that of the
          RK4 map itself, so a tangent vector follows the numerical trajectory exactly

Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks": chaotic for J ~ N(0, g²/N) with g > 1.

Parameters (`Affine`): W, the J above, (hidden, hidden), U (hidden, inputs), b (hidden,) or None; state: x (hidden,).
Initial weights: W ~ N(0, gain²/hidden), U ~ N(0, 1/inputs), b = 0.
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
    """Make a rate map with a given activation and update fraction.

        x_t = (1 - δ) x_{t-1} + δ (J φ(x_{t-1}) + U u_t + b)

    It is an Euler step of length δ of the rate flow, and at δ = 1 the discrete network. `rd.cells.rate` is the cell
    with the defaults. Equal arguments give the same object.

    Args:
        activation: φ, as a name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or an elementwise function.
        delta: δ, the update fraction, with 0 < delta <= 1. Default: 1.

    Returns:
        A `Cell`. Its parameters are an `Affine` whose W is J; its state is x, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step.

    Example:
        >>> cell = rd.cells.make_rate(delta=0.5)
        >>> params = cell.init(key, inputs=1, hidden=2, gain=0.0)
        >>> cell.step(params, jnp.ones(2), None)
        Array([0.5, 0.5], dtype=float32)

    References:
        Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks".
    """
    phi = resolve(activation)
    delta = argument.number("delta", delta, above=0.0, up_to=1.0)

    @check.checked
    def step(p: Affine, x: Float[Array, " hidden"], u: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        """Compute x_t = (1 - δ) x_{t-1} + δ (J φ(x_{t-1}) + U u_t + b)."""
        new = p.W @ phi(x) + drive(p, u)
        return new if delta == 1 else (1 - delta) * x + delta * new

    return Cell(init, initial_state, step)


@memoised
def make_rate_flow(dt: float, activation: str | Activation = "tanh") -> Cell:
    """Make a cell that advances the rate flow by one classical Runge-Kutta step.

        dx/dt = -x + J φ(x) + U u + b,    u held constant over the step

    Time is measured in time constants of a unit. An exponent per step divided by dt is the exponent per unit time.
    Equal arguments give the same object.

    Args:
        dt: The length of a step, above 0, in time constants.
        activation: φ, as a name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or an elementwise function.

    Returns:
        A `Cell`. Its parameters are an `Affine` whose W is J; its state is x, shape (hidden,).

    Cost:
        O(hidden² + hidden inputs) per step, four products with J.

    Example:
        >>> cell = rd.cells.make_rate_flow(0.1)
        >>> params = cell.init(key, inputs=1, hidden=2, gain=0.0)
        >>> x = cell.step(params, jnp.ones(2), None)
        >>> round(float(x[0]), 3)  # e^-0.1
        0.905

    References:
        Sompolinsky, Crisanti & Sommers (1988), "Chaos in random neural networks".
    """
    phi = resolve(activation)
    dt = argument.number("dt", dt, above=0.0)

    @check.checked
    def step(p: Affine, x: Float[Array, " hidden"], u: Float[Array, " inputs"] | None) -> Float[Array, " hidden"]:
        """Advance dx/dt = -x + J φ(x) + U u + b by one RK4 step of length dt."""
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
