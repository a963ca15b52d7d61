"""The systems of dysts, with equations that JAX can trace.

dysts writes its equations with NumPy. Here the text of its modules `flows` and `maps` is run once more with jax.numpy
in NumPy's place and with bare classes in the place of its own base classes. Nothing else of dysts is imported, so its
dependencies are not needed.
"""

import builtins
import importlib.util
import json
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MISSING = "known_systems needs the equations of dysts: pip install 'rnn_dynamics[bench]', or pip install dysts"
DATA = {"flows": "chaotic_attractors.json", "maps": "discrete_maps.json"}
Params = dict[str, Any]
# what a pencil finds: constant slopes of one size, and the conjugacy of cos(a arccos x) to a tent map
EXACT: dict[str, Callable[[Params], tuple[float, ...]]] = {
    "Baker": lambda p: (np.log(2), np.log(p["a"] / 2)),
    "Chebyshev": lambda p: (np.log(p["a"]),),
    "KaplanYorke": lambda p: (np.log(2), np.log(p["alpha"])),
    "Tent": lambda p: (np.log(2 * p["mu"]),),
}


class System(NamedTuple):
    """A flow or a map of dysts as published: its equations as a function of (parameters, state, time), and its data."""

    name: str
    equations: Callable[[Params, jax.Array, Any], jax.Array]
    params: Params
    initial: np.ndarray
    period: float | None  # None for a map
    spectrum: tuple[float, ...]  # published exponents per unit time; of a map the exact ones, where they are known
    dimension: float  # published Kaplan-Yorke dimension, NaN for a map
    forced: bool


class Bare:
    """Takes the place of the base classes of dysts: it only holds the parameters."""

    _rhs: Callable[..., Any]

    def __init__(self, params: Params):
        self.__dict__.update(params)
        self.values = [params[name] for name in sorted(params)]  # the order in which dysts passes them

    def rhs(self, X: Any, t: Any) -> Any:
        return self._rhs(*X, t, *self.values)


class BareMap(Bare):
    """The same for maps, whose equations know no time."""

    def rhs(self, X: Any, t: Any) -> Any:
        return self._rhs(*X, *self.values)


class Delayed(Bare):
    """Marks the systems with delay."""


class Written:
    """A JAX array for code that assigns to its elements."""

    def __init__(self, array: Any):
        self.array = jnp.zeros_like(array)

    def __setitem__(self, where: Any, value: Any) -> None:
        self.array = self.array.at[where].set(value)


def available() -> bool:
    """Return whether dysts is installed."""
    return importlib.util.find_spec("dysts") is not None


def classes(module: str, arrays: ModuleType = jnp, **instead: Callable[..., Any]) -> dict[str, type[Bare]]:
    """Run the text of `dysts.flows` or `dysts.maps` with `arrays` as its NumPy, and return the classes by name.

    Functions given by keyword take the place of NumPy's of that name.
    """
    if not available():
        raise SystemExit(MISSING)
    base = SimpleNamespace(DynSys=Bare, DynMap=BareMap, DynSysDelay=Delayed, staticjit=staticmethod)
    own = ({"zeros_like": Written} if arrays is jnp else {}) | instead
    stand_ins = {"numpy": SimpleNamespace(**{**vars(arrays), **own}), "base": base}

    def stand_in(name: str, *_: Any) -> Any:
        return stand_ins.get(name, SimpleNamespace(fsolve=None))  # BlinkingVortexMap, which is left out, needs SciPy

    text = resources.files("dysts").joinpath(f"{module}.py").read_text(encoding="utf-8")
    of_two = {"max": arrays.maximum, "min": arrays.minimum}  # Python's own would ask a traced number for its value
    space: dict[str, Any] = {"__name__": module, "__builtins__": vars(builtins) | {"__import__": stand_in} | of_two}
    exec(compile(text, f"dysts/{module}.py", "exec"), space)
    found = {name: item for name, item in space.items() if isinstance(item, type) and issubclass(item, Bare)}
    return {name: item for name, item in found.items() if item not in (Bare, BareMap, Delayed)}


def equations_of(of: type[Bare]) -> Callable[[Params, jax.Array, Any], jax.Array]:
    """Return f(params, X, t) of one class, as an array of the type of X."""

    def equations(params: Params, X: jax.Array, t: Any) -> jax.Array:
        found = of(params).rhs(X, t)
        if isinstance(found, Written):
            return found.array
        if isinstance(found, tuple):
            return jnp.stack([jnp.asarray(part, X.dtype) for part in found])
        return jnp.reshape(found, X.shape)

    return equations


@lru_cache
def read() -> tuple[dict[str, System], dict[str, str]]:
    """Read all systems of dysts; also return those left out, with the reason."""
    systems: dict[str, System] = {}
    left_out: dict[str, str] = {}
    for module, file in DATA.items():
        written = classes(module)
        data = json.loads(resources.files("dysts").joinpath("data", file).read_text(encoding="utf-8"))
        for name, entry in data.items():
            unique = f"{name} map" if module == "maps" and name in systems else name
            reason = why_left_out(name, written.get(name), entry)
            if reason:
                left_out[unique] = reason
            else:
                systems[unique] = system(unique, written[name], entry)
    for name in [name for name, each in systems.items() if each.period and uses_time(each)]:
        left_out[name] = "it depends on time, and time is not one of its variables"
        del systems[name]
    return systems, left_out


def system(name: str, of: type[Bare], entry: dict[str, Any]) -> System:
    """Return one system from its class and its entry of the data file."""
    params = {key: np.asarray(value, np.float64) for key, value in entry["parameters"].items()}
    known = () if "period" in entry or name not in EXACT else EXACT[name](params)
    return System(
        name=name,
        equations=equations_of(of),
        params=params,
        initial=np.asarray(entry["initial_conditions"], np.float64),
        period=entry.get("period"),
        spectrum=tuple(entry.get("lyapunov_spectrum_estimated") or known),
        dimension=entry.get("kaplan_yorke_dimension") or np.nan,
        forced=bool(entry.get("nonautonomous")),
    )


def why_left_out(name: str, of: type[Bare] | None, entry: dict[str, Any]) -> str:
    """Return why a system is not measured, or nothing."""
    if of is None:
        return "dysts has its parameters but not its equations"
    if issubclass(of, Delayed) or entry.get("delay"):
        return "it has a delay"
    if name == "BlinkingVortexMap":
        return "each step solves an equation with SciPy and changes the sign of a parameter, so it is not one map"
    return ""


def uses_time(of: System) -> bool:
    """Return whether the equations depend on the time that is given to them."""
    traced = jax.make_jaxpr(of.equations)(of.params, jnp.asarray(of.initial), 0.0).jaxpr
    return any(traced.invars[-1] in equation.invars for equation in traced.eqns if equation)
