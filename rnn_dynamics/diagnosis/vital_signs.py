"""Four numbers that say how healthy the gradients of a net are, measured alike before and after a change.

    log_gradient   ln ‖∂h_t/∂h_{t-ℓ}‖₂ at lag ℓ = horizon, the median over windows of `horizon` steps
    exploding      how many singular values of that product exceed e, the median over the windows
    saturated      the share of the values of the state that are beyond 0.95 of its range
    log_input      ln of the root mean square of ‖step(h, x) - step(h, 0)‖: how strongly an input acts

The product P of a window is never formed. A frame of k columns is pushed forward through it, which turns the frame
towards the left singular vectors. Pulled back, the frame gives QᵀP, whose singular values are those of a product of
k × k triangles (`machinery/graded_triangles.py`). They are exact for n <= k, and else the Ritz values of one round of
subspace iteration: up to 0.15 nats too small for gated nets of 128 units, whose singular values lie close together.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells import LSTMState, ProjectedLSTMState
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN
from ..machinery.graded_triangles import Graded, identity, log_singular_values_of, times
from ..machinery.lapack_threads import on_one_thread
from ..machinery.linear_maps import linear_maps
from ..machinery.lu_frames import by_lu, by_qr, starting_frame
from ..machinery.state_vector import flatten
from .batch import leading_axes, traced_step

# columns of a frame, steps from one factorisation to the next, and windows that are measured
COLUMNS, INTERVAL, WINDOWS = 16, 4, 4
# a direction explodes if it grows more than e-fold over the horizon
EXPLODES = 1.0
SATURATED = 0.95


def vital_signs(
    step: Step, params: Params, h0: State, xs: Input, *, horizon: int, windows: int = WINDOWS
) -> dict[str, float]:
    """Measure the gradient at a horizon, the directions that explode, and the saturated share.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, a pytree with leading axes (sequences, T).
        horizon: The lag in steps, from 1 to T.
        windows: How many windows of `horizon` steps to measure: the last of as many sequences, or, of fewer sequences,
            several in the second half of the possible times.

    Returns:
        "log_gradient" in nats, "exploding" directions, "saturated" as a share, and "log_input" in nats.

    Cost:
        Each window takes T steps and 32 vectors pushed or pulled through `horizon` of them; memory O(T n). Compiled
        once for a step and shapes, whatever the parameters hold.
    """
    sequences, T = leading_axes(xs)
    which, starts = _windows(sequences, T, horizon, windows)
    traced = traced_step(step, params, h0, xs)
    found = _signs(traced, params, h0, xs, jnp.asarray(which), jnp.asarray(starts), horizon=horizon)
    logs, saturated, squared = map(np.asarray, found)
    with np.errstate(divide="ignore"):
        log_input = 0.5 * float(np.log(np.mean(squared)))
    return {
        "log_gradient": float(np.median(logs[:, 0])),
        "exploding": float(np.quantile(np.sum(logs > EXPLODES, axis=1), 0.5, method="higher")),
        "saturated": float(np.mean(saturated)),
        "log_input": log_input,
    }


def _windows(sequences: int, T: int, horizon: int, windows: int) -> tuple[list[int], list[int]]:
    """Return the sequence and the first step of each window."""
    if not 1 <= horizon <= T:
        raise ValueError(f"horizon: got {horizon}, expected 1 <= horizon <= T = {T}")
    last = T - horizon
    chosen = sorted({round(i) for i in np.linspace(0, sequences - 1, min(windows, sequences))})
    times = sorted({round(t) for t in np.linspace(last, last / 2, max(1, windows // len(chosen)))})
    pairs = [(i, t) for i in chosen for t in times]
    return [i for i, _ in pairs], [t for _, t in pairs]


@entry.compiled(compiler=PLAIN)
def _signs(
    step: Step, params: Params, h0: State, xs: Input, which: Int[Array, " w"], starts: Int[Array, " w"], *, horizon: int
) -> tuple[Float[Array, "w k"], Float[Array, " w"], Float[Array, " w"]]:
    """Return ln σ_1 .. ln σ_k, the saturated share, and the mean square effect of an input, for each window."""
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0, 0], xs))
    entry.decomposable(h0)
    on_one_thread()

    def of_window(one: Int[Array, ""], start: Int[Array, ""]) -> tuple[Array, Array, Array]:
        inputs = jax.tree.map(lambda leaf: leaf[one], xs)
        before = jax.lax.scan(lambda h, x: (step(params, h, x), h), h0, inputs)[1]
        cut = partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=horizon)
        states, inputs = jax.tree.map(cut, (before, inputs))
        logs = _top_log_singular_values(step, params, states, inputs, h0)
        return logs, _saturated_share(states), _mean_square_effect(step, params, states, inputs)

    return jax.vmap(of_window)(which, starts)


def _top_log_singular_values(step: Step, params: Params, states: State, xs: Input, h0: State) -> Float[Array, " k"]:
    """Return the logarithms of the largest singular values of the product of the Jacobians at these states."""
    vector, _ = flatten(h0)
    n, dtype = vector.size, vector.dtype
    k = min(n, COLUMNS)
    at = (jnp.arange(len(jax.tree.leaves(states)[0])), states, xs)

    def forward(frame: Array, now: tuple[Array, State, Input]) -> tuple[Array, None]:
        t, h, x = now
        pushed = _unit(linear_maps(step, params, h, x).push(frame))[0]
        return _every(INTERVAL, t, lambda Y: by_lu(Y).frame, lambda Y: Y, pushed), None

    def backward(carry: tuple[Array, Array, Graded], now: Any) -> tuple[tuple[Array, Array, Graded], None]:
        frame, scale, product = carry
        t, h, x = now
        pulled, log = _unit(linear_maps(step, params, h, x).pull(frame.T).T)

        def factored(Y: Array) -> tuple[Array, Graded]:
            parts = by_lu(Y)
            return parts.frame, times(parts.triangle, product)

        frame, product = _every(INTERVAL, t, factored, lambda Y: (Y, product), pulled)
        return (frame, scale + log, product), None

    frame = jnp.eye(n, dtype=dtype)
    if k < n:
        frame = by_qr(jax.lax.scan(forward, starting_frame(h0, k, None), at)[0]).frame
    start = frame, jnp.zeros((), dtype), identity(k, dtype)
    (frame, scale, product), _ = jax.lax.scan(backward, start, at, reverse=True)
    return scale + log_singular_values_of(times(by_qr(frame).triangle, product))


def _every(interval: int, t: Array, often: Any, otherwise: Any, value: Array) -> Any:
    return jax.lax.cond(t % interval == interval - 1, often, otherwise, value)


def _unit(frame: Float[Array, "n k"]) -> tuple[Float[Array, "n k"], Float[Array, ""]]:
    """Return the frame scaled to entries of at most 1, and the logarithm of what was divided out."""
    largest = jnp.max(jnp.abs(frame))
    return frame / jnp.where(largest == 0, 1, largest), jnp.log(largest)


def _saturated_share(states: State) -> Float[Array, ""]:
    """Return the share of values beyond 0.95 of their range. A part of the state that leaves [-1, 1] has no range.

    Of an LSTM, tanh(c) counts.
    """

    def values(part: Any) -> list[Array]:
        return [jnp.tanh(part.c)] if isinstance(part, LSTMState | ProjectedLSTMState) else [part]

    parts = [leaf for part in jax.tree.leaves(states, is_leaf=_is_lstm) for leaf in values(part)]
    dtype = flatten(states)[0].dtype
    beyond = [jnp.where(jnp.max(jnp.abs(v)) <= 1, jnp.sum(jnp.abs(v) > SATURATED), 0).astype(dtype) for v in parts]
    return jnp.stack(beyond).sum() / sum(v.size for v in parts)


def _is_lstm(part: Any) -> bool:
    return isinstance(part, LSTMState | ProjectedLSTMState)


def _mean_square_effect(step: Step, params: Params, states: State, xs: Input) -> Float[Array, ""]:
    """Return the mean over the steps of ‖step(h, x) - step(h, 0)‖²."""

    def effect(h: State, x: Input) -> Array:
        nothing = jax.tree.map(jnp.zeros_like, x)
        return jnp.sum((flatten(step(params, h, x))[0] - flatten(step(params, h, nothing))[0]) ** 2)

    return jnp.mean(jax.vmap(effect)(states, xs))
