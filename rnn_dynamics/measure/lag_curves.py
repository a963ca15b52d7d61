"""The loop behind `gradient_flow`: rows of ∂h_T/∂h_{T-ℓ} pulled back lag by lag, and their norms on the way."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..cells.contract import Input, Params, State, Step
from . import door
from .compression import halved, share_of_witnesses, widths
from .flat import flatten
from .linear_maps import LinearMaps, linear_maps
from .scaled import exponent_of, power_of_two
from .spectral_norm import DENSE, SpectralNorm, dense_spectral_norm, spectral_norm, start_vector
from .together import smallest
from .unroll import state_after

# steps in a stretch at least, and Jacobians whose norms are sought side by side, in products of so many columns
SIDE_BY_SIDE = 32


class LagCurves(NamedTuple):
    """Over the lags 0 .. L of one trajectory, as described in `GradientFlow`."""

    log_norm: Float[Array, " lags"]
    log_frobenius: Float[Array, " lags"]
    log_bound: Float[Array, " lags"]
    converged: Bool[Array, " lags"]
    bound_converged: Bool[Array, " lags"]
    stderr: Float[Array, " lags"]


class _Frame(NamedTuple):
    """The rows of ∂h_T/∂h_{T-ℓ} that are still needed, P · 2^exponent, and what goes with them from lag to lag."""

    P: Array
    exponent: Array
    shift: Array  # the power of two by which P is divided before the next pull
    left: Array  # the left singular vector of P, a guess for the next one
    trusted: Array  # whether what was dropped has stayed negligible
    stage: Array  # how many times the number of rows was halved


def lag_curves(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    lags: int,
    *,
    rows: slice,
    columns: slice,
    alone: bool,
    directions: Float[Array, "probes rows"] | None,
) -> LagCurves:
    """The curves of the block [rows, columns] back from the end of the trajectory h0, xs; `alone` never leaves it.

    With `directions` only these combinations of the rows are pulled.
    """
    vector, _ = flatten(h0)
    n, dtype = vector.size, vector.dtype
    inside = jnp.zeros(n, bool).at[columns].set(True)
    identity = jnp.eye(n, dtype=dtype)[rows]
    P = identity if directions is None else directions @ identity
    sizes = widths(len(P)) if directions is None else (len(P),)

    def backward(frame: _Frame, moment: tuple[State, Input]) -> tuple[_Frame, tuple[Array, ...]]:
        P = linear_maps(step, params, *moment).pull(frame.P * power_of_two(-frame.shift, dtype))
        P = jnp.where(inside, P, 0) if alone else P
        seen, exponent = P[:, columns], frame.exponent + frame.shift
        norm = _norm_of_matrix(seen, frame.left)
        # one combination of all rows is about as long as they are, and cheaper than looking at each
        shift = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(start_vector(len(P), dtype) @ P))))
        squares = (seen * power_of_two(-shift, dtype)) ** 2 @ jnp.ones(seen.shape[1], dtype)
        trusted = frame.trusted
        if len(P) < sizes[0]:
            trusted &= share_of_witnesses(squares) <= 64 * jnp.finfo(dtype).eps
        scales = exponent, exponent + shift
        frame = _Frame(P, exponent, shift, norm.left, trusted, frame.stage)
        return frame, (*scales, norm.value, norm.converged & trusted, jnp.sum(squares), _spread(squares))

    def at_stage(stage: int, frame: _Frame, moments: Any, length: int) -> tuple[_Frame, tuple[Array, ...]]:
        """A stretch with as many rows as this stage has, which ends by halving them where that is exact."""
        narrow = frame._replace(P=frame.P[: sizes[stage]], left=frame.left[: sizes[stage]])
        narrow, curves = jax.lax.scan(backward, narrow, moments, length=length, reverse=True)
        if stage + 1 < len(sizes):
            fewer = halved(narrow.P * power_of_two(-narrow.shift, dtype), narrow.left)
            smaller = narrow._replace(
                P=_padded(fewer.frame, sizes[stage]),
                left=_padded(fewer.vector, sizes[stage]),
                exponent=narrow.exponent + narrow.shift,
                shift=jnp.zeros_like(narrow.shift),
                stage=narrow.stage + 1,
            )
            narrow = jax.lax.cond(smallest(fewer.faithful), lambda: smaller, lambda: narrow)
        return narrow._replace(P=_padded(narrow.P, sizes[0]), left=_padded(narrow.left, sizes[0])), curves

    def stretch(frame: _Frame, h: State, xs: Input, length: int) -> tuple[_Frame, tuple[Array, ...]]:
        before = jax.lax.scan(lambda h, x: (step(params, h, x), h), h, xs, length=length)[1]
        norms = _norms_of_jacobians(step, params, before, xs, length)
        stages = [partial(at_stage, stage, length=length) for stage in range(len(sizes))]
        frame, curves = jax.lax.switch(frame.stage, stages, frame, (before, xs))
        return frame, (*curves, *norms)

    nothing = jnp.int32(0)
    start = _Frame(P, nothing, nothing, start_vector(len(P), dtype), jnp.array(True), nothing)
    start = door.varying_like(start, h0)
    raw = _in_stretches(step, params, h0, xs, lags, stretch, start)
    size = rows.stop - rows.start if rows == columns else 0  # lag 0: the identity, cut
    return _finished(_Raw(*raw), size, directions)


class _Raw(NamedTuple):
    """What the loop leaves for every step, in the order of time: norms and the exponents of their powers of two."""

    exponent: Array
    square_exponent: Array
    norm: Array
    converged: Array
    square: Array
    spread: Array
    J_norm: Array
    J_converged: Array


def _finished(raw: _Raw, size: int, directions: Array | None) -> LagCurves:
    """Logarithms over the lags, from lag 0 with its identity of this size."""
    dtype = raw.norm.dtype
    raw = jax.tree.map(lambda curve: curve[::-1], raw)
    log_norm = raw.exponent.astype(dtype) * math.log(2) + jnp.log(raw.norm)
    log_frobenius = raw.square_exponent.astype(dtype) * math.log(2) + jnp.log(raw.square) / 2
    converged, stderr = raw.converged, jnp.zeros_like(log_norm)
    if directions is not None:
        longest = _norm_of_matrix(directions, start_vector(len(directions), dtype)).value
        log_norm, converged = log_norm - jnp.log(longest), jnp.zeros_like(converged)
        log_frobenius, stderr = log_frobenius - math.log(len(directions)) / 2, raw.spread

    def from_lag_zero(first: float | bool, curve: Array) -> Array:
        return jnp.concatenate([jnp.full(1, first, curve.dtype), curve])

    return LagCurves(
        from_lag_zero(0.0 if size else -math.inf, log_norm),
        from_lag_zero(math.log(size) / 2 if size else -math.inf, log_frobenius),
        from_lag_zero(0.0, jnp.cumsum(jnp.log(raw.J_norm))),
        from_lag_zero(True, converged),
        from_lag_zero(True, jnp.cumsum(~raw.J_converged) == 0),
        from_lag_zero(0.0, stderr),
    )


def _norm_of_matrix(A: Float[Array, "rows columns"], guess: Float[Array, " rows"]) -> SpectralNorm:
    if max(A.shape) <= DENSE:
        value = dense_spectral_norm(A)
        return SpectralNorm(value, guess, jnp.isfinite(value))
    return spectral_norm(lambda v: A @ v, lambda u: u @ A, guess)


def _norms_of_jacobians(
    step: Step, params: Params, before: State, xs: Input, length: int
) -> tuple[Float[Array, " {length}"], Bool[Array, " {length}"]]:
    """‖J_t‖₂ for every state of a stretch, and whether it is right to rounding."""

    def norm(moment: tuple[State, Input]) -> tuple[Array, Array]:
        maps = linear_maps(step, params, *moment)
        vector, _ = flatten(maps.after)
        guess = door.varying_like(start_vector(vector.size, vector.dtype), vector)
        found = _norm_of_jacobian(maps, guess)
        return found.value, found.converged

    if length <= SIDE_BY_SIDE:
        return jax.vmap(norm)((before, xs))
    return jax.lax.map(norm, (before, xs), batch_size=SIDE_BY_SIDE)


def _norm_of_jacobian(maps: LinearMaps, guess: Float[Array, " n"]) -> SpectralNorm:
    if guess.size <= DENSE:
        return _norm_of_matrix(maps.pull(jnp.eye(guess.size, dtype=guess.dtype)), guess)
    return spectral_norm(lambda v: maps.push(v[:, None])[:, 0], lambda u: maps.pull(u[None])[0], guess)


def _in_stretches(step, params, h0, xs, T, stretch, start):  # type: ignore[no-untyped-def]
    """The curves of `stretch` over all T steps, in the order of time, run backward; states are recomputed in each."""
    every = _length_of_stretches(T)
    rest = T % every

    head = jax.tree.map(lambda leaf: leaf[:rest], xs)
    tail = jax.tree.map(lambda leaf: leaf[rest:].reshape(T // every, every, *leaf.shape[1:]), xs)
    h1 = state_after(step, params, h0, head, rest)
    begins = jax.lax.scan(lambda h, xs: (state_after(step, params, h, xs, every), h), h1, tail, length=T // every)[1]
    frame, curves = jax.lax.scan(lambda f, m: stretch(f, *m, every), start, (begins, tail), reverse=True)
    curves = jax.tree.map(lambda leaf: leaf.reshape(-1), curves)
    if rest:
        _, earliest = stretch(frame, h0, head, rest)
        curves = jax.tree.map(lambda *parts: jnp.concatenate(parts), earliest, curves)
    return curves


def _length_of_stretches(T: int) -> int:
    """About √T, at least SIDE_BY_SIDE / 2, and if possible a divisor of T: a rest is compiled a second time."""
    shortest = max(SIDE_BY_SIDE // 2, math.isqrt(T))
    return min(range(min(2 * shortest, T), min(shortest, T) - 1, -1), key=lambda every: T % every)


def _padded(array: Array, rows: int) -> Array:
    return jnp.concatenate([array, jnp.zeros((rows - len(array), *array.shape[1:]), array.dtype)])


def _spread(squares: Float[Array, " probes"]) -> Float[Array, ""]:
    """The relative standard error of the root of their mean."""
    mean = jnp.mean(squares)
    variance = jnp.sum((squares - mean) ** 2) / max(len(squares) - 1, 1)
    error = jnp.sqrt(variance / len(squares)) / (2 * jnp.where(mean == 0, 1, mean))
    return error if len(squares) > 1 else jnp.full_like(error, jnp.inf)
