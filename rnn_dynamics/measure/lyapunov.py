"""Lyapunov exponents: the mean logarithmic growth, a step, of k directions that a trajectory's Jacobians carry along.

    Y = J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,    λ_i = 1/T (Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|)

with F brought back every s steps (`triangular.py`) and R(F) the triangular factor of a frame by QR. The corrections at
the two ends make the sum that of a QR decomposition of the whole product, whichever factor is used on the way.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.batch_decision import smallest
from ..machinery.compiled_programs import PLAIN, inside_transformation, is_traced
from ..machinery.frame_loop import LONGEST, Run, growth
from ..machinery.frame_push import in_two, whole
from ..machinery.frame_schedule import schedule
from ..machinery.lu_frames import METHODS, by_norm, starting_frame
from ..machinery.numpy_or_jax import finished
from .lyapunov_result import LargestExponent, LyapunovSpectrum, largest_of, spectrum_of
from .reliability import seen
from .unroll import state_after

Result = TypeVar("Result")


def lyapunov_spectrum(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    k: int | None = None,
    length: int | None = None,
    burn_in: int = 0,
    frame_burn_in: int = 0,
    every: int | str = "auto",
    method: str = "lu",
    until: float | None = None,
    blocks: int | None = None,
    key: Array | None = None,
) -> LyapunovSpectrum:
    """The k largest Lyapunov exponents along the trajectory from h0 (all n of them for k = None).

    The first `burn_in` steps only move the state, to the attractor; the next `frame_burn_in` turn the frame into its
    directions too, unmeasured. Over the rest, T steps, these are finite-time exponents; for a driven net they depend
    on its inputs, for a noise-driven one on the draw. The first frame is random with a `key`, else a fixed one that
    lies along no coordinate.

    `every="auto"` chooses the interval from a pilot of some steps: as long as no column falls so far behind the first
    that the float type loses more than three tenths of its digits. Time O(T) pushes of k columns (2n²k operations for a
    dense W) and T/every factorisations of O(nk²); memory O(nk). The sum rule costs a Jacobian and its determinant a
    step more; under your own jit it is left out where you do not use it.

    With `until`, T is a budget: the run ends after the first block, from the 32nd on, at which every standard error is
    at most that, and `converged` says which are. A standard error knows only what has been seen, so give a burn-in.
    Such a run has no reverse-mode derivative. There are 32 blocks of time, 256 with `until`, fewer where they would be
    shorter than 8 steps, or as many as you like by `blocks`; each costs a QR decomposition of the frame.

    Where a factorisation lost digits all is measured once more: a full spectrum with the sizes of the Jacobian's
    columns factored apart, which keeps them where units are saturated; fewer columns with a factorisation each step, if
    the interval was chosen here. The second run is a program of its own, compiled only when it is needed; inside your
    own transformations both are compiled. `doubts` says of each exponent what is lost even so, and `reasons` says it in
    words. Exact zeros of the Jacobian, as relu, threshold and saturated tanh have them, give -inf to as many exponents
    and leave the others as they are; a trajectory that is not finite gives NaN.
    """
    return _measured(
        spectrum_of,
        step,
        params,
        h0,
        xs,
        k=k,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        every=every,
        method=method,
        until=until,
        blocks=blocks,
        key=key,
    )


def largest_exponent(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    key: Array,
    length: int | None = None,
    burn_in: int = 0,
    frame_burn_in: int = 0,
    until: float | None = None,
    blocks: int | None = None,
) -> LargestExponent:
    """The largest Lyapunov exponent, from one tangent vector that starts in a random direction.

    Time O(T) directional derivatives, memory O(n): for n in the tens of thousands. The options are those of
    `lyapunov_spectrum`.
    """
    return _measured(
        largest_of,
        step,
        params,
        h0,
        xs,
        k=1,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        every="auto",
        method="lu",
        until=until,
        blocks=blocks,
        key=key,
    )


def _measured(
    finish: Callable[..., Result],
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    k: int | None,
    length: int | None,
    burn_in: int,
    frame_burn_in: int,
    every: int | str,
    method: str,
    until: float | None,
    blocks: int | None,
    key: Array | None,
) -> Result:
    entry.enter(step, params=params, h0=h0, xs=xs)
    length = entry.whole_number("length", length)
    T = entry.time_steps(xs, length)
    burn_in, frame_burn_in = argument.size("burn_in", burn_in, 0), argument.size("frame_burn_in", frame_burn_in, 0)
    if burn_in + frame_burn_in >= T:
        raise ValueError(
            f"burn_in, frame_burn_in: got {burn_in} and {frame_burn_in}, which leaves nothing of T = {T} steps"
        )
    argument.choice("method", method, tuple(METHODS))
    if every != "auto":
        every = argument.size("every", every, 1)
    if key is not None:
        argument.key(key)
    k = None if k is None else argument.size("k", k, 1)
    blocks = None if blocks is None else argument.size("blocks", blocks, 1)
    if k == 1 < _numbers(h0):
        every = 1  # a length is found faster than it is worth to choose when
    tolerance = None if until is None else jnp.asarray(argument.number("until", until, above=0))
    plan = schedule(T - burn_in, frame_burn_in, pilot=every == "auto", blocks=blocks, may_stop=until is not None)
    run = _run(
        (step, params, h0, xs, key, tolerance),
        k=k,
        length=length,
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        every=every,
        method=method,
        blocks=blocks,
        entire=not inside_transformation(params, h0, xs, key, tolerance),
    )
    return finished(partial(finish, plan=plan, full=k in (None, _numbers(h0))), run, tolerance)


def _run(given: Any, **options: Any) -> Run:
    """The plain run, or a more careful one where that has lost digits.

    The careful run is another program. Where the host can see that it is not needed, it is not compiled either.
    """
    run = _grown(*given, **options)
    n, k = _numbers(given[2]), options["k"]
    if k not in (None, n) and (k == 1 or options["every"] != "auto"):
        return run  # there is no more careful one
    saw_all = smallest(jnp.all(seen(run.lost))) if is_traced(run) else seen(np.asarray(run.lost)).all()
    keep = given[-1] is None  # a determinant costs a decomposition, and is the same for the same steps

    def careful() -> Run:
        again = _grown(*given, **options, careful=True, determinant=not keep)
        return again._replace(log_det=run.log_det) if keep else again

    if isinstance(saw_all, jax.core.Tracer):
        return jax.lax.cond(saw_all, lambda: run, careful)
    return run if saw_all else careful()


def _numbers(state: State) -> int:
    return sum(jnp.size(leaf) for leaf in jax.tree.leaves(state))


@entry.compiled(
    *("k", "length", "burn_in", "frame_burn_in", "every", "method", "blocks", "entire", "careful", "determinant"),
    compiler=PLAIN,
)
def _grown(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    until: Float[Array, ""] | None,
    *,
    k: int | None,
    length: int | None,
    burn_in: int,
    frame_burn_in: int,
    every: int | str,
    method: str,
    blocks: int | None,
    entire: bool,
    careful: bool = False,
    determinant: bool = True,
) -> Run:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    entry.decomposable(h0)
    columns = starting_frame(h0, k, key)
    (n, k), dtype = columns.shape, columns.dtype
    h0 = state_after(step, params, h0, xs, burn_in)
    xs = jax.tree.map(lambda leaf: leaf[burn_in:], xs)
    in_halves = partial(in_two, determinant=determinant)
    return growth(
        step,
        params,
        h0,
        xs,
        columns,
        schedule(T - burn_in, frame_burn_in, pilot=every == "auto", blocks=blocks, may_stop=until is not None),
        every,
        push=in_halves if careful and k == n else partial(whole, entire=entire),
        factor=by_norm if k == 1 else METHODS[method],
        entire=entire,
        longest=1 if careful else LONGEST,
        until=None if until is None else until.astype(dtype),
    )
