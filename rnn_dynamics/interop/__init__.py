"""Networks of other frameworks as cells of ours, verified against the original."""

from collections.abc import Callable

from .equinox_cells import from_equinox, to_equinox
from .flax_cells import from_flax
from .flax_export import to_flax
from .haiku_cores import from_haiku, to_haiku
from .imported import Imported, MismatchError, Verification
from .keras_export import to_keras
from .keras_layers import from_keras
from .pytorch import from_torch
from .weight_files import load

# the importers that take a flat dict of arrays or the path of a file of them, by the name of their framework
LAYOUTS: dict[str, Callable[..., Imported]] = {
    "torch": from_torch,
    "flax": from_flax,
    "equinox": from_equinox,
    "haiku": from_haiku,
    "keras": from_keras,
}

__all__ = [
    "LAYOUTS",
    "Imported",
    "MismatchError",
    "Verification",
    "from_equinox",
    "from_flax",
    "from_haiku",
    "from_keras",
    "from_torch",
    "load",
    "to_equinox",
    "to_flax",
    "to_haiku",
    "to_keras",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
