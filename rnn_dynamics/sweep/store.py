"""Where a sweep is kept: a zarr v3 group that plain `xarray.open_zarr` reads, and a record for each finished chunk.

A chunk is finished when its record is there and its data have the digest that the record names. The record is written
after the data. What a value or a file is, or whether there is one, decides nothing.
"""

import contextlib
import shutil
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray
import zarr

from . import boxes
from .address import Address, backend, reading, writing
from .boxes import Region, Shape
from .coordinates import Coordinate
from .grid import Grid
from .outputs import Field
from .plan import Plan
from .status import MEANINGS, fill

# an attribute of a store that is being made, where it cannot appear whole
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
        """Where the chunk of that number lies."""
        return boxes.region(self.shape, self.chunk, number)


def is_there(address: Address) -> bool:
    """Whether there is a sweep's store at the address; refused if there is something else."""
    if isinstance(address, Path) and not address.is_file() and not (address.exists() and any(address.iterdir())):
        return False
    group = _group(address)
    if not isinstance(address, Path) and (group is None or UNFINISHED in group.attrs):
        return False
    if group is None or "chunk_shape" not in group.attrs:
        raise ValueError(f"store: got {address}, which holds something else; expected a new place or a sweep's")
    return True


def check_is_there(address: Address) -> None:
    """Refuse a place that holds nothing, or something other than a sweep's store."""
    if not is_there(address):
        raise FileNotFoundError(f"store: got {address}, where there is nothing; expected the store of a sweep")


def _group(address: Address) -> zarr.Group | None:
    with reading(address), contextlib.suppress(FileNotFoundError, NotADirectoryError, KeyError):
        return zarr.open_group(backend(address), mode="r", zarr_format=3)
    return None


def create(
    address: Address,
    grid: Grid,
    plan: Plan,
    fields: Sequence[Field],
    coordinates: Sequence[Coordinate],
    attributes: dict[str, Any],
) -> bool:
    """Make a store with nothing computed, and say whether it is this one that stands at the address now.

    A folder appears whole: of two processes that make it, one wins. Elsewhere what was left unfinished is made anew.
    """
    if not isinstance(address, Path):
        left = _group(address)
        again = left is not None and UNFINISHED in left.attrs
        group = zarr.create_group(backend(address), zarr_format=3, overwrite=again, attributes={UNFINISHED: True})
        _fill_new(group, grid, plan, fields, coordinates, attributes)
        return True
    with writing(address):
        new = address.with_name(f".{address.name}.new-{uuid.uuid4().hex}")
        try:
            _fill_new(zarr.create_group(new, zarr_format=3), grid, plan, fields, coordinates, attributes)
            new.rename(address)
            return True
        except OSError:
            if not is_there(address):
                raise
            return False
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _fill_new(
    group: zarr.Group,
    grid: Grid,
    plan: Plan,
    fields: Sequence[Field],
    coordinates: Sequence[Coordinate],
    attributes: dict[str, Any],
) -> None:
    for one in coordinates:
        text = one.values.dtype == object
        array = group.create_array(
            one.name,
            shape=one.values.shape,
            dtype=str if text else one.values.dtype,
            dimension_names=one.dims,
            attributes=one.attributes,
        )
        array[...] = one.values
    places = {"shape": grid.shape, "chunks": plan.chunk, "dimension_names": grid.dims}
    flags: dict[str, Any] = {"flag_values": [0, 1, 2, 3], "flag_meanings": MEANINGS, "long_name": "how the point ended"}
    group.create_array("status", dtype="int8", fill_value=0, attributes=flags, **places)  # type: ignore[arg-type]
    raised: dict[str, Any] = {"long_name": "what measure raised"}
    group.create_array("error", dtype=str, fill_value="", attributes=raised, **places)  # type: ignore[arg-type]
    for field in fields:
        units: dict[str, Any] = {"units": field.variable.units} if field.variable.units else {}
        group.create_array(
            field.name,
            shape=(*grid.shape, *field.shape),
            chunks=(*plan.chunk, *(max(1, length) for length in field.shape)),
            dtype=field.dtype,
            fill_value=fill(field.dtype),
            dimension_names=(*grid.dims, *field.dims),
            attributes=units | {"long_name": field.variable.description or field.name},
        )
    many = int(np.prod(boxes.counts(grid.shape, plan.chunk)))
    progress = group.create_group("progress")
    progress.create_array("record", shape=(many,), chunks=(1,), dtype=str, fill_value="")
    with warnings.catch_warnings():  # xarray wants it, though the specification does not have it yet
        warnings.filterwarnings("ignore", message=".*onsolidated metadata")
        group = zarr.consolidate_metadata(group.store, zarr_format=3)
    indices = {*grid.dims}
    labels = " ".join(one.name for one in coordinates if one.name not in indices)
    # last, since a store without these does not count as one
    group.attrs.put(attributes | ({"coordinates": labels} if labels else {}))


def open_store(address: Address, *, mode: str = "r+") -> Store:
    """The store at the address."""
    with reading(address):
        group: Any = zarr.open_group(backend(address), mode=mode, zarr_format=3)  # type: ignore[arg-type]
        attributes = dict(group.attrs)
        names = [text.split(":")[0] for text in attributes["outputs"]]
        # of NaN there are many, which zarr would drop for the one that fills the array if a chunk has no other number
        arrays = {name: group[name].with_config({"write_empty_chunks": True}) for name in names}
        arrays |= {name: group[name] for name in ("status", "error")}
        chunk = tuple(attributes["chunk_shape"])
        return Store(address, group, attributes, arrays, arrays["status"].shape, chunk, group["progress/record"])


def open_dataset(address: Address) -> xarray.Dataset:
    """The dataset of a store, read when it is looked at."""
    check_is_there(address)
    with reading(address):
        return xarray.open_zarr(backend(address), chunks=None, decode_timedelta=False)
