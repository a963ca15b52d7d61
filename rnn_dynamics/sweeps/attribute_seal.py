"""Protect the attributes of a store by a digest, and compare them with a second copy to name the ones that changed.

The attributes determine every point: the axes, the key, the settings, the window, the outputs, and the digest of each
coordinate's values. The few that may change later are outside the digest.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .address import Address
from .errors import StoreError

FORMAT = 2
OUTSIDE = ("digest", "wall_seconds", "accepted_programs")

Attributes = Mapping[str, Any]


def sealed(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes with their digest added."""
    return {**attributes, "digest": _digest(attributes)}


def check_seal(address: Address, attributes: Attributes, copy: Attributes) -> None:
    """Raise if the attributes are not those that the store was made with, and name the changed ones."""
    if attributes.get("format", copy.get("format")) != FORMAT:
        raise StoreError(
            f"store: {address} has format {_short(attributes.get('format'))}, expected {FORMAT}; another version of "
            f"rnn_dynamics wrote it ({_short(attributes.get('versions'))}). Use that version, or read the store with "
            "xarray.open_zarr"
        )
    if attributes.get("digest") == _digest(attributes):
        return
    names = [name for name in {**copy, **attributes} if name not in OUTSIDE]
    changed = [name for name in names if attributes.get(name) != copy.get(name)]
    what = "; ".join(f"{name} is {_short(attributes.get(name))} and was {_short(copy.get(name))}" for name in changed)
    raise StoreError(
        f"store: the attributes of {address} were changed after it was made: {what or 'their digest does not match'}; "
        "expected the original ones"
    )


def _digest(attributes: Attributes) -> str:
    inside = {name: value for name, value in attributes.items() if name not in OUTSIDE}
    return hashlib.blake2b(json.dumps(inside, sort_keys=True).encode(), digest_size=16).hexdigest()


def _short(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
