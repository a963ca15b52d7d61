"""The product J_T ··· J_1 = ∂h_T/∂h_0 of the step Jacobians, of any length, with its scale in a logarithm."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.scaled import Scaled, exponent_of, from_exponent, power_of_two, rescaled
from ..machinery.spectral_norm import start_vector
from ..machinery.state_vector import flatten


def jacobian_product(step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None) -> Scaled:
    """∂h_T/∂h_0 = J_T ··· J_1 as direction · e^{log_scale}, later times on the left.

    Time O(T) pushes of n columns through the linearised step, memory O(n²) whatever T; no Jacobian is stored. A
    singular step gives exact zeros, an overflow of the trajectory gives NaN. The direction loses its small singular
    values once they are eps below the largest: the norm stays right, the rank does not (see `log_singular_values`).
    Differentiate direction and scale together: the scale alone counts as a constant.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    return _jacobian_product(step, params, h0, xs, length=entry.whole_number("length", length))


@entry.compiled("length")
def _jacobian_product(step: Step, params: Params, h0: State, xs: Input, *, length: int | None) -> Scaled:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    vector, _ = flatten(h0)

    glance = start_vector(vector.size, vector.dtype)

    def advance(carry: tuple[State, Array, Array, Array], x: Input) -> tuple[tuple[State, Array, Array, Array], None]:
        h, rows, exponent, shift = carry
        maps = linear_maps(step, params, h, x)
        # the columns are kept as rows: XLA's products on CPUs are twice as fast that way round
        rows = maps.push((rows * power_of_two(-shift, rows.dtype)).T).T
        # one combination of them is about as long as they are, and cheaper than looking at each
        size = jax.lax.stop_gradient(jnp.max(jnp.abs(glance @ rows)))
        return (maps.after, rows, exponent + shift, exponent_of(size)), None

    nothing = jnp.int32(0)
    start = entry.varying_like((h0, jnp.eye(vector.size, dtype=vector.dtype), nothing, nothing), h0)
    (_, rows, exponent, _), _ = jax.lax.scan(advance, start, xs, length=T)
    rows, more = rescaled(rows)
    return from_exponent(rows.T, exponent + more)
