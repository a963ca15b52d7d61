"""Plan and compute chunks, in this process, in a worker of a pool, or in one process of jax.distributed."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from . import grid_windows, interrupt, jax_settings
from .address import Address
from .background_writer import BackgroundWriter
from .chunk_records import Record, read_record
from .coordinates import load_grid
from .grid import Grid, Group
from .identity import key_of
from .jax_settings import Settings
from .outputs import MeasurePoint
from .plan import Plan, make_plan
from .program import Arrays
from .runner import Programs, Runner, Work, raise_first
from .status import NAN, RAISED
from .store import Store, open_store

Devices = int | Sequence[jax.Device] | None
Fields = dict[str, tuple[np.dtype, tuple[int, ...]]]


class Job(NamedTuple):
    """What a worker needs to know: where the store is, and the functions, which are never loaded from the store."""

    address: Address
    store_id: str
    measure_point: MeasurePoint
    functions: tuple[tuple[str, Callable[..., Any]], ...]
    devices: Devices
    settings: tuple[tuple[str, str | bool | None], ...]
    raising: bool
    session: float


class Request(NamedTuple):
    """A sweep that has no store yet, from which its plan is made."""

    measure_point: MeasurePoint
    grid: Grid
    key: dict[str, Any]
    settings: Settings
    fields: Fields
    groups: list[Group]
    devices: Devices
    chunk: int | None


def local_devices(devices: Devices) -> tuple[jax.Device, ...]:
    """Return the devices of this process to use: all for None, the first ones for a number, else those in the list."""
    here = tuple(jax.local_devices())
    if devices is None:
        return here
    if isinstance(devices, int):
        if not 1 <= devices <= len(here):
            raise ValueError(
                f"devices: got {devices}, expected from 1 to {len(here)} of this process; for one device per CPU "
                "core, call rnn_dynamics.sweeps.one_device_per_core() before JAX starts"
            )
        return here[:devices]
    if not devices or not set(devices) <= set(here):
        raise ValueError(f"devices: got {devices!r}, expected some of this process's own, {here}")
    return tuple(devices)


def plan(request: Request, programs: Programs | None = None) -> tuple[Plan, str]:
    """Return the plan of a sweep, made on the devices that will compute its chunks, and a description of them."""
    with jax_settings.applied(request.settings):
        devices = local_devices(request.devices)
        window = (1,) * len(request.grid.dims)
        work = Work(request.measure_point, request.grid, key_of(request.key), devices, window, request.fields)
        made = make_plan(work, request.groups, request.chunk, {} if programs is None else programs)
        return made, f"{len(devices)} × {devices[0].platform} {devices[0].device_kind}"


def open_work(job: Job, programs: Programs | None = None) -> tuple[Store, Runner]:
    """Open the store of a job, and return it with a runner that computes its chunks."""
    store = open_store(job.address)
    found = store.attributes
    if found["store_id"] != job.store_id:
        raise ValueError(f"store: {job.address} was replaced by another store while its sweep was running")
    fields = {
        name: (array.dtype, array.shape[len(store.shape) :])
        for name, array in store.arrays.items()
        if name not in ("status", "error")
    }
    grid = load_grid(store, dict(job.functions))
    window = tuple(found["window_shape"])
    return store, Runner(
        Work(job.measure_point, grid, key_of(found), local_devices(job.devices), window, fields), programs
    )


_opened = lru_cache(maxsize=4)(open_work)  # a worker is sent the same job again and again


def share(job: Job, numbers: Sequence[int]) -> list[Record]:
    """Compute chunks in a worker, which writes them itself, and return their records."""
    with jax_settings.applied(dict(job.settings)):
        store, runner = _opened(job)
        return list(compute(store, runner, numbers, job))


def compute(store: Store, runner: Runner, numbers: Sequence[int], job: Job) -> Iterator[Record]:
    """Compute and write the chunks that still lack a record, and yield the records of all of them.

    The chunks of one round are written while those of the next are computed, so the outputs of two rounds are held.
    """
    windows = math.prod(grid_windows.counts(store.chunk, runner.work.window))
    together = max(1, len(runner.work.devices) // windows)
    with contextlib.closing(BackgroundWriter(store)) as writer:  # waits for the last write, also after an error
        for start in range(0, len(numbers), together):
            records = {number: read_record(store, number) for number in numbers[start : start + together]}
            yield from (record for record in records.values() if record)
            todo = [number for number, record in records.items() if not record]
            if not todo:
                continue
            with interrupt.held() as pressed:
                written = _compute(runner, writer, todo, job, pressed)
            yield from written
        yield from writer.written()


def _compute(runner: Runner, writer: BackgroundWriter, todo: list[int], job: Job, pressed: list[int]) -> list[Record]:
    """Compute a round of chunks and begin to write them; return the records of the round before."""
    regions = [writer.store.region(number) for number in todo]
    begun = time.time()
    computed = runner.chunks(regions)
    finished = time.time()
    written = writer.written()
    for number, region, data in zip(todo, regions, computed, strict=True):
        if len(pressed) > 1:  # a second Ctrl-C may look like an error of `measure_point`
            raise KeyboardInterrupt
        if job.raising:
            raise_first(runner.work.grid, region, data)
        writer.begin(number, data, record_of(data, job.session, begun, finished))
    return written


def record_of(data: Arrays, session: float, begun: float, finished: float) -> Record:
    """Return the record of a chunk without its digest: how its points ended, and when computing began and ended."""
    status = data["status"]
    return {
        "points": status.size,
        "failed": int((status == RAISED).sum()),
        "nan": int((status == NAN).sum()),
        "session": session,
        "begun": begun,
        "finished": finished,
    }
