"""Describe the arrays of a dataset where `measure_point` is defined: units, a description, names of dimensions."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

# xarray would decode numbers in these units as time spans
DURATIONS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")


class Variable(NamedTuple):
    """The description of one output or argument of `measure_point`, as `described` takes it.

    Attributes:
        units: The units, such as "nats per step"; "1" for a pure number.
        description: A few words, which become the `long_name` of the array. Default: its name.
        dims: The names of an output's own dimensions, in order. Default: `<name>_dim0`, `<name>_dim1`, …

    Example:
        >>> rd.sweeps.Variable("nats per step", "Lyapunov exponents", dims=("index",)).units
        'nats per step'
    """

    units: str
    description: str = ""
    dims: tuple[str, ...] = ()

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes that are stored with the array of this name."""
        return ({"units": self.units} if self.units else {}) | {"long_name": self.description or name}


def described(**variables: Variable) -> Callable[[Function], Function]:
    """Attach units, descriptions and dimension names to the outputs and arguments of `measure_point`.

    `sweep` writes them to the attributes of the dataset. They change no numbers.

    Args:
        **variables: A `Variable` for each output or argument of `measure_point` that you want to describe, by its name.

    Returns:
        A decorator that stores the descriptions in `measure_point.variables` and returns `measure_point` itself.

    Raises:
        ValueError: xarray would decode numbers in these units as times, such as "seconds" or "days since 2000-01-01".

    Example:
        >>> @rd.sweeps.described(doubled=rd.sweeps.Variable("1", "twice the gain"))
        ... def measure_point(key, *, gain):
        ...     return {"doubled": 2 * gain}
        >>> rd.sweep(measure_point, {"gain": [0.5]}, key=key, progress=False).doubled.attrs
        {'units': '1', 'long_name': 'twice the gain'}
    """
    for name, variable in variables.items():
        if not isinstance(variable, Variable):
            raise TypeError(f"{name}: got {variable!r}, expected a Variable(units, description, dims)")
        if variable.units in DURATIONS:
            raise ValueError(
                f"{name}: got units {variable.units!r}, which xarray turns into spans of time; "
                "expected a symbol such as 's'"
            )
        if "since" in variable.units:
            raise ValueError(
                f"{name}: got units {variable.units!r}, which xarray takes for a date; expected units without 'since'"
            )

    def decorate(measure_point: Function) -> Function:
        measure_point.variables = variables  # type: ignore[attr-defined]
        return measure_point

    return decorate


def variables_of(measure_point: Callable[..., Any]) -> dict[str, Variable]:
    """Return the descriptions that `described` attached to `measure_point`."""
    return getattr(measure_point, "variables", {})
