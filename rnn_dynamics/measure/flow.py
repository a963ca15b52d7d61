"""What is left of a gradient after every number of steps: ‖∂h_T/∂h_{T-ℓ}‖ over the lag ℓ.

    P_0 = I,  P_ℓ = P_{ℓ-1} J_{T-ℓ+1} = J_T ··· J_{T-ℓ+1} = ∂h_T/∂h_{T-ℓ},        ln ‖P_ℓ‖ <= Σ_{t > T-ℓ} ln ‖J_t‖

The product grows backward in time, by rows pulled through the steps, with its scale as a power of two and with fewer
rows once it has lost rank (`compression.py`). The states it needs are recomputed a stretch at a time, so that memory
hardly depends on T.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN, inside_transformation
from ..machinery.lag_loop import Asked, RawCurves, lag_curves
from ..machinery.numpy_or_jax import finished
from ..machinery.state_vector import blocks, flatten
from .flow_result import CURVES, GradientFlow, flow_of
from .unroll import state_after

# numbers in a state from which on dropping rows pays for the programs that it compiles, one for each number of rows;
# within a user's own compiled program or batch, which runs many times or for many nets, it pays as soon as it is faster
HALVED_AT_ONCE = 256


def gradient_flow(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    lags: int | None = None,
    anchors: Any = None,
    average: bool = False,
    block: tuple[str, str] | None = None,
    path: str | None = None,
    probes: int | None = None,
    key: Array | None = None,
    curves: tuple[str, ...] = CURVES,
) -> GradientFlow:
    """The norm of ∂h_T/∂h_{T-ℓ} for every lag ℓ = 0 .. T, without overflow or underflow.

    `lags=L` stops after L lags. `anchors=(t_1, t_2, ..)` measures back from each of these times instead of T, over L
    lags or as many as the earliest has; `average=True` takes the mean of the logarithms over them.

    `block=("c", "h")` measures ∂c_T/∂h_{T-ℓ} of a state with these parts, over all paths. `path="c"` measures the
    product of the blocks ∂c_t/∂c_{t-1} alone, the path that never leaves c: of an LSTM, what its forget gates let by.

    `probes=m` with a `key` pulls m random directions back instead of all n, for n in the thousands: an unbiased
    estimate of the squared Frobenius norm with its standard error, and a lower bound of the 2-norm.

    `curves` names what is wanted of "norm", "frobenius" and "bound": the others are neither compiled nor computed.

    Time O(T) pulls of at most n rows (2n³ operations for a dense W, less once the product has lost rank) and some
    products with single vectors for the 2-norms; memory O(n² + √T n) an anchor. Under your own jit, curves that you
    do not use are not computed. A zero product gives -inf; a NaN stays one and is not `converged`. Curves have first
    derivatives, right to about √eps; second ones of the 2-norms are not.
    """
    entry.enter(step, params=params, h0=h0, xs=xs)
    length, lags = entry.whole_number("length", length), entry.whole_number("lags", lags)
    T = entry.time_steps(xs, length)
    if anchors is not None:
        if not np.iterable(anchors):
            raise TypeError(f"anchors: got {anchors!r}, expected the times (t_1, t_2, ..)")
        anchors = [argument.size("anchors", time, 1) for time in anchors]
        lags = min(anchors, default=0) if lags is None else lags
    if not 1 <= (T if lags is None else lags) <= min(anchors or [T]) or max(anchors or [T]) > T:
        raise ValueError(f"lags, anchors: got {lags!r} and {anchors!r}, expected 1 <= lags <= anchors <= T = {T}")
    for name, parts in (("block", block), ("path", path)):
        if not (parts is None or isinstance(parts, str | tuple)):
            raise TypeError(f"{name}: got {parts!r}, expected {'a pair of names' if name == 'block' else 'a name'}")
    if average and anchors is None:
        raise TypeError("average: got True without anchors, expected the times to average over")
    if (probes is None) != (key is None):
        raise TypeError(f"probes, key: got {probes!r} and {key!r}, expected both or none of them")
    if probes is not None:
        probes, key = argument.size("probes", probes, 1), argument.key(key)
    if not (isinstance(curves, tuple) and curves and set(curves) <= set(CURVES)):
        raise ValueError(f"curves: got {curves!r}, expected a tuple of some of {', '.join(CURVES)}")
    curves = tuple(name for name in CURVES if name in curves)
    times = None if anchors is None else jnp.array(anchors)
    raw = _gradient_flow(
        step,
        params,
        h0,
        xs,
        times,
        key,
        length=length,
        lags=lags,
        block=block,
        path=path,
        probes=probes,
        curves=curves,
        halve=inside_transformation(params, h0, xs) or flatten(h0)[0].size >= HALVED_AT_ONCE,
    )
    size = _numbers_on_the_diagonal(h0, block, path)
    return finished(partial(flow_of, size=size, curves=curves, probes=probes, average=average), raw)


@entry.compiled("length", "lags", "block", "path", "probes", "curves", "halve", compiler=PLAIN)
def _gradient_flow(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    anchors: Array | None,
    key: Array | None,
    *,
    length: int | None,
    lags: int | None,
    block: Any,
    path: str | None,
    probes: int | None,
    curves: tuple[str, ...],
    halve: bool,
) -> RawCurves:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    entry.decomposable(h0)
    lags = T if lags is None else lags
    rows, columns = _cut(h0, block, path)
    asked = Asked(rows, columns, path is not None, curves, probes is not None, halve)
    directions = (
        None
        if probes is None or key is None
        else _directions(key, probes, rows.stop - rows.start, flatten(h0)[0].dtype)
    )

    def from_anchor(begin: State, start: Int[Array, ""]) -> RawCurves:
        window = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, lags), xs)
        begin = begin if directions is None else entry.varying_like(begin, directions)
        return lag_curves(step, params, begin, window, lags, asked, directions)

    if anchors is None:
        return from_anchor(state_after(step, params, h0, xs, T - lags), jnp.int32(T - lags))
    starts = anchors - lags
    return jax.vmap(from_anchor)(_states_at(step, params, h0, xs, T, starts), starts)


def _directions(key: Array, probes: int, n: int, dtype: Any) -> Float[Array, "probes n"]:
    """Random directions, uniform on the sphere of radius √n: the mean of u uᵀ is the identity, and ‖u‖ has no noise."""
    directions = jax.random.normal(key, (probes, n), dtype)
    return directions * jnp.sqrt(n / jnp.sum(directions**2, axis=1, keepdims=True))


def _cut(h: State, block: Any, path: str | None) -> tuple[slice, slice]:
    """The rows (of h_T) and the columns (of h_{T-ℓ}) that are asked for."""
    places = blocks(h)
    if block is not None and path is not None:
        raise ValueError(f"block, path: got {block!r} and {path!r}, expected at most one of the two")
    names = (path, path) if path is not None else block
    if names is None:
        return slice(0, flatten(h)[0].size), slice(0, flatten(h)[0].size)
    if not isinstance(names, tuple) or len(names) != 2:
        raise TypeError(f"block: got {block!r}, expected a pair (part of h_T, part of the earlier state)")
    for name in names:
        if name not in places:
            raise ValueError(
                f"{'block' if path is None else 'path'}: got {name!r}, expected one of {', '.join(places)}"
            )
    return places[names[0]], places[names[1]]


def _numbers_on_the_diagonal(h: State, block: Any, path: str | None) -> int:
    """The ones in the identity that the product begins with, in the part asked for."""
    rows, columns = _cut(h, block, path)
    return rows.stop - rows.start if rows == columns else 0


def _states_at(step: Step, params: Params, h0: State, xs: Input, T: int, times: Int[Array, " k"]) -> State:
    """The states h_t at the times t < T asked for, on a leading axis; no other state is kept."""

    def keep(found: State, h: State, t: Int[Array, ""]) -> State:
        def chosen(leaf: Array, now: Array) -> Array:
            return jnp.where((times == t).reshape(-1, *[1] * now.ndim), now, leaf)

        return jax.tree.map(chosen, found, h)

    def advance(carry: tuple[State, State], moment: tuple[Array, Input]) -> tuple[tuple[State, State], None]:
        found, h = carry
        t, x = moment
        return (keep(found, h, t), step(params, h, x)), None

    found = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (times.size, *jnp.shape(leaf))), h0)
    (found, _), _ = jax.lax.scan(advance, (found, h0), (jnp.arange(T), xs), length=T)
    return found
