"""The attributes of a store under a digest, with a second copy that says which of them was changed.

They decide what every point is: the axes, the key, the settings, the window, the outputs, and the digest of each
coordinate's values. A few may change while the store lives, and stand outside.
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
    """The attributes with their digest among them."""
    return {**attributes, "digest": _digest(attributes)}


def check_seal(address: Address, attributes: Attributes, copy: Attributes) -> None:
    """Refuse attributes that are not those that the store was made with, and say which were changed."""
    if attributes.get("format", copy.get("format")) != FORMAT:
        raise StoreError(
            f"store: {address} has format {_short(attributes.get('format'))}, expected {FORMAT}; another version of "
            f"rnn_dynamics wrote it ({_short(attributes.get('versions'))}). Use that one, or read the store by "
            "xarray.open_zarr"
        )
    if attributes.get("digest") == _digest(attributes):
        return
    names = [name for name in {**copy, **attributes} if name not in OUTSIDE]
    changed = [name for name in names if attributes.get(name) != copy.get(name)]
    what = "; ".join(f"{name} is {_short(attributes.get(name))} and was {_short(copy.get(name))}" for name in changed)
    raise StoreError(
        f"store: the attributes of {address} were changed after it was made: {what or 'their digest does not fit'}; "
        "put them back to go on with it"
    )


def _digest(attributes: Attributes) -> str:
    inside = {name: value for name, value in attributes.items() if name not in OUTSIDE}
    return hashlib.blake2b(json.dumps(inside, sort_keys=True).encode(), digest_size=16).hexdigest()


def _short(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
