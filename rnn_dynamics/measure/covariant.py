"""Covariant Lyapunov vectors: the directions themselves that grow at each exponent, and the angles between them.

Forward in time  J_t Q_{t-1} = Q_t R_t.  A vector v_t = Q_t c_t with c_t of i entries lies in the fastest i directions;
backward in time  c_{t-1} = R_t⁻¹ c_t  turns it into the slowest of these, which is covariant: J_t v_{t-1} ∥ v_t
(Ginelli et al. 2007).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import by_qr, starting_frame


class CovariantVectors(NamedTuple):
    """At evenly spaced times.

    times     steps t after h0 at whose state the vectors stand
    vectors   unit columns: the i-th grows at the i-th exponent, forward and backward in time; NaN where a singular
              Jacobian has put the direction out
    angles    between each two of them as lines, 0 .. π/2; near 0 where they nearly coincide (a tangency)
    rates     growth a step of each vector from one of these times to the next, in nats
    reliable  whether each vector is finite and no digits of the frame up to it were lost
    """

    times: Int[Array, " samples"]
    vectors: Float[Array, "samples n k"]
    angles: Float[Array, "samples k k"]
    rates: Float[Array, "samples k"]
    reliable: Bool[Array, " k"]


class _Forward(NamedTuple):
    """A state with the frame that has come with it."""

    h: State
    frame: Array
    lost: Array  # nats of R that were lost to cancellation in one step, at most


Advance = Callable[[_Forward, Input], tuple[_Forward, Array]]


def covariant_vectors(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    burn_in: int,
    tail: int,
    k: int | None = None,
    length: int | None = None,
    samples: int | None = None,
    key: Array | None = None,
) -> CovariantVectors:
    """The k fastest covariant vectors along the trajectory, at `samples` times (√ of the time between, if not given).

    The first `burn_in` steps turn the frame into the fastest directions, the last `tail` steps turn vectors within it
    into covariant ones: both errors shrink as e^{-(λ_i - λ_{i+1}) t}, so take some ten times 1/(λ_i - λ_{i+1}) of each.
    Where two exponents are equal, as those of a complex pair, only the plane of their two vectors has a meaning. The
    first frame is random with a `key`, else a fixed one.

    `reliable` is about the arithmetic: whether `burn_in` and `tail` were long enough is seen by doubling them.

    Time: two passes, 2T pushes of k columns and 2T QR decompositions, and T triangular solves. Memory: the frames at
    the sampled times, √tail more, and those of one stretch between two of them, which are computed again on the way
    back.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    length = entry.whole_number("length", length)
    T = entry.time_steps(xs, length)
    burn_in, tail = argument.size("burn_in", burn_in, 0), argument.size("tail", tail, 0)
    if burn_in + tail >= T:
        raise ValueError(f"burn_in, tail: got {burn_in} and {tail}, which leaves nothing of T = {T} steps")
    window = T - burn_in - tail
    samples = math.isqrt(window) if samples is None else argument.size("samples", samples, 1)
    if samples > window:
        raise ValueError(f"samples: got {samples}, expected at most {window}, the steps between burn_in and tail")
    if key is not None:
        argument.key(key)
    k = None if k is None else argument.size("k", k, 1)
    return _covariant_vectors(
        step, params, h0, xs, key, k=k, length=length, burn_in=burn_in, tail=tail, samples=samples
    )


@entry.compiled("k", "length", "burn_in", "tail", "samples", compiler=PLAIN)
def _covariant_vectors(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    *,
    k: int | None,
    length: int | None,
    burn_in: int,
    tail: int,
    samples: int,
) -> CovariantVectors:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    entry.decomposable(h0)
    columns = starting_frame(h0, k, key)
    stretch = (T - burn_in - tail) // samples
    begin = T - tail - samples * stretch
    advance = partial(_advance, step, params)

    start = entry.varying_like(_Forward(h0, columns, jnp.zeros_like(columns[0])), h0)
    start = _forward(advance, start, _cut(xs, 0, begin), begin)
    start = start._replace(lost=jnp.zeros_like(start.lost))
    end, starts, inputs = _in_stretches(advance, stretch, start, _cut(xs, begin, T - tail), samples)
    c = entry.varying_like(jnp.eye(columns.shape[1], dtype=columns.dtype), h0)
    c, after = _through_tail(advance, tail, c, end, _cut(xs, T - tail, T))
    back = partial(_backward, advance, stretch)
    _, (vectors, rates) = jax.lax.scan(lambda c, at: back(c, *at), c, (starts, inputs), length=samples, reverse=True)

    lost = after.lost
    finite = jnp.all(jnp.isfinite(vectors), axis=(0, 1))
    seen = jax.lax.cummax(lost) < math.log(0.01 / jnp.finfo(lost.dtype).eps)
    times = begin + stretch * jnp.arange(samples, dtype=jnp.int32)
    return CovariantVectors(times, vectors, jax.vmap(_angles)(vectors), rates, finite & seen)


