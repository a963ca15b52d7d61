"""Write and check chunks. A chunk is finished when it has a record and its data match the digest in that record."""

import json
import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import zarr

from . import grid_windows
from .address import Address, backend, writing
from .digest import digest
from .errors import StoreError
from .log import log
from .program import Arrays
from .store import Store

Record = dict[str, Any]


def write(store: Store, number: int, data: Arrays, record: Record) -> Record:
    """Write the data of a chunk, then its record."""
    region = store.region(number)
    with writing(store.address):
        for name, values in data.items():
            store.arrays[name][region] = values
        record = record | {"digest": digest(data)}
        store.records[number] = json.dumps(record)
    return record


def read_record(store: Store, number: int) -> Record | None:
    """Return the record of a chunk, or None if it has no readable one."""
    try:
        text = str(store.records[number])
        return _checked(json.loads(text), math.prod(grid_windows.sides(store.region(number)))) if text else None
    except StoreError:
        raise
    except Exception as error:
        log.warning("%s: the record of chunk %d cannot be read (%s)", store.address, number, error)
        return None


def read_records(store: Store) -> list[Record | None]:
    """Return the record of every chunk, with None for a chunk that has no readable one."""
    written = _written(store)
    return [read_record(store, number) if number in written else None for number in range(store.records.shape[0])]


def _written(store: Store) -> Collection[int]:
    """Return the numbers of the chunks that may have a record. In a folder, listing the files is the quick way."""
    if not isinstance(store.address, Path):
        return range(store.records.shape[0])
    try:
        names = os.listdir(store.address / "progress" / "record" / "c")
    except FileNotFoundError:
        return ()
    return {int(name) for name in names if name.isdecimal()}


def _checked(found: Any, points: int) -> Record:
    """Return the record as a dict, or raise if its counts or times make no sense for a chunk of this many points."""
    counts = [found[name] for name in ("points", "failed", "nan")]
    times = [found[name] for name in ("session", "finished")]
    if any(type(count) is not int or not 0 <= count <= points for count in counts) or counts[0] != points:
        raise ValueError(f"its counts of points, failed and nan are {counts}, expected {points} points")
    if not all(type(time) in (int, float) and math.isfinite(time) for time in times):
        raise ValueError(f"its times are {times}, expected finite numbers")
    return dict(found)


def verified(store: Store, number: int, record: Record) -> bool:
    """Return whether the data of a chunk match its record; if not, delete the record."""
    region = store.region(number)
    try:
        found = digest({name: array[region] for name, array in store.arrays.items()})
        fault = "" if found == record.get("digest") else "its data have changed since they were written"
    except StoreError:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        fault = f"its data cannot be read: {type(error).__name__}: {error}"
    if fault and read_record(store, number) != record:
        return True  # another process has just rewritten the chunk
    if fault:
        log.warning("%s: chunk %d is damaged and will be computed again; %s", store.address, number, fault)
        with writing(store.address):
            store.records[number] = ""
    return not fault


def note_wall_time(address: Address, records: Sequence[Record]) -> None:
    """Store the wall time of the sweep: the sum over sessions of the time from the start to the last chunk."""
    ends: dict[float, float] = {}
    for record in records:
        ends[record["session"]] = max(ends.get(record["session"], 0.0), record["finished"])
    with writing(address):
        group = zarr.open_group(backend(address), mode="r+", zarr_format=3)
        group.attrs["wall_seconds"] = round(sum(end - begun for begun, end in ends.items()), 3)
