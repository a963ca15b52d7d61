"""How much of a gradient remains after each number of steps back in time: ‖∂h_T/∂h_{T-ℓ}‖ over the lag ℓ.

    P_0 = I,  P_ℓ = P_{ℓ-1} J_{T-ℓ+1} = J_T ··· J_{T-ℓ+1} = ∂h_T/∂h_{T-ℓ},        ln ‖P_ℓ‖ <= Σ_{t > T-ℓ} ln ‖J_t‖

The product is built backward in time by pulling its rows through the steps. Its scale is a power of two, and it drops
rows once it has lost rank (`rank_compression.py`). The states are recomputed one stretch at a time, so that memory
hardly depends on T.

The specification, for the 2-norm of the whole state:

    def gradient_flow(step, params, h0, xs):
        before = [h0, *rd.unroll(step, params, h0, xs)[:-1]]
        P, log_norms = np.eye(len(h0)), [0.0]
        for h, x in reversed(list(zip(before, xs))):
            P = P @ rd.step_jacobian(step, params, h, x)
            log_norms.append(np.log(np.linalg.norm(P, 2)))
        return log_norms
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
from ..machinery.window_products import number_of_windows
from .flow_result import CURVES, GradientFlow, flow_of
from .unroll import state_after

# from this size of the state on, dropping rows saves more time than it takes to compile a program for each number of
# rows; inside a user's own jit or vmap, which runs many times or for many nets, dropping rows is always allowed
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
    block: tuple[str | int, str | int] | None = None,
    path: str | int | None = None,
    directions: int | None = None,
    key: Array | None = None,
    curves: tuple[str, ...] = CURVES,
    windows: int | str = "auto",
) -> GradientFlow:
    """Measure how a gradient grows or shrinks on its way back in time, for every lag.

        ln ‖P_ℓ‖,   P_ℓ = ∂h_T/∂h_{T-ℓ} = J_T ··· J_{T-ℓ+1},   ℓ = 0 .. T

    The norms neither overflow nor underflow. A zero product gives -inf; a NaN stays NaN and is not `converged`. The
    first derivatives of the curves are accurate to about √eps. Second derivatives of the 2-norms are wrong.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.
        lags: How many lags to measure. Default: T, or the earliest anchor.
        anchors: Times (t_1, t_2, ..) to measure back from, 1 .. T. Default: T only.
        average: Whether to return the mean of the logarithms over the anchors. Default: one curve for each.
        block: A pair of parts of the state: `("c", "h")` measures ∂c_T/∂h_{T-ℓ} over all paths. Default: the whole
            state. `rd.blocks` lists the parts; those of a tuple are the numbers of its places.
        path: One part of the state: "c" measures the product of the blocks ∂c_t/∂c_{t-1}, the path that never leaves
            c. For an LSTM that is the product of its forget gates.
        directions: m: pull m random directions back instead of all n, for n in the thousands. This gives an unbiased
            estimate of the squared Frobenius norm with its standard error, and a lower bound of the 2-norm.
        key: A JAX random key for those directions.
        curves: Which of "norm", "frobenius" and "bound" to compute. Default: all. A curve that you leave out is neither
            computed nor compiled.
        windows: How many windows of time are pulled through side by side, in matrices of n × n and in twice as many
            pulls. 1 is one lag after the other. "auto" uses 32 on a CPU for up to 16 numbers and 100 000 lags or more,
            64 on an accelerator for up to 128 numbers and 2000 lags or more, and otherwise 1, also for several anchors,
            for random directions, and inside your own jit or vmap. Curves agree to rounding.

    Returns:
        A `GradientFlow`: curves over the lags in natural logarithms, with flags that say where they converged.

    Cost:
        Time O(T) pulls of at most n rows (2n³ operations each for a dense W, less once the product has lost rank) and
        some products with single vectors for the 2-norms. Memory O(n² + √T n) per anchor, and O(n²) for each window.
        Under your own jit, curves that you do not use are not computed.

    Example:
        >>> W = 0.5 * jnp.eye(2)
        >>> flow = rd.gradient_flow(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=3)
        >>> [round(float(x), 3) for x in flow.log_norm]  # -ℓ ln 2
        [0.0, -0.693, -1.386, -2.079]

    References:
        Knyazev (2001), SIAM Journal on Scientific Computing 23, 517-541 (2-norms).
        Halko, Martinsson & Tropp (2011), SIAM Review 53, 217-288 (products that lose rank).
    """
    length, T = entry.checked(step, params, h0, xs, length)
    lags, anchors = _times(entry.whole_number("lags", lags), anchors, T)
    if average and anchors is None:
        raise TypeError("average: got True without anchors, expected anchors=(t_1, t_2, ..) to average over")
    if (directions is None) != (key is None):
        raise TypeError(f"directions, key: got {directions!r} and {key!r}, expected both or neither")
    if directions is not None:
        directions, key = argument.size("directions", directions, 1), argument.key(key)
    if not (isinstance(curves, tuple) and curves and set(curves) <= set(CURVES)):
        raise ValueError(f"curves: got {curves!r}, expected a tuple of some of {', '.join(CURVES)}")
    curves = tuple(name for name in CURVES if name in curves)
    times = None if anchors is None else jnp.array(anchors)
    rows, columns = _cut(h0, block, path)
    traced = inside_transformation(params, h0, xs)
    halve = traced or flatten(h0)[0].size >= HALVED_AT_ONCE
    batched = traced or anchors is not None or directions is not None
    windows = number_of_windows(windows, T if lags is None else lags, flatten(h0)[0].size, batched)
    asked = Asked(rows, columns, path is not None, curves, directions is not None, traced, halve, windows)
    raw = _gradient_flow(step, params, h0, xs, times, key, length=length, lags=lags, directions=directions, asked=asked)
    ones = rows[1] - rows[0] if rows == columns else 0  # on the diagonal of the product at lag 0, the identity
    return finished(partial(flow_of, size=ones, curves=curves, directions=directions, average=average), raw)


@entry.compiled(compiler=PLAIN)
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
    directions: int | None,
    asked: Asked,
) -> RawCurves:
    """Run the compiled loop, from T or from each of the anchors."""
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    entry.decomposable(h0)
    lags = T if lags is None else lags
    drawn = None
    if directions is not None and key is not None:
        drawn = _drawn(key, directions, asked.rows[1] - asked.rows[0], flatten(h0)[0].dtype)

    def from_anchor(begin: State, start: Int[Array, ""]) -> RawCurves:
        window = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, lags), xs)
        begin = begin if drawn is None else entry.varying_like(begin, drawn)
        return lag_curves(step, params, begin, window, lags, asked, drawn)

    if anchors is None:
        return from_anchor(state_after(step, params, h0, xs, T - lags), jnp.int32(T - lags))
    starts = anchors - lags
    return jax.vmap(from_anchor)(_states_at(step, params, h0, xs, T, starts), starts)


def _times(lags: int | None, anchors: Any, T: int) -> tuple[int | None, list[int] | None]:
    """Check how far back to measure, and from which times."""
    if anchors is None:
        if lags is not None and not 1 <= lags <= T:
            raise ValueError(f"lags: got {lags}, expected 1 <= lags <= T = {T}")
        return lags, None
    if not np.iterable(anchors):
        raise TypeError(f"anchors: got {anchors!r}, expected a sequence of times (t_1, t_2, ..)")
    anchors = [argument.size("anchors", time, 1) for time in anchors]
    if not anchors or max(anchors) > T:
        raise ValueError(f"anchors: got {anchors}, expected one or more times from 1 to T = {T}")
    earliest = min(anchors)
    if lags is not None and not 1 <= lags <= earliest:
        raise ValueError(f"lags: got {lags}, expected 1 <= lags <= {earliest}, the earliest of the anchors")
    return earliest if lags is None else lags, anchors


def _drawn(key: Array, directions: int, n: int, dtype: Any) -> Float[Array, "directions n"]:
    """Draw random directions u uniformly on the sphere of radius √n, so that E[u uᵀ] = I and ‖u‖ has no noise."""
    drawn = jax.random.normal(key, (directions, n), dtype)
    return drawn * jnp.sqrt(n / jnp.sum(drawn**2, axis=1, keepdims=True))


def _cut(h: State, block: Any, path: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where the requested rows (of h_T) and columns (of h_{T-ℓ}) begin and end."""
    places = {name: (place.start, place.stop) for name, place in blocks(h).items()}
    if block is not None and path is not None:
        raise ValueError(f"block, path: got {block!r} and {path!r}, expected at most one of the two")
    option, names = ("block", block) if path is None else ("path", (path, path))
    if names is None:
        return (0, flatten(h)[0].size), (0, flatten(h)[0].size)
    if not (isinstance(names, tuple) and len(names) == 2 and all(isinstance(name, str | int) for name in names)):
        expected = "a pair of names (part of h_T, part of the earlier state)" if option == "block" else "a name"
        raise TypeError(f"{option}: got {(block if path is None else path)!r}, expected {expected}")
    for name in map(str, names):  # the parts of a tuple are named by their places
        if name not in places:
            raise ValueError(f"{option}: got {name!r}, expected one of {', '.join(places)}")
    names = tuple(map(str, names))
    return places[names[0]], places[names[1]]


def _states_at(step: Step, params: Params, h0: State, xs: Input, T: int, times: Int[Array, " k"]) -> State:
    """Return the states h_t at the given times t < T on a leading axis, without keeping the others."""

    def keep(found: State, h: State, t: Int[Array, ""]) -> State:
        def chosen(leaf: Array, now: Array) -> Array:
            return jnp.where((times == t).reshape(-1, *[1] * now.ndim), now, leaf)

        return jax.tree.map(chosen, found, h)

    def advance(carry: tuple[State, State], now: tuple[Array, Input]) -> tuple[tuple[State, State], None]:
        found, h = carry
        t, x = now
        return (keep(found, h, t), step(params, h, x)), None

    found = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (times.size, *jnp.shape(leaf))), h0)
    (found, _), _ = jax.lax.scan(advance, (found, h0), (jnp.arange(T), xs), length=T)
    return found
