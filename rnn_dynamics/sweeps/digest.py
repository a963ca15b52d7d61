"""A digest of labelled arrays: equal for equal names, shapes, types and bits."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def digest(data: Mapping[str, np.ndarray]) -> str:
    """The digest of some arrays by their names, whatever their order."""
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
    """Whether an array of this type holds texts, however NumPy keeps them."""
    return dtype.kind in "OTU"
