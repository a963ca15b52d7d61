"""The store of a sweep: a zarr v3 group that plain `xarray.open_zarr` reads, with a record for each finished chunk.

A chunk is finished when it has a record and its data match the digest in that record. The record is written after the
data. Files or values without a record do not count.
"""

import contextlib
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray
import zarr

from . import attribute_seal, coordinate_copies, expected_layout, grid_windows
from .address import Address, backend, reading, writing
from .grid_windows import Region, Shape
from .log import log
from .plain_files import PlainFiles

# marks a store under creation, on storage where, unlike a folder, it cannot be renamed into place
UNFINISHED = "unfinished_sweep"


class Store(NamedTuple):
    """An open store: its attributes, the arrays that a chunk fills, their common shape and chunks, and the records."""

    address: Address
    group: zarr.Group
    attributes: dict[str, Any]
    arrays: dict[str, Any]
    shape: Shape
    chunk: Shape
    records: Any

    def region(self, number: int) -> Region:
        """Return the region of the chunk of this number."""
        return grid_windows.region(self.shape, self.chunk, number)


def is_there(address: Address) -> bool:
    """Return whether there is a sweep's store at the address; raise if there is something else."""
    if isinstance(address, Path) and not _is_full_folder(address):
        return False
    group = _group(address)
    if not isinstance(address, Path) and (group is None or UNFINISHED in group.attrs):
        return False
    if group is None or not {"chunk_shape", "digest"} & {*group.attrs}:
        raise ValueError(f"store: got {address}, which holds something else; expected a new place or a sweep's store")
    return True


def _is_full_folder(address: Path) -> bool:
    """Return whether there is a non-empty folder; True too for a plain file, which the caller then refuses."""
    return address.exists() and (not address.is_dir() or any(address.iterdir()))


def check_is_there(address: Address) -> None:
    """Raise if the place holds nothing, or something other than a sweep's store."""
    if not is_there(address):
        raise FileNotFoundError(f"store: got {address}, where there is nothing; expected the store of a sweep")


def _group(address: Address) -> zarr.Group | None:
    with reading(address), contextlib.suppress(FileNotFoundError, NotADirectoryError, KeyError):
        return zarr.open_group(backend(address), mode="r", zarr_format=3)
    return None


def create(address: Address, fill: Callable[[zarr.Group], None]) -> bool:
    """Create a store with nothing computed yet; return False if another process has put its store there first.

    A folder appears whole: if two processes create it, one of them wins. Elsewhere an unfinished store is overwritten.
    """
    if not isinstance(address, Path):
        left = _group(address)
        again = left is not None and UNFINISHED in left.attrs
        fill(zarr.create_group(backend(address), zarr_format=3, overwrite=again, attributes={UNFINISHED: True}))
        return True
    with writing(address):
        new = address.with_name(f".{address.name}.new-{uuid.uuid4().hex}")
        try:
            fill(zarr.create_group(new, zarr_format=3))
            new.rename(address)
            return True
        except OSError:
            if not is_there(address):
                raise
            return False
        finally:
            shutil.rmtree(new, ignore_errors=True)


def open_store(address: Address, *, mode: str = "r+") -> Store:
    """Open the store at the address; raise if it is not as its sweep made it."""
    with reading(address):
        group: Any = zarr.open_group(backend(address), mode=mode, zarr_format=3)  # type: ignore[arg-type]
        attributes = dict(group.attrs)
        attribute_seal.check_seal(address, attributes, dict(group["progress"].attrs))
        expected_layout.check_layout(group, attributes)
        if isinstance(group.store, PlainFiles):
            group.store.most_unpacked = expected_layout.most_unpacked(group, attributes)
        names = [text.split(":")[0] for text in attributes["outputs"]]
        # zarr skips a chunk of fill values only, and takes any NaN for one, which would lose the bits of other NaNs
        arrays = {name: group[name].with_config({"write_empty_chunks": True}) for name in names}
        arrays |= {name: group[name] for name in ("status", "error")}
        chunk = tuple(attributes["chunk_shape"])
        return Store(address, group, attributes, arrays, arrays["status"].shape, chunk, group["progress/record"])


def open_dataset(address: Address) -> xarray.Dataset:
    """Open the dataset of a store, whose outputs are read when they are used, with its original coordinates."""
    check_is_there(address)
    store = open_store(address, mode="r")
    with reading(address):
        coordinates = coordinate_copies.kept(store.group, {})
        lost = {name: found.values for name, found in coordinates.items() if found.restored}
        warn_of(store, lost, "restored from its copy for this dataset")
        others = [name for name, _ in store.group.members() if name not in {*coordinates, *store.arrays, "progress"}]
        for name in others:  # foreign arrays, which might not even be readable
            log.warning("%s: %s is not part of the sweep and is left out", address, name)
        unread = [*lost, *others]
        found = xarray.open_zarr(store.group.store, chunks=None, decode_timedelta=False, drop_variables=unread)
        for name, values in lost.items():
            array: Any = store.group[name]
            found = found.assign_coords({name: (array.metadata.dimension_names, values, dict(array.attrs))})
        return found


def mend(store: Store, known: Mapping[str, np.ndarray]) -> None:
    """Rewrite coordinates that were lost or changed, from their copies or from the caller's `known` values."""
    with reading(store.address):
        lost = {
            name: found.values for name, found in coordinate_copies.kept(store.group, known).items() if found.restored
        }
    warn_of(store, lost, "restored")
    with writing(store.address):
        for name, values in lost.items():
            store.group[name][...] = values  # type: ignore[index]


def warn_of(store: Store, lost: Mapping[str, np.ndarray], what: str) -> None:
    """Log which coordinates of a store were lost."""
    for name in lost:
        log.warning("%s: the values of %s were lost or changed; %s", store.address, name, what)
