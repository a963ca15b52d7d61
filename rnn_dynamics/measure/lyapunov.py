"""Lyapunov exponents: the mean logarithmic growth per step of k directions that the Jacobians of a trajectory carry.

    Y = J_{t+s} ··· J_{t+1} F_t = F_{t+s} T,    λ_i = 1/T (Σ ln |T_ii| + ln |R_ii(F_end)| - ln |R_ii(F_begin)|)

The frame F is factorised every s steps (`lu_frames.py`), and R(F) is its triangular factor by QR. With the two terms
at the ends the sum equals that of a QR decomposition of the whole product, whichever factorisation is used on the way.

The specification, for all n exponents, measured from the first step on:

    def lyapunov_spectrum(step, params, h0, xs):
        h, Q, logs = h0, first_frame(len(h0)), []
        for x in xs:
            Q, R = np.linalg.qr(rd.step_jacobian(step, params, h, x) @ Q)
            logs.append(np.log(abs(np.diag(R))))
            h = step(params, h, x)
        return np.sort(np.mean(logs, axis=0))[::-1]
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.batch_decision import either, smallest
from ..machinery.compiled_programs import PLAIN, inside_transformation, is_traced
from ..machinery.frame_loop import LONGEST, Run, growth
from ..machinery.frame_push import in_two, whole
from ..machinery.frame_schedule import SEGMENTS, SHORTEST_SEGMENT, Schedule, schedule
from ..machinery.lu_frames import METHODS, by_norm, starting_frame
from ..machinery.numpy_or_jax import finished
from ..machinery.time_windows import run_of
from .lyapunov_result import LargestExponent, LyapunovSpectrum, largest_of, spectrum_of
from .reliability import seen
from .unroll import state_after
from .windows_of_time import Cut, best_count, cores, in_windows

Result = TypeVar("Result")


class Options(NamedTuple):
    """What a run is compiled for: the options of `lyapunov_spectrum`, and three choices made on the host.

    entire       whether J is formed once for both the push and the determinant
    careful      whether this is the second run, which keeps the digits that the first one lost
    determinant  whether ln |det J| is measured
    """

    k: int | None
    length: int | None
    burn_in: int
    frame_burn_in: int
    interval: int | str
    method: str
    segments: int | None
    windows: int | str = 1
    entire: bool = False
    careful: bool = False
    determinant: bool = True

    def plan(self, T: int, may_stop: bool) -> Schedule:
        """Return how the T steps are cut into rows."""
        return schedule(
            T - self.burn_in,
            self.frame_burn_in,
            pilot=self.interval == "auto",
            segments=self.segments,
            may_stop=may_stop,
        )


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
    interval: int | str = "auto",
    method: str = "lu",
    until: float | None = None,
    segments: int | None = None,
    windows: int | str = "auto",
    key: Array | None = None,
) -> LyapunovSpectrum:
    """Compute the Lyapunov exponents of the trajectory that starts at h0.

        λ_i = 1/T Σ_t ln |R_t,ii|,   J_t Q_{t-1} = Q_t R_t

    These are finite-time exponents over the T steps that are measured, those left after both burn-ins. For a driven
    net they depend on its inputs, for a noise-driven net on the noise drawn. Exact zeros of the Jacobian, as of relu,
    threshold and saturated tanh, give -inf for as many exponents and leave the others unchanged. A trajectory that is
    not finite gives NaN.

    If a factorisation loses digits, everything is measured a second time. For a full spectrum the sizes of the
    Jacobian's columns are then factored out, which keeps the digits where units are saturated; for fewer columns there
    is a factorisation after each step, provided that `interval` is "auto". This second program is compiled only when it
    is needed; inside your own transformations both are compiled. `doubts` tells what is still wrong with each exponent,
    and `reasons` says it in words.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        k: How many of the largest exponents to measure. Default: all n.
        length: The number of steps with both burn-ins, needed where xs is None.
        burn_in: The first steps, which only move the state to the attractor. Default: 0.
        frame_burn_in: The steps after those, which also turn the frame to its directions, unmeasured. Default: 0.
        interval: Steps from one factorisation to the next. "auto" measures a pilot of at most 16 steps and chooses the
            longest interval, of at most 32 steps, in which no column falls so far behind the first that the float type
            loses three tenths of its digits.
        method: The factorisation, "lu" or "qr". LU is faster and loses fewer digits where units are saturated.
        until: A standard error in nats per step. T is then a budget: the run ends after the first segment, from the
            32nd on, at which no standard error is larger. A standard error sees only the steps already run, so give a
            burn-in. Such a run has no reverse-mode derivative.
        segments: The number of segments of time for the standard errors; each costs a QR decomposition of the frame.
            Default: 32, or 256 with `until`, but fewer where segments would be shorter than 8 steps.
        windows: About how many windows of time to measure side by side; 1 measures one step after the other. The
            result is the same up to rounding, because the windows are joined exactly. They keep all states and carry
            all n columns, and need method="lu" and no `until`. If a Jacobian is singular or digits are lost,
            everything is measured one step after the other instead. "auto" uses windows outside of your own
            transformations for full spectra that are long enough: on CPUs at least 50 000 steps and n <= 16. It uses
            more windows on more cores, which changes the last digits.
        key: A JAX random key for a random first frame. Default: a fixed frame that lies along no coordinate.

    Returns:
        A `LyapunovSpectrum`, in nats per step and in descending order.

    Cost:
        Time O(T) pushes of k columns (2n²k operations for a dense W) and T/interval factorisations of O(nk²). Memory
        O(nk). For k = n the sum rule adds a Jacobian and its determinant per step; under your own jit it is left out
        if you do not use it. With windows the same work is done in T/windows steps on all cores, for half as much work
        again, and memory is O(T n + n² windows).

    Example:
        >>> W = jnp.diag(jnp.array([2.0, 0.5]))
        >>> spectrum = rd.lyapunov_spectrum(
        ...     lambda W, h, x: W @ h, W, jnp.zeros(2), None, length=150, frame_burn_in=50
        ... )
        >>> [round(float(x), 3) for x in spectrum.exponents]  # ± ln 2
        [0.693, -0.693]

    References:
        Benettin, Galgani, Giorgilli & Strelcyn (1980), Meccanica 15, 9-20.
    """
    options = Options(k, length, burn_in, frame_burn_in, interval, method, segments, windows)
    return _measured(spectrum_of, step, params, h0, xs, key, until, options)


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
    segments: int | None = None,
) -> LargestExponent:
    """Compute the largest Lyapunov exponent from one tangent vector that starts in a random direction.

        λ_1 = 1/T ln (‖J_T ··· J_1 v‖ / ‖v‖)

    Use it where n is in the tens of thousands. `lyapunov_spectrum` explains the options in full.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        key: A JAX random key for the first tangent vector.
        length: The number of steps with both burn-ins, needed where xs is None.
        burn_in: The first steps, which only move the state to the attractor. Default: 0.
        frame_burn_in: The steps after those, which also turn the tangent vector, unmeasured. Default: 0.
        until: A standard error in nats per step at which to stop early. Default: use all steps.
        segments: The number of segments of time for the standard error. Default: 32, or 256 with `until`.

    Returns:
        A `LargestExponent`, in nats per step.

    Cost:
        Time O(T) directional derivatives of a step, memory O(n).

    Example:
        >>> W = 0.5 * jnp.eye(3)
        >>> found = rd.largest_exponent(lambda W, h, x: W @ h, W, jnp.ones(3), None, length=100, key=key)
        >>> round(float(found.exponent), 3)  # -ln 2
        -0.693
    """
    options = Options(1, length, burn_in, frame_burn_in, "auto", "lu", segments)
    return _measured(largest_of, step, params, h0, xs, key, until, options)


def _measured(
    finish: Callable[..., Result],
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    until: float | None,
    options: Options,
) -> Result:
    """Check the arguments, run the loop and turn its `Run` into the result."""
    length, T = entry.checked(step, params, h0, xs, options.length)
    n = _numbers(h0)
    options = _checked(options, T)._replace(length=length)
    if key is not None:
        argument.key(key)
    tolerance = None if until is None else jnp.asarray(argument.number("until", until, above=0))
    options = options._replace(entire=not inside_transformation(params, h0, xs, key, tolerance))
    windows = _window_count(options, T, n, until)
    given, full = (step, params, h0, xs, key, tolerance), options.k in (None, n)

    def step_by_step() -> Result:
        # normalising one column costs less than choosing an interval
        one_column = options._replace(interval=1) if options.k == 1 < n else options
        plan = one_column.plan(T, until is not None)
        return finished(partial(finish, plan=plan, full=full), _run(given, one_column), tolerance)

    if windows == 1:
        return step_by_step()
    measured = T - options.burn_in - options.frame_burn_in
    segments = options.segments or max(1, min(SEGMENTS, windows, measured // SHORTEST_SEGMENT))
    options = options._replace(segments=segments)  # the same for both ways
    options.plan(T, False)  # raises if the segments do not fit step by step either
    shares = min(cores(measured, n), windows) if options.entire else 1
    cut = Cut(T, options.burn_in, options.frame_burn_in, windows, segments, shares)
    settings: Any = {"length": length, "interval": options.interval, "inside": not options.entire}
    run = in_windows(run_of, *given[:5], cut=cut, k=options.k, **settings)
    found = finished(partial(finish, plan=cut.plan.segments, full=full, windows=cut.windows_in_all), run, None)
    return either(_saw_all(run), found, step_by_step)


def _window_count(options: Options, T: int, n: int, until: float | None) -> int:
    """Return about how many windows of time to measure at once; 1 where that does not pay or cannot be done."""
    asked, measured = options.windows, T - options.burn_in - options.frame_burn_in
    if asked == "auto":
        possible = until is None and options.method == "lu" and options.k in (None, n) and options.entire
        return best_count(n, measured, options.segments or SEGMENTS) if possible else 1
    windows = argument.size("windows", asked, 1)
    if windows == 1:
        return 1
    if options.k is not None and options.k > n:
        raise ValueError(f"k: got {options.k}, expected at most n = {n}, the size of the state")
    for name, value, fits in (("until", until, None), ("method", options.method, "lu")):
        if value != fits:
            raise ValueError(f"windows: got {windows} with {name}={value!r}, expected windows=1 or {name}={fits!r}")
    if windows > measured:
        raise ValueError(f"windows: got {windows}, expected at most {measured}, the steps after both burn-ins")
    if (options.segments or 1) > windows:
        raise ValueError(f"segments: got {options.segments}, expected at most windows = {windows}")
    return windows


def _checked(options: Options, T: int) -> Options:
    """Return the user's options as plain numbers; an error names what is wrong."""
    k, _, burn_in, frame_burn_in, interval, method, segments, *_ = options
    burn_in, frame_burn_in = argument.size("burn_in", burn_in, 0), argument.size("frame_burn_in", frame_burn_in, 0)
    if burn_in + frame_burn_in >= T:
        raise ValueError(
            f"burn_in, frame_burn_in: got {burn_in} and {frame_burn_in}, expected fewer than T = {T} steps together"
        )
    argument.choice("method", method, tuple(METHODS))
    return options._replace(
        k=None if k is None else argument.size("k", k, 1),
        burn_in=burn_in,
        frame_burn_in=frame_burn_in,
        interval=interval if interval == "auto" else argument.size("interval", interval, 1),
        segments=None if segments is None else argument.size("segments", segments, 1),
    )


