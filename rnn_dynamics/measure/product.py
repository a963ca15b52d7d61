"""The product J_T ··· J_1 = ∂h_T/∂h_0 of any number of step Jacobians, with its scale as a logarithm."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import inside_transformation
from ..machinery.linear_maps import linear_maps
from ..machinery.scaled import Scaled, exponent_of, from_exponent, power_of_two, rescaled
from ..machinery.state_vector import flatten
from ..machinery.window_products import number_of_windows, product_in_windows

# XLA makes one kernel of a whole step of fewer numbers on a CPU, which no windows improve on
SMALLEST_IN_WINDOWS = 5


def jacobian_product(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    windows: int | str = "auto",
) -> Scaled:
    """Compute the product of all step Jacobians without overflow or underflow.

        ∂h_T/∂h_0 = J_T ··· J_1 = direction · e^{log_scale}

    Later times stand on the left. A singular step gives exact zeros; a trajectory that overflows gives NaN. Singular
    values smaller than eps times the largest are lost: the norm stays right, the rank does not. Use
    `log_singular_values` to measure all of them.

    Differentiate direction and scale together, since the scale alone is treated as a constant.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.
        windows: How many windows of time advance side by side, in matrices of n × n. 1 is one long loop. "auto" uses
            32 on a CPU for 5 to 16 numbers and T of 100 000 or more, 64 on an accelerator for up to 128 numbers and T
            of 2000 or more, and otherwise 1, also inside your own jit or vmap. Results agree to rounding.

    Returns:
        A `Scaled` with a direction of shape (n, n) and a scalar log_scale in nats. Its methods give the logarithm of
        its norm, a plain array, and the product with another one.

    Cost:
        Time O(T) pushes of n columns through the linearised step. Memory O(n²) for any T, and as much for each window:
        no Jacobian is stored.

    Example:
        >>> W = 2 * jnp.eye(2)
        >>> product = rd.jacobian_product(lambda W, h, x: W @ h, W, jnp.zeros(2), None, length=1000)
        >>> round(float(product.log_norm()), 2)  # ln ‖2^1000 I‖_F = 1000 ln 2 + ½ ln 2
        693.49
    """
    length, T = entry.checked(step, params, h0, xs, length)
    batched = inside_transformation(params, h0, xs)
    windows = number_of_windows(windows, T, flatten(h0)[0].size, batched, least=SMALLEST_IN_WINDOWS)
    return _jacobian_product(step, params, h0, xs, length=length, windows=windows)


@entry.compiled()
def _jacobian_product(step: Step, params: Params, h0: State, xs: Input, *, length: int | None, windows: int) -> Scaled:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    vector, _ = flatten(h0)
    if windows > 1:
        return from_exponent(*product_in_windows(step, params, h0, xs, T, windows))
    # a fixed combination without zeros, and without symmetries that a net may have
    glance = jnp.cos(jnp.arange(vector.size, dtype=vector.dtype) + 1)

    def advance(carry: tuple[State, Array, Array, Array], x: Input) -> tuple[tuple[State, Array, Array, Array], None]:
        h, rows, exponent, shift = carry
        maps = linear_maps(step, params, h, x)
        # the columns are stored as rows, because XLA's products on CPUs are twice as fast that way
        rows = maps.push((rows * power_of_two(-shift, rows.dtype)).T).T
        # one combination of the columns has about their size and is cheaper than a look at all of them
        size = jax.lax.stop_gradient(jnp.max(jnp.abs(glance @ rows)))
        return (maps.after, rows, exponent + shift, exponent_of(size)), None

    nothing = jnp.int32(0)
    start = entry.varying_like((h0, jnp.eye(vector.size, dtype=vector.dtype), nothing, nothing), h0)
    (_, rows, exponent, _), _ = jax.lax.scan(advance, start, xs, length=T)
    rows, more = rescaled(rows)
    return from_exponent(rows.T, exponent + more)
