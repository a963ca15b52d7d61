"""Where a sweep is kept: a zarr v3 group that plain `xarray.open_zarr` reads, and a record for each finished chunk.

A chunk is finished when its record is there and its data have the digest that the record names. The record is written
after the data. What a value or a file is, or whether there is one, decides nothing.
"""

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
from .address import Address, backend, writing
from .boxes import Region, Shape
from .coordinates import Coordinate
from .grid import Grid
from .outputs import Field
from .plan import Plan
from .status import MEANINGS, fill


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
    """Whether there is anything at the address; refused if it is something other than a finished sweep's store."""
    if isinstance(address, Path) and not (address.exists() and any(address.iterdir())):
        return False
    try:
        group = zarr.open_group(backend(address), mode="r", zarr_format=3)
    except (FileNotFoundError, KeyError):
        if not isinstance(address, Path):
            return False
        group = None
    if group is None or "chunk_shape" not in group.attrs:
        raise ValueError(f"store: got {address}, which holds something else; expected a new place or a sweep's")
    return True


def create(
    address: Address,
    grid: Grid,
    plan: Plan,
    fields: Sequence[Field],
    coordinates: Sequence[Coordinate],
    attributes: dict[str, Any],
) -> bool:
    """Make a store with nothing computed, and say whether it is this one that stands at the address now.

    A folder appears whole: of two processes that make it, one wins.
    """
    if not isinstance(address, Path):
        _fill_new(backend(address), grid, plan, fields, coordinates, attributes)
        return True
    with writing(address):
        new = address.with_name(f".{address.name}.new-{uuid.uuid4().hex}")
        try:
            _fill_new(new, grid, plan, fields, coordinates, attributes)
            new.rename(address)
            return True
        except OSError:
            if not is_there(address):
                raise
            return False
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _fill_new(
    target: Any,
    grid: Grid,
    plan: Plan,
    fields: Sequence[Field],
    coordinates: Sequence[Coordinate],
    attributes: dict[str, Any],
) -> None:
    group = zarr.create_group(target, zarr_format=3)
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
    group: Any = zarr.open_group(backend(address), mode=mode, zarr_format=3)  # type: ignore[arg-type]
    attributes = dict(group.attrs)
    names = [*(text.split(":")[0] for text in attributes["outputs"]), "status", "error"]
    arrays = {name: group[name] for name in names}
    chunk = tuple(attributes["chunk_shape"])
    return Store(address, group, attributes, arrays, arrays["status"].shape, chunk, group["progress/record"])


def open_dataset(address: Address) -> xarray.Dataset:
    """The dataset of a store, read when it is looked at."""
    return xarray.open_zarr(backend(address), chunks=None, decode_timedelta=False)
