"""The kinks of a step: run its program with each relu, maximum, absolute value or `where` taken apart.

    max(u, v) = v + relu(u - v)        min(u, v) = v - relu(v - u)        |u| = 2 relu(u) - u
    min(max(u, a), b) = max(u, a) - relu(u - b),    max(min(u, b), a) = min(u, b) + relu(a - u)    for a <= b
    where(u > v, a, b) = b + k relu(u - v),    k = (a - b) / (u - v),    which must not depend on the state

The arguments z of these relus are collected, and their values can be given from outside. What is left of the step is
then linear in the state and in these values, or the step is not piecewise linear.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun
from jaxtyping import Array

INNER = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "checkpoint",
    "remat",
    "remat2",
    "custom_jvp_call",
    "custom_vjp_call",
)
RESHAPING = ("broadcast_in_dim", "reshape", "squeeze", "transpose", "copy")
COMPARISONS = {"gt": True, "ge": True, "lt": False, "le": False}


class Moved(NamedTuple):
    """A value that depends on the state.

    Attributes:
        value: The value.
        bounded: "max" or "min" if it is that of a state-dependent u and a constant.
        inner: That u.
    """

    value: Any
    bounded: str = ""
    inner: Any = None


class Comparison(NamedTuple):
    """Whether z > 0 (above), or z < 0, for a z that depends on the state."""

    z: Array
    above: bool


class Kinks:
    """The relus of one run: their arguments z, the slopes k of each `where`, and the values to use for relu(z)."""

    def __init__(self, values: Array | None = None, slopes: list[Array] | None = None) -> None:
        self.z: list[Array] = []
        self.slopes: list[Array] = []
        self._values, self._given, self._next = values, slopes, 0

    def relu(self, z: Array) -> Array:
        """Return relu(z), or the value given for it."""
        self.z.append(z)
        if self._values is None:
            return jnp.where(z <= 0, 0, z)
        value = self._values[self._next : self._next + z.size].reshape(z.shape)
        self._next += z.size
        return value

    def slope(self, difference: Array, z: Array) -> Array:
        """Return k = difference / z, or the one given for it."""
        found = jnp.where(z == 0, 0, difference / jnp.where(z == 0, 1, z))
        self.slopes.append(found if self._given is None else self._given[len(self.slopes)])
        return self.slopes[-1]


def run(program: ClosedJaxpr, arguments: list[Any], kinks: Kinks) -> list[Any]:
    """Run a program; arguments that depend on the state are `Moved`, and so is what is returned if it does."""
    jaxpr = program.jaxpr
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *arguments), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        found = _run_equation(jaxpr, equation, [read(atom) for atom in equation.invars], kinks)
        known.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _run_equation(jaxpr: Jaxpr, equation: JaxprEqn, inputs: list[Any], kinks: Kinks) -> list[Any]:
    name = equation.primitive.name
    if not any(isinstance(each, Moved | Comparison) for each in inputs):
        return _bound(jaxpr, equation, inputs)
    inner: Any = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    if name in INNER and inner is not None:
        return run(ClosedJaxpr(inner, []) if isinstance(inner, Jaxpr) else inner, inputs, kinks)
    if isinstance(inputs[0], Comparison):
        if name in RESHAPING:
            return [Comparison(_bound(jaxpr, equation, [inputs[0].z])[0], inputs[0].above)]
        if name == "select_n" and not any(isinstance(each, Comparison) for each in inputs[1:]):
            return [Moved(_chosen(inputs[0], _plain(inputs[1]), _plain(inputs[2]), kinks))]
    if any(isinstance(each, Comparison) for each in inputs):
        raise ValueError(f"step: compares states and uses the answer in {name!r}, expected it in where(u > v, a, b)")
    values = [_plain(each) for each in inputs]
    if name in COMPARISONS:
        return [Comparison(jnp.subtract(*values), COMPARISONS[name])]
    if name == "abs":
        return [Moved(2 * kinks.relu(values[0]) - values[0])]
    if name in ("max", "min"):
        return [_extremum(name, inputs, kinks)]
    return [Moved(value) for value in _bound(jaxpr, equation, values)]


def _extremum(name: str, inputs: list[Any], kinks: Kinks) -> Moved:
    """Return max(u, v) or min(u, v), clip included."""
    first, second = inputs if isinstance(inputs[0], Moved) else inputs[::-1]
    u, v, sign = first.value, _plain(second), 1 if name == "max" else -1
    if isinstance(second, Moved):
        return Moved(v + sign * kinks.relu(sign * (u - v)))
    if first.bounded and first.bounded != name:
        return Moved(u + sign * kinks.relu(sign * (v - first.inner)))
    return Moved(v + sign * kinks.relu(sign * (u - v)), name, u)


def _chosen(condition: Comparison, if_not: Array, if_so: Array, kinks: Kinks) -> Array:
    """Return where(condition, if_so, if_not), linear on both sides of the kink at z = 0."""
    below, above = (if_not, if_so) if condition.above else (if_so, if_not)
    return below + kinks.slope(above - below, condition.z) * kinks.relu(condition.z)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Moved) else value


def _bound(jaxpr: Jaxpr, equation: JaxprEqn, values: list[Any]) -> list[Any]:
    """Return the outputs of one equation, computed as it stands."""
    given = {atom: value for atom, value in zip(equation.invars, values, strict=True) if not isinstance(atom, Literal)}
    alone = jaxpr.replace(constvars=[], invars=list(given), outvars=equation.outvars, eqns=[equation])
    return jaxpr_as_fun(ClosedJaxpr(alone, []))(*given.values())
