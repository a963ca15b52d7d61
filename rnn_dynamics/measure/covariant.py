"""Covariant Lyapunov vectors: the directions that grow at each exponent, and the angles between them.

Forward in time  J_t Q_{t-1} = Q_t R_t.  A vector v_t = Q_t c_t whose c_t is zero after its first i entries lies in the
span of the i fastest directions. Backward in time  c_{t-1} = R_t⁻¹ c_t  turns it towards the slowest of these, which is
covariant: J_t v_{t-1} ∥ v_t (Ginelli et al. 2007).

The specification, for the vectors `tail` steps before the end:

    def covariant_vectors(step, params, h0, xs, tail):
        h, Qs, Rs = h0, [first_frame(len(h0))], []
        for x in xs:
            Q, R = np.linalg.qr(rd.step_jacobian(step, params, h, x) @ Qs[-1])
            h, Qs, Rs = step(params, h, x), [*Qs, Q], [*Rs, R]
        C = np.eye(len(h0))
        for R in reversed(Rs[-tail:]):
            C = np.linalg.solve(R, C)
            C = C / np.linalg.norm(C, axis=0)
        return Qs[-tail - 1] @ C
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import by_qr, starting_frame
from ..machinery.printed import Table, fields_of, number, printable, share, span
from .reliability import doubts_of_vectors, reasons


@printable
class CovariantVectors(NamedTuple):
    """Covariant Lyapunov vectors at evenly spaced times, from `covariant_vectors`.

    Attributes:
        times: The times t of the vectors, (samples,), in steps after h0.
        vectors: Unit columns at the state h_t, (samples, n, k). Column i grows at the i-th exponent, forward and
            backward in time. NaN where a singular Jacobian has removed the direction.
        angles: The angles between each two vectors as lines, (samples, k, k), in radians from 0 to π/2. Near 0 they
            nearly coincide (a tangency).
        rates: The growth of each vector from one of these times to the next, (samples, k), in nats per step.
        reliable: Whether there is no doubt about the vector, (k,): it is finite, and the frame lost no digits up to its
            column. It does not say whether `frame_burn_in` and `tail` were long enough.
        doubts: What is doubtful about each vector, (k,), as a sum of `rd.Doubt`; `reasons` says it in words.
    """

    times: Int[Array, " samples"]
    vectors: Float[Array, "samples n k"]
    angles: Float[Array, "samples k k"]
    rates: Float[Array, "samples k"]
    reliable: Bool[Array, " k"]
    doubts: Int[Array, " k"]

    @property
    def reasons(self) -> np.ndarray:
        """The doubts about each vector in words, an array of strings (k,); "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        samples, n, k = np.shape(self.vectors)[-3:]
        angles = f", angles >= {number(_smallest(self.angles))}" if k > 1 else ""
        rates, reliable = span(_means(self.rates)), share(self.reliable, "reliable")
        return f"(n={n}, k={k}, samples={samples}): rates {rates}{angles}; {reliable}"

    def _table(self) -> Table:
        if np.ndim(self.vectors) > 3:
            return fields_of(self)
        rates, angles = _means(self.rates), np.asarray(self.angles)
        angles = np.min(np.where(np.eye(len(self.reliable)) + np.isnan(angles), np.inf, angles), axis=0)
        rows = [
            [str(i + 1), number(rates[i]), number(angles[i].min(initial=np.inf)), str(bool(self.reliable[i]))]
            for i in range(len(self.reliable))
        ]
        return Table(["index", "mean rate", "smallest angle (rad)", "reliable"], rows)


def _means(rates: Any) -> np.ndarray:
    """The mean over the samples; NaN where a vector has none."""
    return np.mean(np.asarray(rates), axis=-2)


def _smallest(angles: Any) -> float:
    """The smallest angle between two different vectors; inf for one alone."""
    between = np.where(np.eye(np.shape(angles)[-1], dtype=bool), np.inf, np.asarray(angles))
    return float(np.nanmin(between)) if not np.isnan(between).all() else math.nan


class _Forward(NamedTuple):
    """A state and the frame at it."""

    h: State
    frame: Array
    lost: Array  # the most nats of R that cancellation cost in one step


Advance = Callable[[_Forward, Input], tuple[_Forward, Array]]


