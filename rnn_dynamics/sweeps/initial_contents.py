"""Fill a new store: coordinates and their copies, empty arrays for outputs and records, attributes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr

from . import attribute_seal, coordinate_copies, expected_layout, grid_windows
from .coordinates import Coordinate
from .grid import Grid
from .outputs import Field
from .plan import Plan
from .status import MEANINGS, fill


def fill_new(
    group: zarr.Group,
    grid: Grid,
    plan: Plan,
    fields: Sequence[Field],
    coordinates: Sequence[Coordinate],
    attributes: dict[str, Any],
) -> None:
    """Fill the group of a new store with coordinates, arrays, records and attributes."""
    expected_layout.check_size(grid.shape, plan.window, plan.chunk)
    entries = [_add_coordinate(group, one) for one in coordinates]
    _add_outputs(group, grid, plan, fields)
    labels = " ".join(one.name for one in coordinates if one.name not in grid.dims)
    attributes = attributes | ({"coordinates": labels} if labels else {}) | {"coordinate_arrays": entries}
    attributes = attribute_seal.sealed(attributes)
    progress = group.create_group("progress", attributes=attributes)
    many = int(np.prod(grid_windows.counts(grid.shape, plan.chunk)))
    progress.create_array("record", shape=(many,), chunks=(1,), dtype=str, fill_value="")
    copies = progress.create_array("coordinates", shape=(len(entries),), chunks=(1,), dtype=str, fill_value="")
    for number, one in enumerate(coordinates):
        copies[number] = coordinate_copies.copy_of(one.values)
    consolidate(group)
    # last, since a group without these attributes does not count as a store
    zarr.open_group(group.store, mode="r+", zarr_format=3).attrs.put(attributes)


def consolidate(group: zarr.Group) -> None:
    """Gather the metadata of all arrays in one file, which is read when the store is opened."""
    with warnings.catch_warnings():  # xarray expects it, though it is not yet in the zarr v3 specification
        warnings.filterwarnings("ignore", message=".*onsolidated metadata")
        zarr.consolidate_metadata(group.store, zarr_format=3)


def _add_coordinate(group: zarr.Group, one: Coordinate) -> str:
    expected_layout.check_numbers(one.name, one.values.shape)
    array = group.create_array(
        one.name,
        shape=one.values.shape,
        chunks=expected_layout.one_chunk(one.values.shape),
        dtype=str if one.values.dtype == object else one.values.dtype,
        dimension_names=one.dims,
        attributes=one.attributes,
    )
    array[...] = one.values
    return coordinate_copies.entry(one.name, array, one.values)


def _add_outputs(group: zarr.Group, grid: Grid, plan: Plan, fields: Sequence[Field]) -> None:
    places = {"shape": grid.shape, "chunks": plan.chunk, "dimension_names": grid.dims}
    flags: dict[str, Any] = {"flag_values": [0, 1, 2, 3], "flag_meanings": MEANINGS, "long_name": "how the point ended"}
    group.create_array("status", dtype="int8", fill_value=0, attributes=flags, **places)  # type: ignore[arg-type]
    raised: dict[str, Any] = {"long_name": "what measure_point raised"}
    group.create_array("error", dtype=str, fill_value="", attributes=raised, **places)  # type: ignore[arg-type]
    for field in fields:
        group.create_array(
            field.name,
            shape=(*grid.shape, *field.shape),
            chunks=(*plan.chunk, *expected_layout.one_chunk(field.shape)),
            dtype=field.dtype,
            fill_value=fill(field.dtype),
            dimension_names=(*grid.dims, *field.dims),
            attributes=field.variable.attributes(field.name),
        )
