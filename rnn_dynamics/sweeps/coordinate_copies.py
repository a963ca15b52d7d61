"""The values of a store's coordinates: each stands under a digest, and beside it as a copy from which it is restored.

They say what the points are. Zarr answers a lost file with its fill value, and so a lost axis with points at 0.
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

# bytes of the largest coordinate of which a copy is kept
COPIED = 2**24
COPIES = "progress/coordinates"


class Kept(NamedTuple):
    """The values of a coordinate, and whether they had to be restored."""

    values: np.ndarray
    restored: bool


def entry(name: str, array: Any, values: np.ndarray) -> str:
    """What the attributes say of a coordinate: its type, its dimensions and the digest of its values."""
    return f"{describe(name, array)} {digest({name: values})}"


def copy_of(values: np.ndarray) -> str:
    """The values as a text; empty if that would be too long."""
    if values.nbytes > COPIED:
        return ""
    return json.dumps(values.tolist()) if is_text(values.dtype) else base64.b64encode(values.tobytes()).decode()


def kept(group: zarr.Group, known: Mapping[str, np.ndarray]) -> dict[str, Kept]:
    """Every coordinate of a store, from its array, else its copy, else the values that the caller knows of."""
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
        except Exception:  # whatever a decoder makes of a damaged file
            continue
        if digest({name: values}) == wanted:
            return Kept(values, place > 0)
    raise StoreError(
        f"store: the values of {name} in {group.store} were lost or changed, and so was their copy; "
        "expected those that it was made with"
    )


def _copy(text: str, array: Any) -> np.ndarray:
    if is_text(array.dtype):
        return np.array(json.loads(text), object)
    return np.frombuffer(base64.b64decode(text), array.dtype).reshape(array.shape)
