"""Clip a whole gradient, by its norm or entry by entry, or clip the gradient as it passes back through each step.

    by norm     g · min(1, limit / ‖g‖)                     keeps the direction, Pascanu, Mikolov & Bengio (2013)
    by value    max(-limit, min(limit, g_i))                changes the direction
    each step   a_t = clip(d_t + a_{t+1} J_{t+1})           a_t = ∂L/∂h_t, and d_t is its part through h_t alone

`clip_by_norm` and `clip_by_value` treat special gradients alike:

    zero      stays exactly zero
    tiny      passes unchanged, except that subnormal numbers may be flushed to zero
    huge      is clipped however large it is: ‖g‖ is computed without squaring large numbers, where a plain sum of
              squares would be inf (from 1e19 in float32) and the clipped gradient 0
    inf, NaN  one such entry makes the whole update zero and adds one to `skipped` in the optimizer's state. Later
              transformations see a zero gradient: Adam still moves by its momentum
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
    """The optimizer state: `skipped` counts the updates set to zero because their gradient was not finite."""

    skipped: Int[Array, ""]


def clip_by_norm(limit: Any) -> optax.GradientTransformation:
    """Make a gradient transformation that scales the gradient down to at most a given norm.

        g · min(1, limit / ‖g‖)

    The norm is taken over all leaves together, so the direction is kept. A gradient within the limit is unchanged, bit
    for bit. A huge gradient does not overflow. A gradient with a NaN or infinite entry becomes zero and is counted in
    `skipped` of the state; later transformations see a zero gradient, so Adam still moves by its momentum.

    Args:
        limit: The largest norm, at least 0; may be traced.

    Returns:
        An optax gradient transformation, to put before the optimizer in `optax.chain`.

    Cost:
        Time and memory O(number of parameters).

    Example:
        >>> clip = rd.train.clip_by_norm(2.5)
        >>> update, state = clip.update(jnp.array([3.0, 4.0]), clip.init(jnp.zeros(2)))
        >>> update
        Array([1.5, 2. ], dtype=float32)

    References:
        Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural networks".
    """
    limit = argument.real("limit", limit, at_least=0)
    return _clipping(lambda gradient: clipped_to_norm(gradient, limit))


def clip_by_value(limit: Any) -> optax.GradientTransformation:
    """Make a gradient transformation that brings every entry into [-limit, limit].

        max(-limit, min(limit, g_i))

    This changes the direction of the gradient. The real and imaginary parts of complex entries are clipped separately.
    A gradient with a NaN or infinite entry becomes zero and is counted in `skipped` of the state.

    Args:
        limit: The largest magnitude of an entry, at least 0; may be traced.

    Returns:
        An optax gradient transformation, to put before the optimizer in `optax.chain`.

    Cost:
        Time and memory O(number of parameters).

    Example:
        >>> clip = rd.train.clip_by_value(1.0)
        >>> update, state = clip.update(jnp.array([3.0, 0.5, -4.0]), clip.init(jnp.zeros(3)))
        >>> update
        Array([ 1. ,  0.5, -1. ], dtype=float32)
    """
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
    """Return the largest magnitude in the tree, in its widest precision and at least float32; NaN if an entry is NaN.

    For a complex number take the larger of its two parts, since its magnitude may overflow when both parts do not.
    """
    leaves = jax.tree.leaves(tree)
    kinds = [jnp.finfo(leaf.dtype).dtype for leaf in leaves]
    widest = max([jnp.dtype(jnp.float32), *kinds], key=lambda kind: jnp.finfo(kind).bits)
    parts = [part for leaf in leaves for part in ((leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,))]
    magnitudes = [jnp.max(jnp.abs(part), initial=0).astype(widest) for part in parts]
    return jnp.max(jnp.stack([jnp.zeros((), widest), *magnitudes]))


def clipped_to_norm(tree: Any, limit: Float[Array, ""]) -> Any:
    """Multiply the tree by min(1, limit / norm); the result has no meaning where the tree is not finite."""
    largest = _largest(tree)
    limit = limit.astype(largest.dtype)
    # before squaring, scale all entries by one power of two, which is exact, so that the largest is below 1
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
    """Return the cell with ‖∂L/∂h_t‖ clipped before the gradient passes back through the step that made h_t.

        a_t = clip(d_t + a_{t+1} J_{t+1}),    a_t = ∂L/∂h_t, and d_t is its part through h_t alone

    The norm is taken over all leaves of the state of one example. The states are those of `cell`. The parameters
    receive the clipped gradient too, so no step adds more than limit · ‖∂⁺h_t/∂θ‖. If a gradient is not finite, all its
    entries become NaN, so that `clip_by_norm` or `clip_by_value` can detect it.

    The result is not the gradient of any loss, and the cell has no forward-mode derivative: Jacobians, Lyapunov
    exponents and the penalties made of them refuse it. Give measurements the plain cell. In `fit`, use its option of
    the same name.

    Args:
        cell: The recurrent map.
        limit: The largest norm that passes, greater than 0.

    Returns:
        A `Cell`, the same object for equal arguments.

    Cost:
        O(n) more in each step of the backward pass.

    Example:
        >>> cell = rd.train.clip_each_step(rd.cells.linear, 1.0)
        >>> params = rd.cells.linear.init(key, inputs=1, hidden=2, recurrent=rd.cells.initializers.identity)
        >>> jax.grad(lambda h: jnp.dot(cell.step(params, h, jnp.zeros(1)), jnp.array([0.0, 8.0])))(jnp.zeros(2))
        Array([0., 1.], dtype=float32)

    References:
        Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural networks", for clipping by
        norm.
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
