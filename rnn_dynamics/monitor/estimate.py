"""The numbers that `rd.watch` takes of a net, cheap enough to be taken again and again while the net trains.

The 2-norms of ∂h_T/∂h_{T-ℓ} come from a few rows instead of all n. Which rows? Random vectors that were pushed forward
through the last ℓ steps lie where the product of these steps is largest (Halko, Martinsson & Tropp 2011), so one vector
starts at each of m lags between 1 and the horizon, and the m that arrive at T are made orthonormal:

    Q = orth(P_{ℓ_1} v_1, .., P_{ℓ_m} v_m),        ‖Qᵀ P_ℓ‖₂ <= ‖P_ℓ‖₂        for every lag ℓ

This is a lower bound. Random rows give the Frobenius norm, an upper bound, with its standard error.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.lag_loop import Asked, lag_curves
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import starting_frame
from ..machinery.state_vector import flatten
from ..measure import gradient_flow, largest_exponent, unroll
from ..measure.flow_result import flow_of
from ..measure.unroll import state_after


class Estimate(NamedTuple):
    """What one measurement returns, for each of B sequences.

    Attributes:
        log_norm: A lower bound of ln ‖∂h_T/∂h_{T-ℓ}‖₂, (B, lags + 1), in nats.
        log_frobenius: An estimate of ln ‖∂h_T/∂h_{T-ℓ}‖_F, (B, lags + 1), in nats.
        stderr: Its standard error, (B, lags + 1), in nats.
        exponent: The largest Lyapunov exponent of each sequence, (B,), in nats per step.
        exponent_stderr: Its standard error from segments of time, (B,), in nats per step.
        exponent_doubts: What is doubtful about it, (B,), as a sum of `rd.Doubt`.
        states: The states h_1 .. h_T, a pytree with leading axes (B, T).
    """

    log_norm: Any
    log_frobenius: Any
    stderr: Any
    exponent: Any
    exponent_stderr: Any
    exponent_doubts: Any
    states: Any


def estimate(step: Step, params: Params, h0: State, xs: Input, *, lags: int, directions: int) -> Estimate:
    """Measure the net on each of the sequences xs, (B, T, ..).

    Cost:
        Time O(B T) pulls and pushes of `directions` rows, memory O(B T n). Compiled once per computation and shape.
    """
    first = jax.tree.map(lambda leaf: leaf[0], xs)
    return jax.tree.map(np.asarray, _estimate(step, params, h0, first, xs, lags=lags, directions=directions))


@entry.compiled()
def _estimate(
    step: Step, params: Params, h0: State, first: Input, xs: Input, *, lags: int, directions: int
) -> Estimate:
    """Measure all sequences side by side; `first` is one of them, from which the step is traced."""
    h0 = entry.opened(step, params, h0, first)
    # the same directions each time, so that two records differ by the nets alone
    key = jax.random.key(0)
    m = min(directions, flatten(h0)[0].size)

    def of_one(xs: Input) -> Estimate:
        T = entry.time_steps(xs, None)
        begin = state_after(step, params, h0, xs, T - lags)
        window = jax.tree.map(lambda leaf: leaf[T - lags :], xs)
        rows = _largest_rows(step, params, begin, window, lags, m)
        n = rows.shape[1]
        asked = Asked((0, n), (0, n), False, ("norm",), False, True, False, 1)
        raw = lag_curves(step, params, begin, window, lags, asked, rows)
        norm = flow_of(jnp, raw, size=n, curves=("norm",), directions=m, average=False)
        flow = gradient_flow(step, params, begin, window, directions=m, key=key, curves=("frobenius",))
        largest = largest_exponent(step, params, h0, xs, key=key)
        states = unroll(step, params, h0, xs)
        return Estimate(
            norm.log_norm, flow.log_frobenius, flow.stderr, largest.exponent, largest.stderr, largest.doubts, states
        )

    return jax.vmap(of_one)(xs)


def _largest_rows(step: Step, params: Params, h: State, xs: Input, lags: int, m: int) -> Float[Array, "m n"]:
    """Return m orthonormal vectors at T, near the left singular vectors of the products over 1 .. `lags` steps."""
    fresh = starting_frame(h, m, None).T
    starts = jnp.asarray(lags - np.round(np.geomspace(lags, 1, m)).astype(np.int32))

    def advance(carry: tuple[State, Array], now: tuple[Array, Input]) -> tuple[tuple[State, Array], None]:
        h, rows = carry
        t, x = now
        rows = jnp.where((t == starts)[:, None], fresh, rows)
        rows = linear_maps(step, params, h, x).push(rows.T).T
        size = jnp.linalg.norm(rows, axis=1, keepdims=True)
        return (step(params, h, x), rows / jnp.where(size > 0, size, 1)), None

    begun = entry.varying_like((h, fresh), xs)
    (_, rows), _ = jax.lax.scan(advance, begun, (jnp.arange(lags), xs))
    return jnp.linalg.qr(rows.T)[0].T
