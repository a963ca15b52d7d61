"""Any function over a labelled grid: vmapped, sharded over all devices, stored, resumed, distributed.

`rd.sweep` is the function below. What surrounds it is imported from here: `from rnn_dynamics.sweeps import Variable,
described, export, one_device_per_core, open_dataset, Submitit`. The heavy packages are imported when a sweep is run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax

from .cpu_devices import one_device_per_core
from .slurm import Submitit
from .status import PointError
from .variable import Variable, described

if TYPE_CHECKING:
    import xarray

__all__ = [
    "PointError",
    "Submitit",
    "Variable",
    "described",
    "export",
    "one_device_per_core",
    "open_dataset",
    "sweep",
]


def sweep(
    measure: Callable[..., Any],
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    key: jax.Array,
    repeats: int = 1,
    store: Any = None,
    executor: Any = None,
    devices: int | Sequence[jax.Device] | None = None,
    chunk: int | None = None,
    progress: bool = True,
    on_error: Literal["record", "raise"] = "record",
    on_version: Literal["refuse", "accept"] = "refuse",
) -> "xarray.Dataset":
    """The outputs of `measure(key, **point)` at every point of a grid, labelled, with `status` and `error`.

    measure   returns a dict or NamedTuple of arrays, by JAX operations. `described` adds units and names of dimensions
    grid      {axis: values, ...}, whose product is meant, or a list of points [{axis: value, ...}, ...]. Floats and
              arrays are traced, in JAX's default precision; texts, bools, whole numbers and functions are static, one
              compilation for each combination that occurs, and shapes may depend on them: outputs are padded at their
              end with NaN (0 and False where there is none), and `<dimension>_length` says how much is meant
    key       of threefry, JAX's default. With others each point is computed by itself, since what they draw under vmap
              depends on the neighbours
    repeats   how often each point is computed, with other keys: the last dimension, `repeat`. A point's key is
              `jax.random.fold_in(key, i)` with i its place in the whole grid
    store     a folder, a URL that fsspec knows, or a zarr store: the sweep is kept there, the dataset is read from it
              when looked at, and the same call goes on where one was killed. None: in memory
    executor  anything with the protocol of `concurrent.futures.Executor`, whose workers compute the chunks and write
              them; `measure` and functions in the grid must be importable. Under `jax.distributed` none is needed
    devices   how many of the local devices, or which; None for all. A CPU has one device a core only if
              `one_device_per_core()` was called before JAX started
    chunk     about how many points are computed, written and recorded at once; None: as many as take some seconds
    progress  whether a bar is shown
    on_error  "record": a point that raises has status 3 and its message in `error`, the rest goes on. "raise": stop,
              also at one that the store has recorded. Want of memory always stops
    on_version  what happens if the store was begun with other versions and the program of `measure` is another one now,
              so that it cannot be told whether `measure` was changed too. "refuse": ValueError. "accept": go on, and
              remember that in the store. Where the program is the same, other versions bring a warning only

    `status` is 1 for a point whose outputs are free of NaN, 2 where one has a NaN, 3 where `measure` raised, and 0
    where nothing has been computed yet.

    The same numbers come out bit for bit on the same kind of device with the same versions and `window_shape` (an
    attribute of the dataset), whatever the chunk, the number of devices, the executor and the interruptions; a store
    keeps its window. With another window, which a smaller chunk or share of a device brings about, or a slower machine
    where a window would take many seconds, they agree to rounding. Time: what `measure` takes, and some milliseconds a
    chunk. Memory: a chunk of outputs.
    """
    from . import run

    options = run.Options(executor, devices, chunk, progress, on_error, on_version)
    return run.sweep(measure, grid, key=key, repeats=repeats, store=store, options=options)


def open_dataset(store: Any) -> "xarray.Dataset":
    """The dataset of a store, finished or not, read when it is looked at."""
    from .address import resolve
    from .store import open_dataset as opened

    return opened(resolve(store))


def export(store: Any, path: Any) -> None:
    """Write the dataset of a store to a netCDF file, complex numbers as two variables. Needs the extra `netcdf`."""
    from . import netcdf

    netcdf.export(store, path)
