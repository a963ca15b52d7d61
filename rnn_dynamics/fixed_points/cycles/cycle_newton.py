"""Newton's method for all states of a cycle at once (multiple shooting), in many lanes side by side.

    G_i = step(h_i) - h_{i+1},   i = 0 .. p - 1,   h_p = h_0
    J_i d_i - d_{i+1} = -G_i,    h_i ← h_i + s d_i

where s ≤ 1 keeps every component of the change below a cap. The step composed p times would have to be followed along
a trajectory, in which errors grow as the multipliers of the cycle, 2^p for the logistic map; here each equation holds
one step, and the region from which the method converges hardly shrinks with p.

Known cycles are divided out (`points/deflation.py`), so that a lane near one of them is pushed away.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...cells.contract import Input, Params
from ...machinery import entry
from ...machinery.captured_arrays import Traced
from ...machinery.compiled_programs import PLAIN
from ...machinery.lapack_threads import on_one_thread
from ...machinery.state_vector import flatten
from ..points.deflation import deflated
from .cyclic_system import solve_cyclic

RUNNING, DONE, LOST = 0, 1, 2


class Lanes(NamedTuple):
    """Searches that run side by side, L of them.

    Attributes:
        states: The p states of each, (L, p, n).
        response: How rounding errors move a solution, and what Newton's method would still change, (L, p, n).
        status: RUNNING, DONE or LOST, (L,).
    """

    states: Float[Array, "L p n"]
    response: Float[Array, "L p n"]
    status: Int[Array, " L"]


class Limits(NamedTuple):
    """The numbers that decide when a lane is done.

    Attributes:
        scale: The largest component of a typical candidate.
        cap: The largest change of a component in one iteration.
        absolute: A lane is done if no component of G is above this, or
        relative: above this times the largest component of its states, at least `scale`.
    """

    scale: Float[Array, ""]
    cap: Float[Array, ""]
    absolute: Float[Array, ""]
    relative: Float[Array, ""]


def on_vectors(step: Traced, params: Params, x: Input) -> Callable[[Float[Array, " n"]], Float[Array, " n"]]:
    """Return the step as a function of the vector of the n numbers of a state."""
    unflatten = flatten(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), step.out))[1]
    return lambda vector: flatten(step(params, unflatten(vector), x))[0]


@entry.compiled(compiler=PLAIN)
def trajectories(
    step: Traced, params: Params, x: Input, vectors: Float[Array, "L n"], far: Float[Array, ""], *, period: int
) -> Float[Array, "L p n"]:
    """Return h, step(h), … from each vector; one that escapes stays where it was before."""
    F = on_vectors(step, params, x)

    def advance(h: Array, _: None) -> tuple[Array, Array]:
        after = F(h)
        return jnp.where(jnp.all(jnp.abs(after) <= far), after, h), h

    return jax.vmap(lambda h: jax.lax.scan(advance, h, None, length=period)[1])(vectors)


@entry.compiled(compiler=PLAIN)
def iterated(
    step: Traced,
    params: Params,
    x: Input,
    lanes: Lanes,
    known: Float[Array, "K p n"],
    weight: Float[Array, " K"],
    limits: Limits,
    *,
    steps: int,
) -> Lanes:
    """Make some Newton iterations in every lane that is running. `known` with a weight of 0 is not divided out."""
    on_one_thread()
    F = on_vectors(step, params, x)

    def one(states: Array, response: Array, status: Array) -> Lanes:
        at = Lanes(states, response, status)
        new = _iteration(F, states, known, weight, limits)
        return jax.tree.map(lambda new, old: jnp.where(status == RUNNING, new, old), new, at)

    return jax.lax.fori_loop(0, steps, lambda _, lanes: jax.vmap(one)(*lanes), lanes)


def _iteration(
    F: Callable[[Array], Array], h: Float[Array, "p n"], known: Array, weight: Array, limits: Limits
) -> Lanes:
    """Make one iteration in one lane; one that is done takes a last change only if that makes G smaller."""
    eps = float(jnp.finfo(h.dtype).eps)
    G, J = _linearised(F, h)
    noise = eps * (jnp.einsum("pij,pj->pi", jnp.abs(J), jnp.abs(h)) + jnp.abs(h) + 1e-3 * limits.scale)
    signs = _signs(h.shape, h.dtype)
    found = solve_cyclic(J, jnp.concatenate([-G[..., None], noise[..., None] * signs], axis=2))
    d, responses = found[..., 0], found[..., 1:]
    residual, change = jnp.max(jnp.abs(G)), jnp.max(jnp.abs(d))
    size = jnp.maximum(jnp.max(jnp.abs(h)), limits.scale)
    settled = (residual <= jnp.maximum(limits.absolute, limits.relative * size)) | (change <= eps * size)
    flat = known.reshape(len(known), -1)
    pushed = deflated(d.ravel(), h.ravel(), flat, weight, limits.scale).reshape(d.shape)
    capped = pushed * jnp.minimum(1, limits.cap / jnp.max(jnp.abs(pushed)))
    moved = h + jnp.where(settled, d, jnp.where(change > 0, capped, 0))
    after = jnp.max(jnp.abs(jax.vmap(F)(moved) - jnp.roll(moved, -1, 0)))
    taken = jnp.where(settled, after < residual, True)
    lost = ~jnp.isfinite(residual) | ~jnp.all(jnp.isfinite(moved))
    larger = jnp.argmax(jnp.max(jnp.abs(responses), axis=(0, 1)))
    return Lanes(
        jnp.where(taken & ~lost, moved, h),
        responses[..., larger] + jnp.where(responses[..., larger] >= 0, 1, -1).astype(h.dtype) * jnp.abs(d),
        jnp.where(lost, LOST, jnp.where(settled, DONE, RUNNING)),
    )


def _linearised(F: Callable[[Array], Array], h: Float[Array, "p n"]) -> tuple[Array, Array]:
    """Return G and the p Jacobians, each from one linearisation."""
    identity = jnp.eye(h.shape[1], dtype=h.dtype)

    def one(v: Array) -> tuple[Array, Array]:
        value, push = jax.linearize(F, v)
        return value, jax.vmap(push, out_axes=1)(identity)

    after, J = jax.vmap(one)(h)
    return after - jnp.roll(h, -1, 0), J


def _signs(shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """Return two fixed patterns of signs without a regularity, for rounding errors that do not cancel, (p, n, 2)."""
    phase = jnp.arange(shape[0] * shape[1] * 2, dtype=jnp.float32) ** 2 * 0.6180339887
    return jnp.where(jnp.cos(2 * jnp.pi * phase) >= 0, 1, -1).astype(dtype).reshape(*shape, 2)
