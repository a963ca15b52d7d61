"""Tasks for recurrent nets, one file each; the chance and solved levels are derived at the top of each file."""

from collections.abc import Callable

from ..task import Task
from .adding import adding
from .binary_addition import binary_addition
from .copy_memory import copy_memory
from .digits import digits
from .flip_flop import flip_flop
from .lorenz import lorenz
from .parity import delayed_xor, parity
from .temporal_order import temporal_order
from .temporal_xor import temporal_xor

# name -> maker, all of whose options have defaults; the contract test runs over this dictionary
TASKS: dict[str, Callable[..., Task]] = {
    "adding": adding,
    "binary_addition": binary_addition,
    "copy_memory": copy_memory,
    "delayed_xor": delayed_xor,
    "digits": digits,
    "flip_flop": flip_flop,
    "lorenz": lorenz,
    "parity": parity,
    "temporal_order": temporal_order,
    "temporal_xor": temporal_xor,
}

__all__ = ["TASKS", *TASKS]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
