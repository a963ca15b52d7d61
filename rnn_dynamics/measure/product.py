"""The product J_T ··· J_1 = ∂h_T/∂h_0 of the step Jacobians, of any length, with its scale in a logarithm."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from ..cells.contract import Input, Params, State, Step
from . import door
from .flat import flatten
from .linear_maps import linear_maps
from .scaled import Scaled, from_exponent, rescaled


def jacobian_product(step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None) -> Scaled:
    """∂h_T/∂h_0 = J_T ··· J_1 as direction · e^{log_scale}, later times on the left.

    Time O(T) pushes of n columns through the linearised step, memory O(n²) whatever T; no Jacobian is stored. A
    singular step gives exact zeros, an overflow of the trajectory gives NaN. The direction loses its small singular
    values once they are eps below the largest: the norm stays right, the rank does not (see `log_singular_values`).
    """
    door.enter(step, params=params, h0=h0, xs=xs)
    return _jacobian_product(step, params, h0, xs, length=door.whole_number("length", length))


@door.compiled("length")
def _jacobian_product(step: Step, params: Params, h0: State, xs: Input, *, length: int | None) -> Scaled:
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    vector, _ = flatten(h0)

    def advance(carry: tuple[State, Array, Int[Array, ""]], x: Input) -> tuple[tuple[State, Array, Array], None]:
        h, columns, exponent = carry
        maps = linear_maps(step, params, h, x)
        columns, more = rescaled(maps.push(columns))
        return (maps.after, columns, exponent + more), None

    start = door.varying_like((h0, jnp.eye(vector.size, dtype=vector.dtype), jnp.int32(0)), h0)
    (_, columns, exponent), _ = jax.lax.scan(advance, start, xs, length=T)
    return from_exponent(columns, exponent)
