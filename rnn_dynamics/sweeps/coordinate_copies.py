"""Check the values of a store's coordinates against their digests, and restore lost ones from a copy in the store.

Coordinates define the points. Zarr reads a lost file as its fill value, so a lost axis would look like points at 0.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import zarr

from .digest import digest, is_text
from .errors import StoreError
from .expected_layout import describe

# the largest coordinate, in bytes, that is copied
COPIED = 2**24
COPIES = "progress/coordinates"


class Kept(NamedTuple):
    """The values of a coordinate, and whether they were restored."""

    values: np.ndarray
    restored: bool


def entry(name: str, array: Any, values: np.ndarray) -> str:
    """Return the entry of a coordinate in the attributes: its type, its dimensions and the digest of its values."""
    return f"{describe(name, array)} {digest({name: values})}"


def copy_of(values: np.ndarray) -> str:
    """Return the values as a text, or an empty text if they exceed COPIED bytes, or twice that when written out."""
    if values.nbytes > COPIED:
        return ""
    text = json.dumps(values.tolist()) if is_text(values.dtype) else base64.b64encode(values.tobytes()).decode()
    return text if len(text) <= 2 * COPIED else ""


def kept(group: zarr.Group, known: Mapping[str, np.ndarray]) -> dict[str, Kept]:
    """Return every coordinate of a store: from its array, else from its copy, else from the caller's `known` values."""
    entries: Any = group.attrs["coordinate_arrays"]
    return {text.split(":")[0]: _kept(group, text, number, known) for number, text in enumerate(entries)}


def _kept(group: Any, text: str, number: int, known: Mapping[str, np.ndarray]) -> Kept:
    name, wanted = text.split(":")[0], text.rpartition(" ")[2]
    array = group[name]
    readers = (
        lambda: np.asarray(array[...]),
        lambda: _copy(str(group[COPIES][number]), array),
        lambda: known[name],
    )
    for place, read in enumerate(readers):
        try:
            values = read()
        except StoreError:
            raise
        except Exception:  # a decoder may raise anything on a damaged file
            continue
        if digest({name: values}) == wanted:
            return Kept(values, place > 0)
    raise StoreError(
        f"store: the values of {name} in {group.store} were lost or changed, and so was their copy; "
        "expected the original values"
    )


def _copy(text: str, array: Any) -> np.ndarray:
    if is_text(array.dtype):
        return np.array(json.loads(text), object)
    return np.frombuffer(base64.b64decode(text), array.dtype).reshape(array.shape)
