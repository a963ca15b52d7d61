"""Clipping: of a whole gradient, by its norm or entry by entry, and of the gradient on its way back through each step.

    by norm     g · min(1, limit / ‖g‖)                     direction kept, Pascanu, Mikolov & Bengio (2013)
    by value    max(-limit, min(limit, g_i))                direction lost
    each step   a_t = clip(d_t + a_{t+1} J_{t+1})           with a_t = ∂L/∂h_t and d_t its part by h_t alone

What becomes of special gradients, by norm and by value alike:

    zero      stays exactly zero
    tiny      passes as it is; what the machine flushes to zero is zero
    huge      is clipped however large it is: ‖g‖ is found without squaring large numbers, where a plain sum of squares
              would be inf (from 1e19 in float32) and the clipped gradient 0
    inf, NaN  one such entry makes the whole update zero, and `skipped` in the optimizer's state goes up by one.
              Transformations further down see a gradient of zero: Adam still moves by its momentum
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Cell, Input, Params, State, memoised
from ..machinery.scaled import exponent_of, power_of_two


class ClipState(NamedTuple):
    """The number of updates that were set to zero because their gradient was not finite."""

    skipped: Int[Array, ""]


def clip_by_norm(limit: Any) -> optax.GradientTransformation:
    """g · min(1, limit / ‖g‖), with the norm over all leaves together; `limit` >= 0 may be traced."""
    limit = argument.real("limit", limit, at_least=0)
    return _clipping(lambda gradient: clipped_to_norm(gradient, limit))


def clip_by_value(limit: Any) -> optax.GradientTransformation:
    """Every entry brought into [-limit, limit], real and imaginary parts apart; `limit` >= 0 may be traced."""
    limit = argument.real("limit", limit, at_least=0)

    def clipped(leaf: Array) -> Array:
        if jnp.iscomplexobj(leaf):
            return jax.lax.complex(clipped(leaf.real), clipped(leaf.imag))
        bound = limit.astype(leaf.dtype)
        return jnp.clip(leaf, -bound, bound)

    return _clipping(lambda gradient: jax.tree.map(clipped, gradient))


def _clipping(clip: Any) -> optax.GradientTransformation:
    def init(params: Params) -> ClipState:
        return ClipState(jnp.zeros((), jnp.int32))

    def update(gradient: Params, state: ClipState, params: Params = None) -> tuple[Params, ClipState]:
        finite = jnp.isfinite(_largest(gradient))
        update = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.zeros_like(leaf)), clip(gradient))
        return update, ClipState(state.skipped + (~finite).astype(jnp.int32))

    return optax.GradientTransformation(init, update)


def _largest(tree: Any) -> Float[Array, ""]:
    """The largest magnitude in the tree, in the widest of its precisions and float32 at least; NaN where there is one.

    For a complex number the larger of its two parts: its magnitude may be beyond the type when both are not.
    """
    leaves = jax.tree.leaves(tree)
    kinds = [jnp.finfo(leaf.dtype).dtype for leaf in leaves]
    widest = max([jnp.dtype(jnp.float32), *kinds], key=lambda kind: jnp.finfo(kind).bits)
    parts = [part for leaf in leaves for part in ((leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,))]
    magnitudes = [jnp.max(jnp.abs(part), initial=0).astype(widest) for part in parts]
    return jnp.max(jnp.stack([jnp.zeros((), widest), *magnitudes]))


def clipped_to_norm(tree: Any, limit: Float[Array, ""]) -> Any:
    """The tree times min(1, limit / norm); without meaning where it is not finite."""
    largest = _largest(tree)
    limit = limit.astype(largest.dtype)
    # entries are brought below 1 by a power of two, which is exact, before they are squared
    exponent = exponent_of(largest)
    unit = power_of_two(-exponent, largest.dtype)
    shares = [jnp.abs(leaf * unit.astype(leaf.dtype)).astype(unit.dtype) for leaf in jax.tree.leaves(tree)]
    norm = jnp.sqrt(sum((jnp.sum(share**2) for share in shares), jnp.zeros_like(unit)))
    within: Bool[Array, ""] = norm * power_of_two(exponent, unit.dtype) <= limit
    factor = limit / jnp.where(norm == 0, 1, norm)

    def shrunk(leaf: Array) -> Array:
        return jnp.where(within, leaf, leaf * unit.astype(leaf.dtype) * factor.astype(leaf.dtype))

    return jax.tree.map(shrunk, tree)


@memoised
def clip_each_step(cell: Cell, limit: float) -> Cell:
    """The cell with ‖∂L/∂h_t‖ clipped to `limit` > 0 before it goes back through the step that made h_t.

    The norm is over all leaves of the state of one example; the states themselves are those of `cell`. What reaches the
    parameters is the clipped gradient too, so that no step adds more than limit · ‖∂⁺h_t/∂θ‖. A gradient that is not
    finite goes on as NaN in all of its entries, for the optimizer's clipping to see.

    This is no gradient of any loss, and the cell has no forward-mode derivative: Jacobians, Lyapunov exponents and the
    penalties made of them refuse it. Give measurements the plain cell.
    """
    argument.instance("cell", cell, Cell)
    bound = argument.number("limit", limit, above=0.0)

    @jax.custom_vjp
    def passed(state: State) -> State:
        return state

    def backward(_: None, gradient: State) -> tuple[State]:
        largest = _largest(gradient)
        clipped = clipped_to_norm(gradient, jnp.asarray(bound, largest.dtype))
        return (jax.tree.map(lambda leaf: jnp.where(jnp.isfinite(largest), leaf, jnp.nan), clipped),)

    passed.defvjp(lambda state: (state, None), backward)

    def step(params: Params, state: State, x: Input) -> State:
        return passed(cell.step(params, state, x))

    return cell._replace(step=step)
