"""Choose the sizes of windows and chunks: once for a sweep, which keeps them in its store."""

import math
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from . import grid_windows, interrupt
from .expected_layout import MOST_CHUNKS
from .grid import POINT, Grid, Group, groups
from .grid_windows import Shape
from .runner import Programs, Runner, Work

# bytes that the points of a window may need together on a CPU: about the second-level cache of a core
CPU_WINDOW = 2**18
# the most points in a window if memory allows more
MOST_ON_CPU, MOST_ON_ACCELERATOR = 64, 4096
# the most seconds of a window, judged by one point, and how many points an accelerator computes in the time of one
WINDOW_SECONDS, AT_ONCE = 8.0, 512
# memory in bytes assumed for an accelerator that does not report it, and the share of free memory that a window may use
SMALL_ACCELERATOR, SHARE = 2**32, 0.25
# targets for a chunk: its time in seconds, and the bytes of its outputs
SECONDS, CHUNK_BYTES = 2.0, 2**27
# with at most this many windows per device, a chunk has one window per device, and no window is timed to size it
FEW = 32


class Plan(NamedTuple):
    """The shapes of a window and of a chunk, in points."""

    window: Shape
    chunk: Shape


def make_plan(work: Work, candidates: list[Group], chunk: int | None, programs: Programs) -> Plan:
    """Return the plan for a sweep on the devices of `work`, judged by the first and last group that can run."""
    shape = vmapped_shape(work.grid)
    share = math.ceil(math.prod(shape) / len(work.devices))
    width = min(share, chunk or share)
    ends = list(dict.fromkeys((candidates[0], candidates[-1])))
    if not _draws_alone(work.key):
        width = 1
    if width > 1:
        width = min(width, *(_width(work, group, programs) for group in ends))
        for group in ends:
            width = _that_fits(work, group, width, programs)
    work = work._replace(window=grid_windows.box(shape, width))
    if chunk is None:
        found = _few_enough(work, _windows_a_chunk(Runner(work, programs), ends))
    else:
        found = chunk_shape(shape, work.window, max(1, chunk // math.prod(work.window)))
    return Plan(work.window, found)


def _few_enough(work: Work, many: int) -> Shape:
    """Return the shape of a chunk of `many` windows, or of more if there would be too many chunks."""
    shape = vmapped_shape(work.grid)
    all_windows = math.prod(grid_windows.counts(shape, work.window))
    while many < all_windows:
        found = chunk_shape(shape, work.window, many)
        if math.prod(grid_windows.counts(work.grid.shape, found)) <= MOST_CHUNKS:
            return found
        many *= 2
    return chunk_shape(shape, work.window, many)


def _draws_alone(key: jax.Array) -> bool:
    """Return whether vmap leaves a key's random numbers unchanged. It does with threefry, but not with rbg."""
    typed = jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    return str(jax.random.key_impl(key)) == "threefry2x32" if typed else key.shape == (2,)


def vmapped_shape(grid: Grid) -> Shape:
    """Return the shape of the grid, with 1 for the dimensions along which each place has its own program."""
    static = {axis.dim for axis in grid.static} - {POINT}
    return tuple(1 if dim in static else length for dim, length in zip(grid.dims, grid.shape, strict=True))


def chunk_shape(shape: Shape, window: Shape, many: int) -> Shape:
    """Return the shape of a chunk of at most `many` windows."""
    box = grid_windows.box(grid_windows.counts(shape, window), many)
    return tuple(width * times for width, times in zip(window, box, strict=True))


def _width(work: Work, group: Group, programs: Programs) -> int:
    """Return how many points of a group fit into a window, from the memory and time that one of them needs.

    The width is a power of two. If time is the limit it shrinks by factors of eight, so that two runs whose timings
    differ a little choose the same width.
    """
    one = Runner(work._replace(window=(1,) * len(work.grid.dims)), programs)
    limits = limits_of(work.devices[0])
    fitting = max(1, min(limits.memory // max(1, one.program(group).memory), limits.points))
    width = 1 << fitting.bit_length() - 1
    seconds = (_seconds(one, group) or 0.0) if width > 1 else 0.0
    while width > 1 and width * seconds > WINDOW_SECONDS * limits.at_once:
        width = max(1, width // 8)
    return width


class Limits(NamedTuple):
    """What a device allows: bytes and points of a window, and how many points it computes in about the time of one.

    `strict` says that a window with more bytes could not run; on a CPU it would only be slower.
    """

    memory: int
    points: int
    at_once: int
    strict: bool


def limits_of(device: Any) -> Limits:
    """Return the limits of a device: the cache of a CPU core, or a share of the free memory of an accelerator."""
    if device.platform == "cpu":
        return Limits(CPU_WINDOW, MOST_ON_CPU, 1, strict=False)
    told = device.memory_stats() or {}
    free = told.get("bytes_limit", SMALL_ACCELERATOR) - told.get("bytes_in_use", 0)
    return Limits(int(SHARE * free), MOST_ON_ACCELERATOR, AT_ONCE, strict=True)


def _that_fits(work: Work, group: Group, width: int, programs: Programs) -> int:
    """Narrow a window until its program keeps to the memory: points together may need more than the sum of each."""
    limits = limits_of(work.devices[0])
    while limits.strict and width > 1:
        window = grid_windows.box(vmapped_shape(work.grid), width)
        needed = Runner(work._replace(window=window), programs).program(group).memory
        if needed <= limits.memory:
            break
        width = max(1, min(width // 2, width * limits.memory // needed))
    return width


def _windows_a_chunk(runner: Runner, ends: list[Group]) -> int:
    """Return how many windows take a few seconds on all devices together."""
    work = runner.work
    devices = len(work.devices)
    windows = math.prod(grid_windows.counts(vmapped_shape(work.grid), work.window)) * len(groups(work.grid))
    if windows <= FEW * devices:
        return devices
    slowest = max(_seconds(runner, group) or SECONDS for group in ends)
    most = CHUNK_BYTES // max(1, work.bytes_of_point * runner.width * devices)
    return devices * max(1, min(int(SECONDS / slowest), most))


def _seconds(runner: Runner, group: Group) -> float | None:
    """Time a window of a group's program on all devices, with the first points of the grid; None if it raises."""
    cells = np.indices(runner.work.window).reshape(len(runner.work.window), 1, -1)
    runner.program(group)
    with interrupt.held():  # otherwise Ctrl-C would look like an error of a point
        begun = time.perf_counter()
        try:
            runner.run(group, np.repeat(cells, len(runner.work.devices), axis=1))
        except Exception:
            return None
        return max(time.perf_counter() - begun, 1e-6)
