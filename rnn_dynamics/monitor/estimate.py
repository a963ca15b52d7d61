"""The numbers that `rd.watch` takes of a net, cheap enough to be taken again and again while the net trains.

The norms of P_ℓ = ∂h_T/∂h_{T-ℓ} come from a few rows instead of all n. Which rows? Random vectors that were pushed
forward through the last ℓ steps lie where the product of these steps is largest, so one vector starts at each of m lags
between 1 and the horizon, and the m that arrive at T are made orthonormal. Random rows G see what these miss:

    Q = orth(P_{ℓ_1} v_1, .., P_{ℓ_m} v_m)
    ‖Qᵀ P_ℓ‖₂ <= ‖P_ℓ‖₂        ‖P_ℓ‖_F² = ‖Qᵀ P_ℓ‖_F² + E ‖G (I - Q Qᵀ) P_ℓ‖_F² / m

The first is a lower bound for every lag; the second has a standard error, which is small where the product has lost
rank. One more vector is pushed through all steps and grows with λ_1. So the program is two loops: `_pushed` forward in
time, `_pulled` back. Halko, Martinsson & Tropp (2011); Meyer, Musco, Musco & Woodruff (2021).
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import starting_frame
from ..machinery.scaled import exponent_of, power_of_two
from ..machinery.standard_error import standard_error
from ..machinery.state_vector import flatten


class Estimate(NamedTuple):
    """What one measurement returns, for each of B sequences.

    Attributes:
        log_norm: A lower bound of ln ‖∂h_T/∂h_{T-ℓ}‖₂, (B, lags + 1), in nats.
        log_frobenius: An estimate of ln ‖∂h_T/∂h_{T-ℓ}‖_F, (B, lags + 1), in nats.
        stderr: Its standard error, (B, lags + 1), in nats.
        exponent: The largest Lyapunov exponent of each sequence, over the last three quarters of its steps, (B,), in
            nats per step.
        exponent_stderr: Its standard error over time, (B,), in nats per step; inf for fewer than eight steps.
        states: The states h_1 .. h_T, a pytree with leading axes (B, T).
    """

    log_norm: NDArray
    log_frobenius: NDArray
    stderr: NDArray
    exponent: NDArray
    exponent_stderr: NDArray
    states: Any


class _Raw(NamedTuple):
    """What the loops return for each step, in the order of time; squares are in units of 4^exponent."""

    states: Any
    growth: Float[Array, "B T"]  # ln ‖J_t v‖ of the vector that is pushed through all steps
    gram: Float[Array, "B lags m m"]  # Qᵀ P Pᵀ Q
    squares: Float[Array, "B lags m"]  # of the random rows
    exponent: Any  # (B, lags)


def estimate(step: Step, params: Params, h0: State, xs: Input, *, lags: int, directions: int) -> Estimate:
    """Measure the net on each of the sequences xs, (B, T, ..).

    Cost:
        Time O(B T) pushes and pulls of some `directions` rows, memory O(B T n). Compiled once per computation and
        shape.
    """
    first = jax.tree.map(lambda leaf: leaf[0], xs)
    raw = jax.tree.map(np.asarray, _measured(step, params, h0, first, xs, lags=lags, directions=directions))
    n = flatten(h0)[0].size
    turned = raw.growth[:, raw.growth.shape[1] // 4 :].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        norm, frobenius, stderr = (
            _with_identity(*pair) for pair in zip(_curves(raw), (0.0, math.log(n) / 2, 0.0), strict=True)
        )
        error = standard_error(turned.T, turned.shape[1], np)
    return Estimate(norm, frobenius, stderr, turned.mean(axis=1), error, raw.states)


def _curves(raw: _Raw) -> tuple[NDArray, NDArray, NDArray]:
    """Return the 2-norm, the Frobenius norm and its standard error over the lags 1, 2, .., all logarithmic."""
    gram, squares = raw.gram.astype(np.float64), raw.squares.astype(np.float64)
    scale, m = raw.exponent * math.log(2), squares.shape[-1]
    finite: Any = np.isfinite(gram).all(axis=(2, 3))
    largest = np.linalg.eigvalsh(np.where(finite[..., None, None], gram, 0))[..., -1]
    norm = np.where(finite, np.maximum(largest, 0), np.nan)
    seen, rest = np.trace(gram, axis1=2, axis2=3), squares.mean(axis=-1)
    total = seen + rest
    error = squares.std(axis=-1, ddof=1) / math.sqrt(m) if m > 1 else np.zeros_like(rest)
    stderr: Any = error / (2 * np.where(total == 0, 1, total))
    return scale + np.log(norm) / 2, scale + np.log(total) / 2, stderr


def _with_identity(curve: NDArray, first: float) -> NDArray:
    """Turn a curve in the order of time into one over the lags, with the value at lag 0 in front."""
    return np.concatenate([np.full((len(curve), 1), first), curve[:, ::-1]], axis=1)


@entry.compiled()
def _measured(step: Step, params: Params, h0: State, first: Input, xs: Input, *, lags: int, directions: int) -> _Raw:
    """Run the two loops for all sequences side by side; `first` is one of them, from which the step is traced."""
    h0 = entry.opened(step, params, h0, first)
    vector, _ = flatten(h0)
    m = min(directions, vector.size)
    # the same directions each time, so that two records differ by the nets alone
    drawn = jax.random.normal(jax.random.key(0), (m, vector.size), vector.dtype)

    def of_one(xs: Input) -> _Raw:
        states, growth, rows = _pushed(step, params, h0, xs, lags, m)
        others = drawn - (drawn @ rows.T) @ rows
        before = jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest[:-1]]), h0, states)
        last = jax.tree.map(lambda leaf: leaf[len(growth) - lags :], (before, xs))
        return _Raw(states, growth, *_pulled(step, params, last, jnp.concatenate([rows, others]), m))

    return jax.vmap(of_one)(xs)


def _pushed(step: Step, params: Params, h0: State, xs: Input, lags: int, m: int) -> tuple[State, Array, Array]:
    """Return the states, ln ‖J_t v‖ for a vector v that starts at h0, and the m orthonormal rows at T."""
    T = entry.time_steps(xs, None)
    fresh = starting_frame(h0, m, None).T
    # the first row is for the exponent, the others are for the norms
    fresh = jnp.concatenate([fresh[:1], fresh])
    starts = jnp.asarray([0, *(T - np.round(np.geomspace(lags, 1, m)).astype(int))], np.int32)

    def advance(carry: tuple[State, Array], now: tuple[Array, Input]) -> tuple[tuple[State, Array], Any]:
        h, rows = carry
        t, x = now
        maps = linear_maps(step, params, h, x)
        rows = maps.push(jnp.where((t == starts)[:, None], fresh, rows).T).T
        # in two steps, because squares underflow long before the rows do
        largest = jnp.max(jnp.abs(rows), axis=1)
        rows = rows / jnp.where(largest == 0, 1, largest)[:, None]
        size = jnp.sqrt(jnp.sum(rows**2, axis=1))
        rows = rows / jnp.where(size == 0, 1, size)[:, None]
        return (maps.after, rows), (maps.after, jnp.log(largest[0]) + jnp.log(size[0]))

    begun = entry.varying_like((h0, fresh), xs)
    (_, rows), (states, growth) = jax.lax.scan(advance, begun, (jnp.arange(T, dtype=np.int32), xs))
    return states, growth, jnp.linalg.qr(rows[1:].T)[0].T


def _pulled(step: Step, params: Params, times: tuple[State, Input], rows: Array, m: int) -> tuple[Array, Array, Array]:
    """Pull the rows back; return the Gram matrix of the first m, the squares of the others, and their scale."""

    def back(carry: tuple[Array, Array], now: tuple[State, Input]) -> tuple[tuple[Array, Array], Any]:
        rows, exponent = carry
        rows = linear_maps(step, params, *now).pull(rows)
        shift = exponent_of(jnp.max(jnp.abs(rows)))
        rows, exponent = rows * power_of_two(-shift, rows.dtype), exponent + shift
        return (rows, exponent), (rows[:m] @ rows[:m].T, jnp.sum(rows[m:] ** 2, axis=1), exponent)

    begun = entry.varying_like((rows, jnp.int32(0)), times)
    return jax.lax.scan(back, begun, times, reverse=True)[1]
