"""Run any function over a labelled grid: vmapped, sharded over all devices, stored, resumed, distributed.

`rd.sweep` is the function below. Import its companions from here: `from rnn_dynamics.sweeps import Variable, described,
export, one_device_per_core, open_dataset, Submitit`. xarray, zarr and tqdm are imported only when they are needed.
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
    measure_point: Callable[..., Any],
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
    """Compute `measure_point(key, **point)` at every point of a grid and return the labelled outputs.

        outputs[i] = measure_point(jax.random.fold_in(key, i), **points[i])

    Here i is the place of a point in the whole grid, repeats included, in C order. Points that differ only in floats or
    arrays share one compiled program, which is vmapped over windows of neighbouring points and runs on all devices.
    With `store=`, each chunk of points is saved when it is finished, and the same call resumes an interrupted sweep.

    The numbers are the same bit for bit on the same kind of device with the same versions and the same `window_shape`
    (an attribute of the dataset), whatever the chunk, the number of devices, the executor and the interruptions. With
    another window, they agree to rounding. A store keeps its window. Two new sweeps get different windows if `chunk=`,
    or the number of points per device, is below a window's size, or if a slower machine needs many seconds per window.

    Args:
        measure_point: A function of `key` and the axes that returns a dict or NamedTuple of arrays, made by JAX
            operations. `described` adds units and dimension names.
        grid: `{axis: values, ...}` for the product of all axes, or a list of points `[{axis: value, ...}, ...]`.
            Floats and arrays are traced, in JAX's default precision. Texts, bools, whole numbers and functions are
            static: each combination that occurs is compiled once, and the shapes of outputs may depend on it. Shorter
            outputs are padded at their end with NaN (0 or False for dtypes without NaN), and the coordinate
            `<dimension>_length` gives the number of valid entries.
        key: A JAX random key, threefry by JAX's default. With another kind of key, each point is computed by itself,
            because its random numbers under vmap would depend on the neighbouring points.
        repeats: How many times each point is computed, each time with another key. `repeat` is the last grid dimension.
        store: Where to keep the sweep: a folder, a URL that fsspec knows, or a zarr store. The returned dataset then
            reads its values from there when they are used. Default: None, in memory.
        executor: An object with the protocol of `concurrent.futures.Executor`. Its workers compute and write the
            chunks; `measure_point` and the functions in the grid must be importable. Under `jax.distributed` none is
            needed. Default: None, which computes in this process.
        devices: How many local devices to use, or a list of them. Default: None, all of them. A CPU has one device per
            core only if `one_device_per_core()` was called before JAX started.
        chunk: About how many points to compute, write and record at once. Default: None, as many as take a few seconds.
        progress: Whether to show a progress bar.
        on_error: With "record", a point that raises gets status 3 and its message in `error`, and the sweep continues.
            With "raise", the sweep stops, also at an error that the store has already recorded. Running out of memory
            always stops it.
        on_version: What to do if the store was started with other versions and the program that JAX traces from
            `measure_point` now differs, so that a change of `measure_point` cannot be ruled out. "refuse" raises a
            ValueError. "accept" continues, and the store remembers it. If the program is the same, other versions only
            give a warning.

    Returns:
        An `xarray.Dataset` of all outputs, with the dimensions of the grid, then `repeat`, then those of each output.
        It also holds `error` (a text) and `status`: 1 for a point whose outputs are free of NaN, 2 if an output has a
        NaN, 3 if `measure_point` raised, and 0 if the point has not been computed yet.

    Cost:
        Time: O(points) calls of `measure_point`, a compilation for each combination of static values, and a few
        milliseconds per chunk, which is written while the next one is computed. Memory: the outputs of two chunks;
        without a store, all outputs.

    Example:
        >>> def measure_point(key, *, gain):
        ...     return {"doubled": 2 * gain}
        >>> found = rd.sweep(measure_point, {"gain": [0.5, 1.0]}, key=key, repeats=3, progress=False)
        >>> found.doubled.dims, found.doubled.sel(gain=1.0).values.tolist()
        (('gain', 'repeat'), [2.0, 2.0, 2.0])
    """
    from . import run

    options = run.Options(executor, devices, chunk, progress, on_error, on_version)
    return run.sweep(measure_point, grid, key=key, repeats=repeats, store=store, options=options)


def open_dataset(store: Any) -> "xarray.Dataset":
    """Open the dataset of a store, whether its sweep is finished or not.

    The values of the outputs are read when they are used. Coordinates that were lost or changed are restored from their
    copies in the store, with a warning. A store whose attributes or layout were changed is refused.

    Args:
        store: A folder, a URL that fsspec knows, or a zarr store.

    Returns:
        An `xarray.Dataset` as `sweep` returns it. Points that have not been computed yet have status 0.

    Cost:
        Time and memory: O(size of the coordinates).

    Example:
        >>> import tempfile
        >>> store = tempfile.mkdtemp() + "/edge.zarr"
        >>> options = {"key": key, "store": store, "progress": False}
        >>> _ = rd.sweep(lambda key, gain: {"doubled": 2 * gain}, {"gain": [0.5, 1.0]}, **options)
        >>> rd.sweeps.open_dataset(store).doubled.values.tolist()
        [[1.0], [2.0]]
    """
    from .address import resolve
    from .store import open_dataset as opened

    return opened(resolve(store))


def export(store: Any, path: Any) -> None:
    """Write the dataset of a store to a netCDF file.

    A complex output `a` is written as two variables, `a_real` and `a_imag`. Needs the extra `netcdf`.

    Args:
        store: A folder, a URL that fsspec knows, or a zarr store.
        path: The file to write. An existing file is replaced once the new one is complete.

    Cost:
        Time and memory: O(size of the dataset), which is read whole. A dataset larger than the machine's memory is
        refused.

    Example:
        >>> rd.sweeps.export("runs/edge.zarr", "edge.nc")  # doctest: +SKIP
    """
    from . import netcdf

    netcdf.export(store, path)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
