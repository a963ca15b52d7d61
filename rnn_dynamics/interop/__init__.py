"""Networks of other frameworks as cells of ours, verified against the original."""

from collections.abc import Callable

from .imported import Imported, MismatchError, Verification
from .pytorch import from_torch
from .weight_files import load

# the importers that take a flat dict of arrays or the path of a file of them, by the name of their framework
LAYOUTS: dict[str, Callable[..., Imported]] = {"torch": from_torch}

__all__ = [
    "LAYOUTS",
    "Imported",
    "MismatchError",
    "Verification",
    "from_torch",
    "load",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