def _advance(step: Step, params: Params, forward: _Forward, x: Input) -> tuple[_Forward, Array]:
    """One step of the frame, and R of it."""
    maps = linear_maps(step, params, forward.h, x)
    new = by_qr(maps.push(forward.frame))
    return _Forward(maps.after, new.frame, jnp.maximum(forward.lost, new.lost)), new.triangle


def _through_tail(
    advance: Advance, tail: int, c: Float[Array, "k k"], start: _Forward, xs: Input
) -> tuple[Float[Array, "k k"], _Forward]:
    """c at the beginning of the tail, in stretches of √tail, and the frame at the end of the last whole one."""
    stretch = max(math.isqrt(tail), 1)
    whole, rest = divmod(tail, stretch)
    after, starts, inputs = _in_stretches(advance, stretch, start, _cut(xs, 0, tail - rest), whole)
    c, _ = _backward(advance, rest, c, after, _cut(xs, tail - rest, tail))
    back = partial(_backward, advance, stretch)
    return jax.lax.scan(lambda c, at: back(c, *at), c, (starts, inputs), length=whole, reverse=True)[0], after


def _cut(xs: Input, start: int, stop: int) -> Input:
    return jax.tree.map(lambda leaf: leaf[start:stop], xs)


def _forward(advance: Advance, forward: _Forward, xs: Input, length: int) -> _Forward:
    """The frame after a stretch alone."""
    return jax.lax.scan(lambda forward, x: (advance(forward, x)[0], None), forward, xs, length=length)[0]


def _in_stretches(
    advance: Advance, stretch: int, start: _Forward, xs: Input, count: int
) -> tuple[_Forward, _Forward, Input]:
    """The frame at the end, and those at the beginning of each stretch with its inputs."""
    inputs = jax.tree.map(lambda leaf: leaf.reshape(count, stretch, *leaf.shape[1:]), xs)
    end, starts = jax.lax.scan(
        lambda forward, xs: (_forward(advance, forward, xs, stretch), forward), start, inputs, length=count
    )
    return end, starts, inputs


def _backward(
    advance: Advance, length: int, c: Float[Array, "k k"], start: _Forward, xs: Input
) -> tuple[Float[Array, "k k"], tuple[Float[Array, "n k"], Float[Array, " k"]]]:
    """c at the beginning of a stretch from that at its end; the vectors there, and their growth a step from there."""
    _, triangles = jax.lax.scan(advance, start, xs, length=length)

    def back(c: Array, R: Array) -> tuple[Array, Array]:
        # what a step has put out cannot be turned back, from the first such direction on
        gone = jnp.diagonal(R) == 0
        c = jax.scipy.linalg.solve_triangular(R + jnp.diag(gone.astype(R.dtype)), c)
        c = jnp.where(jnp.cumsum(gone)[None] > 0, jnp.nan, c)
        norms = jnp.linalg.norm(c, axis=0)
        return c / norms[None], -jnp.log(norms)

    c, rates = jax.lax.scan(back, c, triangles, reverse=True)
    return c, (start.frame @ c, jnp.sum(rates, axis=0) / max(length, 1))


def _angles(vectors: Float[Array, "n k"]) -> Float[Array, "k k"]:
    """Between unit columns as lines; by their components along and across, which small angles keep their digits in."""

    def with_all(one: Array) -> Array:
        along = one @ vectors
        across = jnp.linalg.norm(vectors - one[:, None] * along[None], axis=0)
        return jnp.arctan2(across, jnp.abs(along))

    return jax.lax.map(with_all, vectors.T)
