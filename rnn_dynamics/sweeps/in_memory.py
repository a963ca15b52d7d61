"""Load the dataset of a store into memory, or summarise its points. Only chunks with a record are read.

Zarr looks for the file of every chunk, which takes minutes for 10⁶ chunks even if none has been computed.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import xarray

from .address import reading, resolve
from .chunk_records import read_records
from .errors import StoreError
from .store import Store, open_dataset, open_store


class Summary(NamedTuple):
    """The number of points, and how many of them raised, had a NaN, or have not been computed yet."""

    points: int
    raised: int
    nan: int
    left: int


def summary(store: Any) -> Summary:
    """Count how the points of a store ended, from its records."""
    opened = open_store(resolve(store), mode="r")
    found = [record for record in read_records(opened) if record]
    points = int(np.prod(opened.shape, dtype=object))
    raised, nan, done = (sum(record[name] for record in found) for name in ("failed", "nan", "points"))
    return Summary(points, raised, nan, points - done)


def load_dataset(store: Any) -> xarray.Dataset:
    """Load the whole dataset of a store; raise if it is larger than the memory of this machine."""
    address = resolve(store)
    dataset = open_dataset(address)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if dataset.nbytes > memory:
        raise StoreError(
            f"store: {address} holds {dataset.nbytes / 2**30:.1f} GiB, expected at most the {memory / 2**30:.1f} GiB "
            "of memory here; open_dataset reads it in parts"
        )
    opened = open_store(address, mode="r")
    numbers = [number for number, record in enumerate(read_records(opened)) if record]
    with reading(address):
        return dataset.assign({name: _filled(opened, numbers, dataset[name]) for name in opened.arrays})


def _filled(store: Store, numbers: list[int], lazy: xarray.DataArray) -> xarray.Variable:
    """Return an output with the values that have been computed, and its fill value elsewhere."""
    array = store.arrays[str(lazy.name)]
    values = np.full(array.shape, array.fill_value, lazy.dtype)
    for number in numbers:
        values[store.region(number)] = array[store.region(number)]
    return xarray.Variable(lazy.dims, values, lazy.attrs)
