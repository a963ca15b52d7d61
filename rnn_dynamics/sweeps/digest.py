"""Compute a digest of named arrays, which is equal if names, shapes, dtypes and bits are equal."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def digest(data: Mapping[str, np.ndarray]) -> str:
    """Return the digest of named arrays; their order does not matter."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(data):
        values = np.asarray(data[name])
        if is_text(values.dtype):
            found.update(json.dumps([name, values.shape, [str(text) for text in values.ravel()]]).encode())
        else:
            found.update(json.dumps([name, values.shape, values.dtype.str]).encode())
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def is_text(dtype: np.dtype) -> bool:
    """Return whether an array of this dtype holds texts, in any of NumPy's representations."""
    return dtype.kind in "OTU"
