"""The contract of a probe: a measurement of a net at moments of its training."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .moment import Moment


class Probe(NamedTuple):
    """A measurement with its labels, for `fit` and `dataset`.

    Attributes:
        function: `function(moment) -> array`, or a dict of arrays, computed by JAX operations.
        units: The units of the result; "1" for a pure number.
        description: What the result is, in words.
        dims: The names of the dimensions of the result.

    Example:
        >>> def size(moment):
        ...     return jnp.sum(moment.net.readout.V ** 2)
        >>> rd.train.Probe(size, "1", "squared norm of the readout").description
        'squared norm of the readout'
    """

    function: Callable[[Moment], Any]
    units: str = "1"
    description: str = ""
    dims: tuple[str, ...] = ()


def as_probe(name: str, value: Any) -> Probe:
    """Return a Probe: the value itself, or a probe without labels if it is a plain function."""
    if not callable(getattr(value, "function", value)):
        raise TypeError(f"probes: got {value!r} for {name!r}, expected a Probe or a function of a Moment")
    return value if isinstance(value, Probe) else Probe(value)
