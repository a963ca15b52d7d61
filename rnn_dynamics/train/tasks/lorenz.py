"""Lorenz forecasting (Lorenz 1963): from the path so far, predict a chaotic flow `horizon` samples ahead.

dx/dt = σ(y - x), dy/dt = x(ρ - z) - y, dz/dt = xy - βz with σ = 10, ρ = 28, β = 8/3, integrated by RK4 in steps of at
most 0.01 and sampled every `interval` units of time. With `observed=1` only x is shown, and y and z need memory.
Paths are normalised by the long-time mean and variance. <z> = 23.5500 and <z²> = 628.949 are averages over 10⁴ orbits
of 2000 units each, RK4 in steps of 0.01 after a burn-in (standard errors 0.0002 and 0.008). The others follow because
long-time averages of derivatives vanish: of x²/2, z, y²/2 and z²/2 give <x²> = <xy> = β<z> and <y²> = ρβ<z> - β<z²>,
and the symmetry (x, y) -> (-x, -y) gives <x> = <y> = 0. The same run confirmed both to five digits.
The start is a Gaussian of that mean and variance. BURN_IN steps of random size carry it to the attractor, so that 15 to
30 units pass, because phases mix slowly. After them <z> is within 0.2 percent of its long-time value.
Chance: every normalised target has mean 0 and variance 1, so the best constant answer is 0 and costs 1.
Solved: 0.01, a root mean square error of a tenth of the standard deviation. The flow doubles an error in about
0.77 units of time, so no net can solve a horizon of many units.
The burn-in is chaotic too, so a key gives the same example only in the same program on the same machine: different
rounding gives a different path, which is equally valid.
A sample costs BURN_IN + (T + horizon) interval/0.01 sequential RK4 steps, vmapped over a batch.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ... import argument
from ...cells.contract import memoised
from ..task import Example, Task, squared_error
from .levels import within

SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3
MEAN_Z, MEAN_Z_SQUARED = 23.5500, 628.949
MEAN = (0.0, 0.0, MEAN_Z)
DEVIATION = (
    math.sqrt(BETA * MEAN_Z),  # 7.9246
    math.sqrt(BETA * (RHO * MEAN_Z - MEAN_Z_SQUARED)),  # 9.0112
    math.sqrt(MEAN_Z_SQUARED - MEAN_Z**2),  # 8.6224
)
STEP = 0.01  # the longest step of the integrator
BURN_IN = 1000
BURN_IN_STEPS = (0.015, 0.03)
TOLERANCE = 0.25  # a correct answer is closer than this, in standard deviations


@memoised
def lorenz(length: int = 100, horizon: int = 5, interval: float = 0.05, observed: int = 3) -> Task:
    """Make Lorenz forecasting: from the path so far, predict a chaotic flow `horizon` samples ahead.

        dx/dt = σ(y - x),    dy/dt = x(ρ - z) - y,    dz/dt = xy - βz,    σ = 10, ρ = 28, β = 8/3

    Inputs and targets are normalised to mean 0 and variance 1, and the loss is the mean squared error over (x, y, z).
    Chance is 1; solved is 0.01, an error of a tenth of the standard deviation. An answer is correct within 0.25
    standard deviations. The flow doubles an error in about 0.77 units of time, so no net can solve a horizon of many
    units. The flow is chaotic, so a key gives the same example only in the same program on the same machine.

    Args:
        length: T, the number of samples, at least 1. Default: 100.
        horizon: How many samples ahead the target lies, at least 1. Default: 5.
        interval: The time between samples, in (0, 1] units of time. Default: 0.05.
        observed: How many of x, y, z are shown: 1, 2 or 3. Default: 3.

    Returns:
        A `Task` with `observed` inputs and 3 outputs, the same object for equal arguments.

    Cost:
        1000 + (T + horizon) interval/0.01 sequential Runge-Kutta steps an example.

    Example:
        >>> task = rd.train.tasks.lorenz(length=6, horizon=2, observed=1)
        >>> example = task.sample(key)
        >>> example.xs.shape, example.targets.shape
        ((6, 1), (6, 3))
        >>> bool(jnp.all(example.xs[2:, 0] == example.targets[:-2, 0]))  # a target is shown two samples later
        True

    References:
        Lorenz (1963).
    """
    length, horizon = argument.size("length", length, 1), argument.size("horizon", horizon, 1)
    interval = argument.number("interval", interval, above=0.0, up_to=1.0)
    observed = argument.size("observed", observed, 1)
    if observed > 3:
        raise ValueError(f"observed: got {observed}, expected 1, 2 or 3 coordinates")
    pieces = math.ceil(interval / STEP - 1e-9)

    def sample(key: Array) -> Example:
        def next_sample(state: Array, _: None) -> tuple[Array, Array]:
            return advance(state, jnp.asarray(interval / pieces, state.dtype), pieces), state

        _, path = jax.lax.scan(next_sample, on_the_attractor(key), None, length=length + horizon)
        path = (path - jnp.array(MEAN)[None]) / jnp.array(DEVIATION)[None]
        return Example(path[:length, :observed], path[horizon:], jnp.ones((length,), bool))

    return Task(
        name="lorenz",
        inputs=observed,
        outputs=3,
        length=length,
        sample=sample,
        loss=squared_error,
        correct=within(TOLERANCE),
        chance=1.0,
        solved=0.01,
    )


def on_the_attractor(key: Array) -> Float[Array, "3"]:
    """Draw a random state of the flow, after the burn-in."""
    for_start, for_step = jax.random.split(key)
    start = jnp.array(MEAN) + jnp.array(DEVIATION) * jax.random.normal(for_start, (3,))
    return advance(start, jax.random.uniform(for_step, (), start.dtype, *BURN_IN_STEPS), BURN_IN)


def advance(state: Float[Array, "3"], h: Float[Array, ""], steps: int) -> Float[Array, "3"]:
    """Advance the state by `steps` steps of RK4 of size h."""

    def step(_: Array, s: Array) -> Array:
        k1 = velocity(s)
        k2 = velocity(s + h / 2 * k1)
        k3 = velocity(s + h / 2 * k2)
        k4 = velocity(s + h * k3)
        return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return jax.lax.fori_loop(0, steps, step, state)


def velocity(state: Float[Array, "3"]) -> Float[Array, "3"]:
    """Compute (dx/dt, dy/dt, dz/dt)."""
    x, y, z = state
    return jnp.stack([SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z])
