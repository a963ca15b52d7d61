"""Which chunks are finished: those with a record, written after their data, and with the digest that it names."""

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr

from .address import Address, backend, writing
from .program import Arrays
from .store import Store

log = logging.getLogger("rnn_dynamics.sweep")

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
    """The record of a chunk, None if there is none that can be read."""
    try:
        text = str(store.records[number])
        return dict(json.loads(text)) if text else None
    except Exception as error:
        log.warning("%s: the record of chunk %d cannot be read (%s)", store.address, number, error)
        return None


def read_records(store: Store) -> list[Record | None]:
    """All records."""
    return [read_record(store, number) for number in range(store.records.shape[0])]


def verified(store: Store, number: int, record: Record) -> bool:
    """Whether the data of a chunk are those that its record was written for; if not, the record is taken back."""
    region = store.region(number)
    try:
        found = digest({name: array[region] for name, array in store.arrays.items()})
        fault = "" if found == record.get("digest") else "its data have changed since they were written"
    except Exception as error:  # whatever a decoder makes of a damaged file
        fault = f"its data cannot be read: {type(error).__name__}: {error}"
    if fault and read_record(store, number) != record:
        return True  # another process has just written it anew
    if fault:
        log.warning("%s: chunk %d is damaged and will be computed again; %s", store.address, number, fault)
        with writing(store.address):
            store.records[number] = ""
    return not fault


def digest(data: Arrays) -> str:
    """A digest of the arrays of a chunk."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(data):
        values = np.asarray(data[name])
        if values.dtype.kind in "OTU":
            found.update(json.dumps([name, values.shape, [str(text) for text in values.ravel()]]).encode())
        else:
            found.update(json.dumps([name, values.shape, values.dtype.str]).encode())
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def note_wall_time(address: Address, records: Sequence[Record]) -> None:
    """Keep in the store how long it took: each session from its start to its last chunk."""
    ends: dict[float, float] = {}
    for record in records:
        ends[record["session"]] = max(ends.get(record["session"], 0.0), record["finished"])
    with writing(address):
        group = zarr.open_group(backend(address), mode="r+", zarr_format=3)
        group.attrs["wall_seconds"] = round(sum(end - begun for begun, end in ends.items()), 3)
