"""What a probe is: a measurement of a net at moments of its training."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .moment import Moment


class Probe(NamedTuple):
    """A measurement with its labels.

    measure      `measure(moment) -> array` or a dict of arrays, by JAX operations
    units        "1" for a pure number
    description  what it is
    dims         the names of the dimensions of what is returned
    """

    measure: Callable[[Moment], Any]
    units: str = "1"
    description: str = ""
    dims: tuple[str, ...] = ()


def as_probe(name: str, value: Any) -> Probe:
    """A probe, or a plain function as one without labels."""
    if not callable(getattr(value, "measure", value)):
        raise TypeError(f"probes: got {value!r} for {name!r}, expected a Probe or a function of a Moment")
    return value if isinstance(value, Probe) else Probe(value)
