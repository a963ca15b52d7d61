"""The loop behind `gradient_flow`: it pulls the rows of ∂h_T/∂h_{T-ℓ} back lag by lag and measures their norms.

    P_0 = I,   P_ℓ = P_{ℓ-1} J_{T-ℓ+1} = ∂h_T/∂h_{T-ℓ}        kept as P · 2^exponent, see `scaled.py`

One lag (`_one_lag`) multiplies all rows by the next Jacobian, one `pull`. It records ‖P_ℓ‖_F from the squared norms of
the rows, and ‖P_ℓ‖₂ by `spectral_norm.py`, whose search starts from the singular vector of the last lag.

Four things keep it cheap over a long time:

- The states h_t are not stored. They are recomputed a stretch of steps at a time (`recomputed_states.py`).
- P loses rank, so half of its rows can be dropped again and again (`rank_compression.py`). Each number of rows is a
  stage with a program of its own, and `_at_stage` moves to the next one at the end of a stretch.
- The power of two for the next pull is read from one combination of the rows instead of all of them.
- For small states many windows of time are pulled through side by side (`_in_windows`, `window_products.py`).

With random directions, P begins with a few of them instead of I. The norms ‖J_t‖₂ of single steps, whose product bounds
‖P_ℓ‖₂, come from `step_norms.py`. Next: `measure/flow_result.py` turns `RawCurves` into a `GradientFlow`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..cells.contract import Input, Params, State, Step
from . import entry
from .batch_decision import smallest
from .linear_maps import linear_maps
from .rank_compression import halved, share_of_witnesses, widths
from .recomputed_states import backward_in_stretches
from .scaled import exponent_of, power_of_two
from .spectral_norm import DENSE, SpectralNorm, guessed_spectral_norm, random_vectors, spectral_norm
from .state_vector import flatten
from .step_norms import step_norms
from .window_products import cut, joined, window_length, window_products

# when a user calls the measurement, the 2-norm of a product that begins with at most this many rows is never searched
# for: a search could miss the largest singular value, and takes longer to compile. For batches a search is faster
ALWAYS_DENSE = 64


class Asked(NamedTuple):
    """What to compute: which rows and columns, along which paths, and which of the curves."""

    rows: tuple[int, int]  # first and last + 1 entry of h_T
    columns: tuple[int, int]  # the same of the earlier state
    alone: bool  # whether only these blocks of the Jacobians are multiplied, not the whole ones
    curves: tuple[str, ...]
    random: bool  # whether the rows are random combinations
    traced: bool  # whether this is part of a program that the user compiles, which should run fast
    halve: bool  # whether rows may be dropped, which compiles one program for each number of rows
    windows: int  # how many windows of time are pulled through side by side; 1 for one lag after the other


class _Frame(NamedTuple):
    """The rows of ∂h_T/∂h_{T-ℓ} that are still needed, as P · 2^exponent, and what is passed on from lag to lag."""

    P: Array
    exponent: Array
    shift: Array  # the power of two by which P is divided before the next pull
    left: Array  # the left singular vector of P, the guess for the next lag
    trusted: Array  # whether the dropped rows have stayed negligible
    stage: Array  # how many times the rows were halved


class RawCurves(NamedTuple):
    """What the loop returns for every step, in the order of time. Norms of the product are in units of 2^exponent.

    square     the squared Frobenius norm of the product
    spread     the relative standard error of its root, from random directions
    norm       the 2-norm of the product, and whether it is certain
    step_norm  the 2-norm of the step's own Jacobian, and whether it is certain
    begun      the 2-norm of the random directions it begins with
    """

    exponent: Int[Any, "*anchors steps"]
    square: Float[Any, "*anchors steps"]
    spread: Float[Any, "*anchors steps"] | None
    norm: tuple[Float[Any, "*anchors steps"], Bool[Any, "*anchors steps"]] | None
    step_norm: tuple[Float[Any, "*anchors steps"], Bool[Any, "*anchors steps"]] | None
    begun: Float[Any, "*anchors"] | None


def lag_curves(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    lags: int,
    asked: Asked,
    directions: Float[Array, "directions rows"] | None,
) -> RawCurves:
    """Compute the curves back from the end of the trajectory h0, xs; if given, only for the rows `directions` · I."""
    vector, _ = flatten(h0)
    dtype = vector.dtype
    identity = jnp.eye(vector.size, dtype=dtype)[slice(*asked.rows)]
    P = identity if directions is None else directions @ identity
    sizes = widths(len(P)) if directions is None and asked.halve and asked.windows == 1 else (len(P),)
    backward = partial(_one_lag, step, params, asked, sizes[0])

    def stretch(frame: _Frame, before: State, xs: Input, length: int) -> tuple[_Frame, RawCurves]:
        bound = step_norms(step, params, before, xs, length) if "bound" in asked.curves else None
        if asked.windows > 1:
            frame, raw = _in_windows(partial(_pulled, step, params, asked), backward, asked, frame, (before, xs))
            return frame, raw._replace(step_norm=bound)
        stages = [partial(_at_stage, backward, sizes, stage, length=length) for stage in range(len(sizes))]
        frame, raw = jax.lax.switch(frame.stage, stages, frame, (before, xs))
        return frame, raw._replace(step_norm=bound)

    nothing = jnp.int32(0)
    start = _Frame(P, nothing, nothing, random_vectors(len(P), dtype)[0], jnp.array(True), nothing)
    # a frame that is never halved takes one stretch while its states take about as much memory as the frame itself
    every = lags if len(sizes) == 1 and lags <= 4 * vector.size else None
    if asked.windows > 1:
        every = asked.windows * window_length(lags, asked.windows)
    raw = backward_in_stretches(step, params, h0, xs, lags, stretch, entry.varying_like(start, h0), every)
    if directions is None or "norm" not in asked.curves:
        return raw
    guess, total = random_vectors(len(directions), dtype)[0], jnp.sum(directions**2)
    return raw._replace(begun=_norm(directions, guess, jnp.ones((), dtype), total).value)


def _one_lag(
    step: Step, params: Params, asked: Asked, full: int, frame: _Frame, now: tuple[State, Input]
) -> tuple[_Frame, RawCurves]:
    """Pull the frame one step further back and compute its norms."""
    dtype = frame.P.dtype
    P = _pulled(step, params, asked, frame.P * power_of_two(-frame.shift, dtype), now)
    seen, exponent = P[:, slice(*asked.columns)], frame.exponent + frame.shift
    # the entries of one combination of all rows are about as large as theirs, and cheaper to look at
    weights = random_vectors(len(P), dtype)[1] * len(P) ** 0.5
    shift = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(weights @ P))))
    scale = power_of_two(-shift, dtype)
    squares = (seen * scale) ** 2 @ jnp.ones(seen.shape[1], dtype)
    square, trusted, norm, left = jnp.sum(squares), frame.trusted, None, frame.left
    if len(P) < full:
        trusted &= share_of_witnesses(squares) <= 64 * jnp.finfo(dtype).eps
    if "norm" in asked.curves:
        dense = ALWAYS_DENSE if full <= ALWAYS_DENSE and not asked.traced else DENSE
        found = _norm(seen, left, scale, square, dense)
        norm, left = (found.value * scale, found.converged & trusted), found.left
    frame = _Frame(P, exponent, shift, left, trusted, frame.stage)
    spread = _spread(squares) if asked.random else None
    return frame, RawCurves(exponent + shift, square, spread, norm, None, None)


def _pulled(step: Step, params: Params, asked: Asked, rows: Array, now: tuple[State, Input]) -> Array:
    """Multiply the rows by the Jacobian of this step, or only by its block if that is measured alone."""
    P = linear_maps(step, params, *now).pull(rows)
    if asked.alone:
        P = jnp.where(jnp.zeros(P.shape[1], bool).at[slice(*asked.columns)].set(True), P, 0)
    return P


def _in_windows(
    pull: Callable[[Array, Any], Array],
    backward: Callable[..., tuple[_Frame, RawCurves]],
    asked: Asked,
    frame: _Frame,
    times: tuple[State, Input],
) -> tuple[_Frame, RawCurves]:
    """Run a stretch in windows side by side, each from the product of all later steps."""
    kept = slice(*asked.columns) if asked.alone else slice(None)
    identity = jnp.eye(frame.P.shape[1], dtype=frame.P.dtype)[kept]
    times = cut(times, asked.windows)
    later = window_products(pull, identity, jax.tree.map(lambda leaf: leaf[1:], times))
    last = frame.P * power_of_two(-frame.shift, frame.P.dtype), frame.exponent + frame.shift
    first, others = joined(last, later, kept)
    P, exponent = jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), first, others)
    frames = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (asked.windows, *leaf.shape)), frame)
    frames = frames._replace(P=P, exponent=exponent, shift=jnp.zeros_like(exponent))
    frames, raw = jax.vmap(partial(jax.lax.scan, backward, reverse=True))(frames, times)
    return jax.tree.map(lambda leaf: leaf[0], frames), jax.tree.map(lambda leaf: leaf.reshape(-1), raw)


def _norm(A: Array, guess: Array, scale: Array, total: Array, dense: int = DENSE) -> SpectralNorm:
    """Find σ_max of A, with `total` = ‖A · scale‖_F²; with up to `dense` rows or columns without a search."""
    total = jax.lax.stop_gradient(total)
    if min(A.shape) <= dense:
        return guessed_spectral_norm(A, jax.lax.stop_gradient(guess), jax.lax.stop_gradient(scale), total)
    return spectral_norm(lambda v: A @ v, lambda u: u @ A, guess, scale=scale, total=total)


def _at_stage(
    backward: Callable[..., tuple[_Frame, RawCurves]],
    sizes: tuple[int, ...],
    stage: int,
    frame: _Frame,
    times: Any,
    length: int,
) -> tuple[_Frame, RawCurves]:
    """Run a stretch with as many rows as this stage has, and halve them at its end if that is exact to rounding."""
    narrow = frame._replace(P=frame.P[: sizes[stage]], left=frame.left[: sizes[stage]])
    narrow, raw = jax.lax.scan(backward, narrow, times, length=length, reverse=True)
    if stage + 1 < len(sizes):
        fewer = halved(narrow.P * power_of_two(-narrow.shift, narrow.P.dtype), narrow.left)
        smaller = narrow._replace(
            P=_padded(fewer.frame, sizes[stage]),
            left=_padded(fewer.vector, sizes[stage]),
            exponent=narrow.exponent + narrow.shift,
            shift=jnp.zeros_like(narrow.shift),
            stage=narrow.stage + 1,
        )
        narrow = jax.lax.cond(smallest(fewer.faithful), lambda: smaller, lambda: narrow)
    return narrow._replace(P=_padded(narrow.P, sizes[0]), left=_padded(narrow.left, sizes[0])), raw


def _padded(array: Array, rows: int) -> Array:
    return jnp.concatenate([array, jnp.zeros((rows - len(array), *array.shape[1:]), array.dtype)])


def _spread(squares: Float[Array, " directions"]) -> Float[Array, ""]:
    """Compute the relative standard error of the root of their mean; inf for a single direction."""
    mean = jnp.mean(squares)
    variance = jnp.sum((squares - mean) ** 2) / max(len(squares) - 1, 1)
    error = jnp.sqrt(variance / len(squares)) / (2 * jnp.where(mean == 0, 1, mean))
    return error if len(squares) > 1 else jnp.full_like(error, jnp.inf)
