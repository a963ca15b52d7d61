"""The measurements that the command line sweeps, each of a cell with random weights at one point of a grid.

Each takes the name of a cell, its width `hidden`, the number of steps `length`, the `gain` of its recurrent weights and
the standard deviation `drive` of its input noise. Lyapunov exponents are measured after a burn-in of length // 4 steps.
"""

from typing import Any

import jax

from .cells import CELLS, Cell
from .measure import gradient_flow as flow_of
from .measure import log_singular_values, lyapunov_spectrum
from .sweeps import Variable, described

AXES = {
    "gain": Variable("1", "gain of the recurrent weights"),
    "drive": Variable("1", "standard deviation of the input"),
    "hidden": Variable("1", "width of the layer"),
    "length": Variable("1", "steps measured"),
    "cell": Variable("1", "recurrent cell"),
}


def trajectory(key: jax.Array, cell: str, hidden: int, steps: int, gain: jax.Array, drive: jax.Array) -> Any:
    """Return the step of a cell, random parameters, a random state and inputs: the arguments of a measurement."""
    for_params, for_state, for_inputs = jax.random.split(key, 3)
    found: Cell = CELLS[cell]
    params = found.init(for_params, inputs=1, hidden=hidden, gain=gain)
    zeros, tree = jax.tree.flatten(found.initial_state(params))
    keys = jax.random.split(for_state, len(zeros))
    states = [0.1 * jax.random.normal(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, zeros, strict=True)]
    return found.step, params, jax.tree.unflatten(tree, states), drive * jax.random.normal(for_inputs, (steps, 1))


@described(
    **AXES,
    exponents=Variable("nats per step", "Lyapunov exponents", ("index",)),
    stderr=Variable("nats per step", "their standard errors", ("index",)),
    reliable=Variable("1", "whether there is no doubt about them", ("index",)),
    largest=Variable("nats per step", "largest Lyapunov exponent"),
    sum_rule_residual=Variable("nats per step", "sum of the exponents less the mean of ln |det J|"),
)
def lyapunov(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, drive: jax.Array
) -> dict[str, jax.Array]:
    """Compute all Lyapunov exponents, in nats per step."""
    for_net, for_frame = jax.random.split(key)
    burn_in = length // 4
    net = trajectory(for_net, cell, hidden, burn_in + length, gain, drive)
    found = lyapunov_spectrum(*net, burn_in=burn_in, key=for_frame)
    return {
        "exponents": found.exponents,
        "stderr": found.stderr,
        "reliable": found.reliable,
        "largest": found.exponents[0],
        "sum_rule_residual": found.sum_rule_residual,
    }


@described(
    **AXES,
    log_norm=Variable("nats", "ln of the 2-norm of the derivative of h_T with respect to h_(T-lag)", ("lag",)),
    log_frobenius=Variable("nats", "ln of its Frobenius norm", ("lag",)),
)
def gradient_flow(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, drive: jax.Array
) -> dict[str, jax.Array]:
    """Compute the natural logarithm of the norms of ∂h_T/∂h_(T-lag) for each lag."""
    found = flow_of(*trajectory(key, cell, hidden, length, gain, drive))
    return {"log_norm": found.log_norm, "log_frobenius": found.log_frobenius}


@described(
    **AXES,
    log_singular_values=Variable("nats", "ln of the singular values of the product of all Jacobians", ("index",)),
)
def singular_values(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, drive: jax.Array
) -> dict[str, jax.Array]:
    """Compute the natural logarithms of the singular values of the product of all Jacobians."""
    return {"log_singular_values": log_singular_values(*trajectory(key, cell, hidden, length, gain, drive))}


MEASUREMENTS = {"lyapunov": lyapunov, "gradient_flow": gradient_flow, "singular_values": singular_values}