def covariant_vectors(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    frame_burn_in: int,
    tail: int,
    k: int | None = None,
    length: int | None = None,
    samples: int | None = None,
    key: Array | None = None,
) -> CovariantVectors:
    """Compute the k fastest covariant Lyapunov vectors along the trajectory that starts at h0.

        J_t v_{t-1} ∥ v_t,   v_t = Q_t c_t,   J_t Q_{t-1} = Q_t R_t,   c_{t-1} = R_t⁻¹ c_t

    The first `frame_burn_in` steps turn the frame Q to the fastest directions. The last `tail` steps turn vectors
    within it to covariant ones. Both errors shrink as e^{-(λ_i - λ_{i+1}) t}, so take about 10/(λ_i - λ_{i+1}) steps
    for each. Where two exponents are equal, as for a complex pair, only the plane of their two vectors is meaningful.

    `reliable` covers only the arithmetic. To see whether `frame_burn_in` and `tail` are long enough, double them.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        frame_burn_in: Steps before the first vectors, in which the frame turns.
        tail: Steps after the last vectors, in which the vectors turn.
        k: How many of the fastest vectors to compute. Default: all n.
        length: T, needed where xs is None.
        samples: At how many times to give the vectors. Default: √(T - frame_burn_in - tail).
        key: A JAX random key for a random first frame. Default: a fixed frame.

    Returns:
        A `CovariantVectors`.

    Cost:
        Time 2T pushes of k columns and 2T QR decompositions, in two passes, and T triangular solves. Memory: the
        frames at the sampled times, √tail more, and the triangular factors R of one stretch between two samples, which
        the backward pass recomputes.

    Example:
        >>> W = jnp.array([[2.0, 1.0], [0.0, 1.0]])  # its eigenvectors (1, 0) and (1, -1) are 45 degrees apart
        >>> found = rd.covariant_vectors(
        ...     lambda W, h, x: W @ h, W, jnp.zeros(2), None, length=90, frame_burn_in=40, tail=40, samples=1
        ... )
        >>> round(float(found.angles[0, 0, 1]), 3)
        0.785

    References:
        Ginelli, Poggi, Turchi, Chaté, Livi & Politi (2007), Physical Review Letters 99, 130601.
    """
    length, T = entry.checked(step, params, h0, xs, length)
    frame_burn_in, tail = argument.size("frame_burn_in", frame_burn_in, 0), argument.size("tail", tail, 0)
    if frame_burn_in + tail >= T:
        raise ValueError(
            f"frame_burn_in, tail: got {frame_burn_in} and {tail}, expected fewer than T = {T} steps together"
        )
    window = T - frame_burn_in - tail
    samples = math.isqrt(window) if samples is None else argument.size("samples", samples, 1)
    if samples > window:
        raise ValueError(f"samples: got {samples}, expected at most {window}, the steps between frame_burn_in and tail")
    if key is not None:
        argument.key(key)
    k = None if k is None else argument.size("k", k, 1)
    return _covariant_vectors(
        step, params, h0, xs, key, k=k, length=length, frame_burn_in=frame_burn_in, tail=tail, samples=samples
    )


@entry.compiled(compiler=PLAIN)
def _covariant_vectors(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    *,
    k: int | None,
    length: int | None,
    frame_burn_in: int,
    tail: int,
    samples: int,
) -> CovariantVectors:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    entry.decomposable(h0)
    columns = starting_frame(h0, k, key)
    stretch = (T - frame_burn_in - tail) // samples
    begin = T - tail - samples * stretch
    advance = partial(_advance, step, params)

    start = entry.varying_like(_Forward(h0, columns, jnp.zeros_like(columns[0])), h0)
    start = _forward(advance, start, _cut(xs, 0, begin), begin)
    start = start._replace(lost=jnp.zeros_like(start.lost))
    end, starts, inputs = _in_stretches(advance, stretch, start, _cut(xs, begin, T - tail), samples)
    c = entry.varying_like(jnp.eye(columns.shape[1], dtype=columns.dtype), h0)
    c, last = _through_tail(advance, tail, c, end, _cut(xs, T - tail, T))
    back = partial(_backward, advance, stretch)
    _, (vectors, rates) = jax.lax.scan(
        lambda c, at: back(c, *at)[:2], c, (starts, inputs), length=samples, reverse=True
    )

    frames = jnp.all(jnp.isfinite(starts.frame)) & jnp.all(jnp.isfinite(last.frame))
    doubts = doubts_of_vectors(last.lost, jnp.all(jnp.isfinite(vectors), axis=(0, 1)), frames)
    times = begin + stretch * jnp.arange(samples, dtype=jnp.int32)
    return CovariantVectors(times, vectors, jax.vmap(_angles)(vectors), rates, doubts == 0, doubts)


