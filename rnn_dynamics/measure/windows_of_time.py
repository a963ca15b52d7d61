"""Run the windows of `machinery/time_windows.py`: how many there are, on how many cores, and in which programs.

`lyapunov_spectrum` and `log_singular_values` differ in how the windows are joined, and share everything else.

Inside a user's own transformation everything is one program. Otherwise there are three: the states, the windows, and
their joints, of which only the second is worth optimising. On CPUs it is called once on each core, with a share of the
windows.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
from jaxtyping import Array

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Opaque
from ..machinery.compiled_programs import PLAIN, QUICKER, ahead, float32_products, program
from ..machinery.frame_schedule import WindowPlan, window_plan
from ..machinery.lu_frames import starting_frame
from ..machinery.time_windows import FORMED, Share, Windows, advanced, shares_of
from ..machinery.window_frames import WRITTEN_OUT
from .unroll import state_after

Result = TypeVar("Result")
# join(first frame, shares of the windows, plan, **options)
Join = Callable[..., Result]

# What "auto" chooses on CPUs, by the table of `benchmarks/spectra_in_windows.py`: windows on each core for a state of
# up to FORMED numbers and for larger ones, the largest state, and the fewest steps. A call of 50 000 steps is faster by
# 50 to 150 ms; the programs take half a second to a second and a half longer to compile.
ON_A_CORE, LARGEST, LONG = (160, 64), 16, 50_000
# from this T n² on, threads gain more time than it takes to start them
WORTH_THREADS = 1_000_000
# On accelerators, where a step takes as long for one small matrix as for many: an expectation, not measured yet.
ON_ACCELERATOR, LARGEST_ON_ACCELERATOR, LONG_ON_ACCELERATOR = 512, 128, 2_000
# fewer steps in a window would spend more time on the joints, and more numbers in all states would take too much memory
SHORTEST, MOST_NUMBERS = 32, 2**25


def best_count(n: int, measured: int, segments: int) -> int:
    """Return the number of windows that is fastest for so many steps of n numbers; 1 if windows do not pay."""
    if jax.default_backend() != "cpu":
        pays, windows = measured >= LONG_ON_ACCELERATOR and n <= LARGEST_ON_ACCELERATOR, ON_ACCELERATOR
    else:
        pays, windows = measured >= LONG and n <= LARGEST, ON_A_CORE[n > FORMED] * cores(measured, n)
    pays &= measured * n <= MOST_NUMBERS
    return max(1, min(windows, measured // SHORTEST) // segments * segments) if pays else 1


def cores(measured: int, n: int) -> int:
    """Return how many cores to share the windows out to: 1 on an accelerator, or where a user divided the CPU."""
    if jax.default_backend() != "cpu" or jax.device_count() > 1 or measured * n**2 < WORTH_THREADS:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Cut(NamedTuple):
    """How T steps are cut into windows, in numbers: what the programs are compiled for."""

    T: int
    burn_in: int
    frame_burn_in: int
    windows: int
    segments: int
    shares: int
    determinant: bool = True  # whether Σ ln |det J_t| is measured

    @property
    def plan(self) -> WindowPlan:
        """Return the windows themselves."""
        return window_plan(
            self.T - self.burn_in,
            self.frame_burn_in,
            windows=self.windows,
            segments=self.segments,
            shares=self.shares,
        )

    @property
    def windows_in_all(self) -> int:
        """Return how many windows there are in the segments."""
        return self.segments * self.plan.together


def in_windows(
    join: Join[Result],
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    *,
    cut: Cut,
    length: int | None,
    interval: int | str,
    inside: bool,
    **options: Any,
) -> Result:
    """Advance all windows, `inside` a transformation or on all cores, and join them, with these options of `join`."""
    traced = None if inside else entry.traced_step(step, params, h0, entry.first(xs))
    how = {"interval": interval, "determinant": cut.determinant}
    if traced is None or isinstance(traced.computation, Opaque):
        cut = cut._replace(shares=1)
        return _all_at_once(step, params, h0, xs, key, length=length, interval=interval, cut=cut, join=join, **options)
    columns, shares = _cut(traced, params, h0, xs, key, length=length, cut=cut)
    calls = [(traced, params, share) for share in shares]
    with float32_products():
        # the optimiser gains nothing where the loop over columns is written out
        compiler = PLAIN if len(columns) <= WRITTEN_OUT else QUICKER
        joint = columns, _side_by_side(calls, how, compiler)
        return program(_joined, joint, {"join": join, "cut": cut} | options, PLAIN)(*joint)


def _side_by_side(calls: list[tuple], options: dict[str, Any], compiler: dict[str, Any]) -> list[Windows]:
    """Advance each share of the windows, in a thread of its own if there are several."""
    if len(calls) == 1:
        return [program(_advanced, calls[0], options, compiler)(*calls[0])]
    # A thread has settings of its own. A program that is compiled already does not ask for them, but a number that is
    # not yet an array would take its type from them.
    calls = jax.block_until_ready(jax.device_put(calls))
    run = ahead(_advanced, calls[0], options, compiler)
    # Each thread waits for its own share, since programs that are only enqueued often run one after the other.
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: jax.block_until_ready(run(*call)), calls))


@entry.compiled()
def _all_at_once(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    key: Array | None,
    *,
    length: int | None,
    interval: int | str,
    cut: Cut,
    **options: Any,
) -> Any:
    columns, shares = _opened(step, params, h0, xs, key, length, cut)
    found = [advanced(step, params, share, interval, determinant=cut.determinant) for share in shares]
    return _joined(columns, found, cut=cut, **options)


@entry.compiled(compiler=PLAIN)
def _cut(
    step: Step, params: Params, h0: State, xs: Input, key: Array | None, *, length: int | None, cut: Cut
) -> tuple[Array, list[Share]]:
    return _opened(step, params, h0, xs, key, length, cut)


def _advanced(step: Step, params: Params, share: Share, *, interval: int | str, determinant: bool) -> Windows:
    return advanced(step, params, share, interval, determinant=determinant)


def _joined(columns: Array, shares: list[Windows], *, join: Join[Result], cut: Cut, **options: Any) -> Result:
    return join(columns, shares, cut.plan, **options)


def _opened(
    step: Step, params: Params, h0: State, xs: Input, key: Array | None, length: int | None, cut: Cut
) -> tuple[Array, list[Share]]:
    """Check the arguments and return the first frame of the trajectory and its windows."""
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    entry.decomposable(h0)
    columns = starting_frame(h0, None, key)
    h0 = state_after(step, params, h0, xs, cut.burn_in)
    xs = jax.tree.map(lambda leaf: leaf[cut.burn_in :], xs)
    return columns, shares_of(step, params, h0, xs, cut.plan, T - cut.burn_in)
