"""The arguments of a sweep after they were checked."""

from typing import Any, NamedTuple

import jax

from .address import Address
from .grid import Grid
from .outputs import MeasurePoint
from .worker import Devices


class Options(NamedTuple):
    """How a sweep is computed."""

    executor: Any = None
    devices: Devices = None
    chunk: int | None = None
    progress: bool = True
    on_error: str = "record"
    on_version: str = "refuse"


class Sweep(NamedTuple):
    """What a sweep computes, and where it is kept."""

    measure_point: MeasurePoint
    grid: Grid
    key: jax.Array
    address: Address
