"""Check the arguments of a sweep and start or resume it."""

import concurrent.futures
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray
import zarr
from zarr.abc.store import Store as ZarrStore

from .. import argument
from . import engines, identity, jax_settings
from .address import reading, resolve
from .coordinates import functions_of, load_grid
from .grid import read_grid
from .options import Options, Sweep
from .outputs import MeasurePoint
from .session import compute
from .store import check_is_there, open_store


def sweep(measure_point: Any, grid: Any, *, key: Any, repeats: Any, store: Any, options: Options) -> xarray.Dataset:
    """Implements `rnn_dynamics.sweep`."""
    if not callable(measure_point) or not hasattr(measure_point, "__qualname__"):
        raise TypeError(f"measure_point: got {measure_point!r}, expected a function measure_point(key, **point)")
    points = read_grid(grid, argument.size("repeats", repeats, 1))
    options = _checked(options, store)
    argument.key(key)
    if options.executor is not None:
        engines.sendable(measure_point, functions_of(points))
    if store is not None:
        return compute(Sweep(measure_point, points, key, resolve(store)), options)
    if options.executor is None:
        return compute(Sweep(measure_point, points, key, zarr.storage.MemoryStore()), options).load()
    with tempfile.TemporaryDirectory() as folder:
        return compute(Sweep(measure_point, points, key, Path(folder) / "sweep.zarr"), options).load()


def resume(store: Any, measures: Mapping[str, MeasurePoint], options: Options) -> xarray.Dataset:
    """Resume the sweep of a store: all is read from there, except `measure_point`, which is looked up by name."""
    address = resolve(store)
    check_is_there(address)
    opened = open_store(address, mode="r")
    found = opened.attributes
    measure_point = measures[argument.choice("measure_point of the store", found["measure_point"], tuple(measures))]
    grid = load_grid(opened, {})
    if any(axis.kind == "function" for axis in grid.axes):
        raise ValueError(
            f"store: {address} has functions in its grid, which only the script that made it has; run that script again"
        )
    with reading(address):
        key, of_jax = identity.key_of(found), identity.settings_of(found)
    with jax_settings.applied(of_jax):
        return compute(Sweep(measure_point, grid, key, address), _checked(options, store))


def _checked(options: Options, store: Any) -> Options:
    argument.choice("on_error", options.on_error, ("record", "raise"))
    argument.choice("on_version", options.on_version, ("refuse", "accept"))
    if options.chunk is not None:
        options = options._replace(chunk=argument.size("chunk", options.chunk, 1))
    if isinstance(options.devices, int | np.integer):
        options = options._replace(devices=argument.size("devices", options.devices, 1))
    elif not isinstance(options.devices, Sequence | None):
        raise TypeError(f"devices: got {options.devices!r}, expected a number of devices or a list of them")
    if options.executor is not None:
        if not hasattr(options.executor, "submit"):
            raise TypeError(
                f"executor: got {options.executor!r}, expected an object with submit(), as in concurrent.futures"
            )
        if not isinstance(options.devices, int | None):
            raise TypeError(
                f"devices: got {options.devices!r} with an executor, expected the number of devices of each worker"
            )
        private = isinstance(options.executor, concurrent.futures.ProcessPoolExecutor) and "memory://" in str(store)
        if isinstance(store, ZarrStore) or private:
            raise TypeError(f"store: got {store!r} with an executor, expected a folder or URL that workers can open")
    elif jax.process_count() > 1 and store is None:
        raise ValueError("store: got None under jax.distributed, expected a folder or URL that all processes can open")
    return options