def _advance(step: Step, params: Params, forward: _Forward, x: Input) -> tuple[_Forward, Array]:
    """Push the frame through one step; return it and its R."""
    maps = linear_maps(step, params, forward.h, x)
    new = by_qr(maps.push(forward.frame))
    return _Forward(maps.after, new.frame, jnp.maximum(forward.lost, new.lost)), new.triangle


def _through_tail(
    advance: Advance, tail: int, c: Float[Array, "k k"], start: _Forward, xs: Input
) -> tuple[Float[Array, "k k"], _Forward]:
    """Return c at the beginning of the tail and the frame at its end; stretches are √tail steps long."""
    stretch = max(math.isqrt(tail), 1)
    whole, rest = divmod(tail, stretch)
    after, starts, inputs = _in_stretches(advance, stretch, start, _cut(xs, 0, tail - rest), whole)
    c, _, last = _backward(advance, rest, c, after, _cut(xs, tail - rest, tail))
    back = partial(_backward, advance, stretch)
    return jax.lax.scan(lambda c, at: back(c, *at)[:2], c, (starts, inputs), length=whole, reverse=True)[0], last


def _cut(xs: Input, start: int, stop: int) -> Input:
    return jax.tree.map(lambda leaf: leaf[start:stop], xs)


def _forward(advance: Advance, forward: _Forward, xs: Input, length: int) -> _Forward:
    """Return the frame after a stretch, without keeping any R."""
    return jax.lax.scan(lambda forward, x: (advance(forward, x)[0], None), forward, xs, length=length)[0]


def _in_stretches(
    advance: Advance, stretch: int, start: _Forward, xs: Input, count: int
) -> tuple[_Forward, _Forward, Input]:
    """Return the frame at the end, the frames at the beginning of each stretch, and the inputs of each stretch."""
    inputs = jax.tree.map(lambda leaf: leaf.reshape(count, stretch, *leaf.shape[1:]), xs)
    end, starts = jax.lax.scan(
        lambda forward, xs: (_forward(advance, forward, xs, stretch), forward), start, inputs, length=count
    )
    return end, starts, inputs


def _backward(
    advance: Advance, length: int, c: Float[Array, "k k"], start: _Forward, xs: Input
) -> tuple[Float[Array, "k k"], tuple[Float[Array, "n k"], Float[Array, " k"]], _Forward]:
    """Carry c from the end of a stretch to its beginning.

    Return it, the vectors there and their growth per step, and the frame at the end of the stretch.
    """
    end, triangles = jax.lax.scan(advance, start, xs, length=length)

    def back(c: Array, R: Array) -> tuple[Array, Array]:
        # a step cannot be inverted from the first direction on that it maps to 0
        gone = jnp.diagonal(R) == 0
        c = jax.scipy.linalg.solve_triangular(R + jnp.diag(gone.astype(R.dtype)), c)
        c = jnp.where(jnp.cumsum(gone)[None] > 0, jnp.nan, c)
        norms = jnp.linalg.norm(c, axis=0)
        return c / norms[None], -jnp.log(norms)

    c, rates = jax.lax.scan(back, c, triangles, reverse=True)
    return c, (start.frame @ c, jnp.sum(rates, axis=0) / max(length, 1)), end


def _angles(vectors: Float[Array, "n k"]) -> Float[Array, "k k"]:
    """Return the angles between unit columns as lines; by arctan2, which keeps the digits of small angles."""

    def with_all(one: Array) -> Array:
        along = one @ vectors
        across = jnp.linalg.norm(vectors - one[:, None] * along[None], axis=0)
        return jnp.arctan2(across, jnp.abs(along))

    return jax.lax.map(with_all, vectors.T)
