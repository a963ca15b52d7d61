"""Run a sweep: create or open its store, compute the missing chunks, and return its dataset."""

import contextlib
import time

import jax
import xarray

from . import descriptions, engines, identity, jax_settings, version_consent
from .address import check_writable
from .chunk_records import Record, note_wall_time, read_records, verified
from .coordinates import coordinates, functions_of, grid_differences, load_grid
from .creation import make_store, wait_for
from .grid import Grid
from .log import log
from .options import Options, Sweep
from .outputs import Layout, TracedOutputs, lay_out, trace
from .progress import Progress
from .runner import Programs, raise_first
from .status import BY_MEASURE, describe
from .store import Store, is_there, mend, open_dataset, open_store
from .variable import variables_of
from .worker import Job


def compute(sweep: Sweep, options: Options) -> xarray.Dataset:
    """Create or open the store, compute its missing chunks, and return its dataset."""
    begun = time.time()
    traced = trace(sweep.measure_point, sweep.grid, sweep.key)
    _raise_early(sweep.grid, traced, options)
    layout = lay_out(traced.shapes, variables_of(sweep.measure_point), sweep.grid)
    coords = coordinates(sweep.grid, layout, variables_of(sweep.measure_point))
    programs: Programs = {}
    mine = False
    if not _first_process(options):
        wait_for(sweep.address)
    elif not is_there(sweep.address):
        check_writable(sweep.address)
        mine = make_store(sweep, options, traced, layout, coords, programs)
    store = open_store(sweep.address)
    if not mine:
        mend(store, {one.name: one.values for one in coords})
        _refuse_another(sweep, store, options, traced, layout)
        descriptions.update(store, layout.fields, coords)
    finished, todo = _sorted_out(store, mine)
    if options.on_error == "raise":
        _raise_recorded(sweep.grid, store, finished)
    if todo:
        check_writable(sweep.address)
        _finish(sweep, store, options, [*finished.values()], todo, programs, begun)
    return open_dataset(sweep.address)


def _raise_early(grid: Grid, traced: TracedOutputs, options: Options) -> None:
    """Raise an error from tracing if no group can run, or if the caller asked for errors to be raised."""
    if traced.errors and (not traced.shapes or options.on_error == "raise"):
        group, error = next(iter(traced.errors.items()))
        static = dict(zip((axis.name for axis in grid.static), group, strict=True))
        error.add_note(f"{BY_MEASURE} {describe(static) or 'every point'}")
        raise error


def _first_process(options: Options) -> bool:
    return options.executor is not None or jax.process_index() == 0


def _refuse_another(sweep: Sweep, store: Store, options: Options, traced: TracedOutputs, layout: Layout) -> None:
    """Raise if the store holds another sweep, or may hold one made by other versions and the user has not consented."""
    there = store.attributes
    here = identity.of_sweep(sweep.measure_point, sweep.grid, sweep.key, traced, layout, options.chunk)
    found = grid_differences(sweep.grid, load_grid(store, functions_of(sweep.grid)))
    found += identity.differences(there, here)
    if found:
        raise ValueError(
            f"store: {sweep.address} holds another sweep: {'; '.join(found)}; expected the same sweep, or a new place"
        )
    if there["versions"] != here["versions"]:
        version_consent.check_versions(store, here, options.on_version)


def _sorted_out(store: Store, mine: bool) -> tuple[dict[int, Record], list[int]]:
    """Return the records of the chunks whose data are intact, by number, and the numbers of the other chunks.

    The numbers are in order if this process created the store. Otherwise another process may be working on it, and they
    are in random order.
    """
    finished, todo = {}, []
    for number, record in enumerate(read_records(store)):
        if record and verified(store, number, record):
            finished[number] = record
        else:
            todo.append(number)
    return finished, todo if mine else engines.scattered(todo)


def _raise_recorded(grid: Grid, store: Store, finished: dict[int, Record]) -> None:
    """Raise the first error that an earlier run with on_error="record" has stored."""
    for number, record in finished.items():
        if record["failed"]:
            region = store.region(number)
            raise_first(grid, region, {name: store.arrays[name][region] for name in ("status", "error")})


def _finish(
    sweep: Sweep,
    store: Store,
    options: Options,
    finished: list[Record],
    todo: list[int],
    programs: Programs,
    begun: float,
) -> None:
    job = Job(
        sweep.address,
        store.attributes["store_id"],
        sweep.measure_point,
        tuple(functions_of(sweep.grid).items()),
        options.devices,
        tuple(jax_settings.current().items()),
        options.on_error == "raise",
        begun,
    )
    records = _engine(options, job, todo, programs)
    try:
        with (
            contextlib.closing(records),  # waits for the chunk that is being written
            contextlib.closing(Progress(sweep.grid.size, finished, shown=options.progress)) as progress,
        ):
            for record in records:
                finished.append(record)
                progress.done(record)
    except BaseException:
        log.warning("%s: stopped; finished chunks are kept, and the same call computes the rest", sweep.address)
        raise
    if _first_process(options):
        note_wall_time(sweep.address, finished)


def _engine(options: Options, job: Job, todo: list[int], programs: Programs) -> engines.Records:
    if options.executor is not None:
        return engines.elsewhere(options.executor, job, todo)
    if jax.process_count() > 1:
        return engines.together(job, todo, programs)
    return engines.here(job, todo, programs)
