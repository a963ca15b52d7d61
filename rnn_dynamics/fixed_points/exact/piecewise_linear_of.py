"""Write a step as a piecewise-linear net, if it is one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...cells.contract import Input, Params, State, Step
from ...machinery import entry
from ...machinery.compiled_programs import float32_products, inside_transformation
from ...machinery.state_vector import flatten
from .kinks_of_step import Kinks, Moved, run
from .piecewise_linear import PiecewiseLinear, piecewise_linear_step

KINDS = "relu, leaky relu, abs, maximum, minimum, clip and where(u > v, a, b) of linear functions of the state"

# of the random states at which a step is looked at
SIZES = np.logspace(-1, 2, 4).repeat(10)[:, None]


def piecewise_linear_of(step: Step, params: Params, state: State, x: Input = None) -> PiecewiseLinear:
    """Write a step as A h + V relu(C h + d) + c, for `exact_cycles`.

    The program of the step is run with its kinks taken apart; what is left must be linear. The result is compared with
    the step itself at random states of sizes 0.1 to 100, so a step that is not of this form is refused.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`, continuous and linear between kinks: made of relu,
            leaky relu, abs, maximum, minimum, clip and where(u > v, a, b) of linear functions of the state, but not of
            each other.
        params: Its parameters, any pytree.
        state: A state; only its tree, shapes and dtypes matter. h is the state as one vector, leaf by leaf.
        x: A constant input, or None for an undriven step.

    Returns:
        A `PiecewiseLinear`.

    Cost:
        Compiles one program of the step's linear part: about a second; 40 steps of forward derivatives in memory.

    Example:
        >>> cell = rd.cells.make_elman("relu")
        >>> params = cell.init(key, inputs=1, hidden=3, bias=1.0)
        >>> net = rd.fixed_points.piecewise_linear_of(cell.step, params, jnp.zeros(3))
        >>> bool(jnp.all(net.C == params.W)), bool(jnp.all(net.V == jnp.eye(3)))
        (True, True)
    """
    entry.enter(step, params=params, state=state, x=x)
    if inside_transformation(params, state, x):
        raise TypeError("params: got arrays that are being traced by jit, vmap or grad, expected concrete ones")
    state = entry.closed(entry.traced_step(step, params, state, x), params, state, x, "state")
    entry.decomposable(state, "state")
    vector, unflatten = flatten(state)

    def advance(h: Array) -> Array:
        return flatten(step(params, unflatten(h), x))[0]

    with float32_products():
        program = jax.make_jaxpr(advance)(vector)
        draw = np.random.default_rng(0).normal
        states = jnp.asarray(draw(size=(40, vector.size)) * SIZES, vector.dtype)
        net, within, defect = jax.jit(lambda states: _taken_apart(program, states))(states)
        if not defect <= 1e3 * jnp.finfo(vector.dtype).eps:
            raise ValueError(f"step: is not linear between its kinks, expected {KINDS}")
        if np.any(within):
            raise ValueError(
                "step: has a kink within a kink, such as a relu of a relu, expected a sum of kinks of linear functions "
                "of the state"
            )
        _compared(jax.jit(jax.vmap(advance)), net, vector)
    return net


def _taken_apart(program: Any, states: Float[Array, "states n"]) -> tuple[PiecewiseLinear, Array, Array]:
    """Return the net, ∂z/∂relu(z), and how far what is left of the step is from linear.

    The slope of each `where` is the one that most states agree on: beyond another kink within it, it varies.
    """

    def seen(h: Array) -> tuple[list[Array], list[Array]]:
        kinks = Kinks()
        run(program, [Moved(h)], kinks)
        return kinks.z, kinks.slopes

    def agreed(slope: Array) -> Array:
        near = jnp.abs(slope[:, None] - slope[None]) <= 1e-3 * (1 + jnp.abs(slope[None]))
        return jnp.take_along_axis(slope, jnp.argmax(near.sum(axis=0), axis=0)[None], axis=0)[0]

    z, slopes = jax.vmap(seen)(states)
    slopes = [agreed(slope) for slope in slopes]
    m, h = sum(each[0].size for each in z), states[0]

    def left(h: Array, r: Array) -> tuple[Array, Array]:
        kinks = Kinks(r, slopes)
        after = run(program, [Moved(h)], kinks)[0]
        z = jnp.concatenate([jnp.zeros(0, h.dtype), *(jnp.ravel(each) for each in kinks.z)])
        return (after.value if isinstance(after, Moved) else after), z

    at_rest = jnp.zeros_like(h), jnp.zeros(m, h.dtype)
    c, d = left(*at_rest)
    (A, V), (C, within) = jax.jacfwd(left, argnums=(0, 1))(*at_rest)
    r = jnp.linspace(1, 2, m, dtype=h.dtype)
    found = jnp.concatenate(left(h, r))
    linear = jnp.concatenate([A @ h + V @ r + c, C @ h + within @ r + d])
    defect = jnp.max(jnp.abs(found - linear)) / (1 + jnp.max(jnp.abs(found)))
    return PiecewiseLinear(A, V, C, d, c), within, defect


def _compared(advance: Any, net: PiecewiseLinear, vector: Float[Array, " n"]) -> None:
    """Refuse a net that differs from the step at some of 40 random states."""
    states = jnp.asarray(np.random.default_rng(1).normal(size=(40, vector.size)) * SIZES, vector.dtype)
    ours, terms = jax.jit(jax.vmap(lambda h: _with_its_terms(net, h)))(states)
    wrong = jnp.max(jnp.abs(ours - advance(states)), axis=1) / (1 + jnp.max(terms, axis=1))
    if not jnp.all(wrong <= 1e4 * jnp.finfo(vector.dtype).eps):
        raise ValueError(
            f"step: differs from A h + V relu(C h + d) + c by up to {float(jnp.max(wrong)):.2g} of its size at random "
            f"states, so it is not continuous and piecewise linear; expected {KINDS}"
        )


def _with_its_terms(net: PiecewiseLinear, h: Float[Array, " n"]) -> tuple[Array, Array]:
    """Return a step of the net, and how large the terms are that it sums, since these decide what rounding leaves."""
    A, V, C, d, c = (jnp.abs(part) for part in net)
    return piecewise_linear_step(net, h, None), A @ jnp.abs(h) + V @ (C @ jnp.abs(h) + d) + c
