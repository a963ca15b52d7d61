"""What is left of a gradient after every number of steps: ‖∂h_T/∂h_{T-ℓ}‖ over the lag ℓ.

    P_0 = I,  P_ℓ = P_{ℓ-1} J_{T-ℓ+1} = J_T ··· J_{T-ℓ+1} = ∂h_T/∂h_{T-ℓ},        ln ‖P_ℓ‖ <= Σ_{t > T-ℓ} ln ‖J_t‖

The product grows backward in time, by rows pulled through the steps, and carries its scale as a power of two. The
states it needs are recomputed a stretch of √T steps at a time, so that memory hardly depends on T.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..cells.contract import Input, Params, State, Step
from . import door
from .flat import blocks, flatten
from .linear_maps import LinearMaps, linear_maps
from .scaled import rescaled
from .spectral_norm import DENSE, dense_spectral_norm, spectral_norm, start_vector


class GradientFlow(NamedTuple):
    """Curves over the lag ℓ = 0 .. T, natural logarithms throughout.

    log_norm       ln ‖∂h_T/∂h_{T-ℓ}‖₂ of the whole state or of the block asked for
    log_frobenius  the same in the Frobenius norm
    log_bound      Σ ln ‖J_t‖₂, what the product could be at most
    converged      whether the iteration for log_norm got there; where False it may be low
    bound_converged  the same for all terms of log_bound up to this lag
    """

    lag: Int[Array, " lags"]
    log_norm: Float[Array, " lags"]
    log_frobenius: Float[Array, " lags"]
    log_bound: Float[Array, " lags"]
    converged: Bool[Array, " lags"]
    bound_converged: Bool[Array, " lags"]


def gradient_flow(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    block: tuple[str, str] | None = None,
    path: str | None = None,
) -> GradientFlow:
    """The norm of ∂h_T/∂h_{T-ℓ} for every lag ℓ = 0 .. T, without overflow or underflow.

    `block=("c", "h")` measures ∂c_T/∂h_{T-ℓ} of a state with these parts, over all paths. `path="c"` measures the
    product of the blocks ∂c_t/∂c_{t-1} alone, the path that never leaves c: of an LSTM, what its forget gates let by.
    Time O(T) pulls of n rows (2n³ operations for a dense W) and some products with single vectors for the 2-norms;
    memory O(n² + √T n). A zero product gives -inf and a NaN stays one.
    """
    door.enter(step, params=params, h0=h0, xs=xs)
    return _gradient_flow(step, params, h0, xs, length=door.whole_number("length", length), block=block, path=path)


@partial(jax.jit, static_argnums=0, static_argnames=("length", "block", "path"))
def _gradient_flow(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None, block: Any, path: str | None
) -> GradientFlow:
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    rows, columns = _cut(h0, block, path)
    n = flatten(h0)[0].size
    kept = jnp.zeros(n, bool).at[columns].set(True)
    dtype = flatten(h0)[0].dtype
    guess = start_vector(n, dtype)

    def backward(carry: tuple[Array, ...], moment: tuple[State, Input]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        P, exponent, bound, all_fine, u, w = carry
        maps = linear_maps(step, params, *moment)
        P = maps.pull(P)
        P = P if path is None else jnp.where(kept, P, 0)
        P, more = rescaled(P)
        exponent = exponent + more
        norm, u, fine = _norm_of_product(P[:, columns], u)
        jacobian_norm, w, this_fine = _norm_of_jacobian(maps, w)
        bound, all_fine = bound + jnp.log(jacobian_norm), all_fine & this_fine
        scale = exponent.astype(dtype) * math.log(2)
        frobenius = jnp.linalg.norm(P[:, columns])
        curves = scale + jnp.log(norm), scale + jnp.log(frobenius), bound, fine, all_fine
        return (P, exponent, bound, all_fine, u, w), curves

    P = jnp.eye(n, dtype=dtype)[rows]
    zero, yes = jnp.zeros((), dtype), jnp.array(True)
    start = door.varying_like((P, jnp.int32(0), zero, yes, guess[: len(P)], guess), h0)
    curves = _backward_in_stretches(step, params, h0, xs, T, backward, start)
    size = P[:, columns].sum()  # lag 0: the identity, cut
    first = jnp.log(jnp.minimum(size, 1)), jnp.log(size) / 2, zero, yes, yes
    flipped = [jnp.concatenate([at_zero[None], curve[::-1]]) for at_zero, curve in zip(first, curves, strict=True)]
    return GradientFlow(jnp.arange(T + 1), *flipped)


def _cut(h: State, block: Any, path: str | None) -> tuple[slice, slice]:
    """The rows (of h_T) and the columns (of h_{T-ℓ}) that are asked for."""
    places = blocks(h)
    if block is not None and path is not None:
        raise ValueError(f"block, path: got {block!r} and {path!r}, expected at most one of the two")
    names = (path, path) if path is not None else block
    if names is None:
        return slice(None), slice(None)
    if not isinstance(names, tuple) or len(names) != 2:
        raise TypeError(f"block: got {block!r}, expected a pair (part of h_T, part of the earlier state)")
    for name in names:
        if name not in places:
            raise ValueError(
                f"{'block' if path is None else 'path'}: got {name!r}, expected one of {', '.join(places)}"
            )
    return places[names[0]], places[names[1]]


def _norm_of_product(P: Array, guess: Array) -> tuple[Array, Array, Array]:
    if max(P.shape) <= DENSE:
        return dense_spectral_norm(P), guess, jnp.array(True)
    return spectral_norm(lambda v: P @ v, lambda u: u @ P, guess)


def _norm_of_jacobian(maps: LinearMaps, guess: Array) -> tuple[Array, Array, Array]:
    if guess.size <= DENSE:
        return dense_spectral_norm(maps.pull(jnp.eye(guess.size, dtype=guess.dtype))), guess, jnp.array(True)
    return spectral_norm(lambda v: maps.push(v[:, None])[:, 0], lambda u: maps.pull(u[None])[0], guess)


def _backward_in_stretches(step, params, h0, xs, T, backward, start):  # type: ignore[no-untyped-def]
    """scan(backward, start, (states before each step, xs), reverse=True)[1], states recomputed stretch by stretch."""
    every = max(1, math.isqrt(T))
    rest = T % every

    def forward(h: State, x: Input) -> tuple[State, State]:
        return step(params, h, x), h

    def stretch(carry, h, xs, length):  # type: ignore[no-untyped-def]
        before = jax.lax.scan(forward, h, xs, length=length)[1]
        return jax.lax.scan(backward, carry, (before, xs), length=length, reverse=True)

    def to_end(h, xs, length):  # type: ignore[no-untyped-def]
        return jax.lax.scan(lambda h, x: (step(params, h, x), None), h, xs, length=length)[0]

    head = jax.tree.map(lambda leaf: leaf[:rest], xs)
    tail = jax.tree.map(lambda leaf: leaf[rest:].reshape(T // every, every, *leaf.shape[1:]), xs)
    h1 = to_end(h0, head, rest) if rest else h0
    begins = jax.lax.scan(lambda h, xs: (to_end(h, xs, every), h), h1, tail, length=T // every)[1]
    carry, curves = jax.lax.scan(lambda c, m: stretch(c, *m, every), start, (begins, tail), reverse=True)
    curves = jax.tree.map(lambda leaf: leaf.reshape(-1), curves)
    if rest:
        _, earliest = stretch(carry, h0, head, rest)
        curves = jax.tree.map(lambda *parts: jnp.concatenate(parts), earliest, curves)
    return curves
