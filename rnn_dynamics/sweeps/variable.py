"""What a number in the dataset is: units, a description and the names of its dimensions, said beside `measure`."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

# xarray would read numbers in these units as spans of time
DURATIONS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")


class Variable(NamedTuple):
    """Units ("1" for a pure number), a description, and the names of an output's dimensions, in order."""

    units: str
    description: str = ""
    dims: tuple[str, ...] = ()

    def attributes(self, name: str) -> dict[str, Any]:
        """What is written beside the array of that name."""
        return ({"units": self.units} if self.units else {}) | {"long_name": self.description or name}


def described(**variables: Variable) -> Callable[[Function], Function]:
    """A decorator that says what the outputs and the arguments of `measure` are.

    @described(exponents=Variable("nats per step", "Lyapunov exponents", dims=("index",)), gain=Variable("1"))
    def measure(key, *, gain): ...
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
                f"{name}: got units {variable.units!r}, which xarray takes for a date; expected no 'since'"
            )

    def decorate(measure: Function) -> Function:
        measure.variables = variables  # type: ignore[attr-defined]
        return measure

    return decorate


def variables_of(measure: Callable[..., Any]) -> dict[str, Variable]:
    """What `described` said of it."""
    return getattr(measure, "variables", {})