def _run(given: Any, options: Options) -> Run:
    """Return the plain run, or a more careful one if the plain one lost digits.

    The careful run is a second program. It is not compiled when the host can see that it is not needed.
    """
    run = _grown(*given, length=options.length, options=options)
    if options.k not in (None, _numbers(given[2])) and (options.k == 1 or options.interval != "auto"):
        return run  # a more careful run does not exist
    keep = given[-1] is None  # a determinant costs a decomposition, and without `until` both runs have the same steps

    def careful() -> Run:
        again = _grown(*given, length=options.length, options=options._replace(careful=True, determinant=not keep))
        return again._replace(log_det=run.log_det) if keep else again

    return either(_saw_all(run), run, careful)


def _saw_all(run: Run) -> Any:
    """Return whether no exponent lost too many digits, on the host if nothing is being traced."""
    if is_traced(run):
        return smallest(jnp.all(seen(run.lost)))
    return seen(np.asarray(run.lost)).all()


def _numbers(state: State) -> int:
    """Return how many real numbers the state has."""
    return sum(jnp.size(leaf) * (2 if jnp.iscomplexobj(leaf) else 1) for leaf in jax.tree.leaves(state))


@entry.compiled(compiler=PLAIN)
def _grown(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    until: Float[Array, ""] | None,
    *,
    length: int | None,
    options: Options,
) -> Run:
    """Run the compiled loop."""
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    entry.decomposable(h0)
    columns = starting_frame(h0, options.k, key)
    (n, k), dtype = columns.shape, columns.dtype
    h0 = state_after(step, params, h0, xs, options.burn_in)
    xs = jax.tree.map(lambda leaf: leaf[options.burn_in :], xs)
    in_halves = partial(in_two, determinant=options.determinant)
    return growth(
        step,
        params,
        h0,
        xs,
        columns,
        options.plan(T, until is not None),
        options.interval,
        push=in_halves if options.careful and k == n else partial(whole, entire=options.entire),
        factor=by_norm if k == 1 else METHODS[options.method],
        entire=options.entire,
        longest=1 if options.careful else LONGEST,
        until=None if until is None else until.astype(dtype),
    )
