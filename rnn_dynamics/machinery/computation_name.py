"""Name a computation: two traced programs with equal names compute the same from the same arguments.

    name = (equations with variables numbered in order, digests of arrays inside, the same for the derivatives)

`captured_arrays.py` uses the name to let two functions share one compiled program. A name that is too coarse would give
wrong results; one that is too fine only compiles once more.

A name is a nested tuple. Arrays that an inner program holds enter by their digest. Custom derivative rules are not part
of a traced program and may compute anything, so a program with such rules is differentiated, and the name of the
derivative is part of its own name. The rules of JAX and of this package's activations capture no arrays, so a program
with no other rules is not differentiated.
"""

import hashlib
import inspect
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

Name = Any

CUSTOM_RULES = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")
# parameters of custom rules that are new objects in every trace
_OF_A_TRACE = ("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd", "out_trees")
# custom rules in these files capture nothing
_TRUSTED = ("rnn_dynamics/cells/activations.py", "jax/_src/nn/functions.py", "jax/_src/numpy/", "jax/_src/lax/")
# the rule for vmap in this module captures nothing
_TRUSTED_VMAP = "rnn_dynamics.machinery.batch_decision"
# how many derivatives to take to find rules within rules: a measurement takes one, its gradient another
_ORDERS = 2


def name(program: ClosedJaxpr) -> Name | None:
    """Return the name of `program`, whose own constants count as arguments.

    Return None where a custom rule captures a traced array.
    """
    found = [_of_jaxpr(program.jaxpr)]
    at, known = program, set[Name]()
    for _ in range(_ORDERS):
        rules = set(_untrusted_rules(at.jaxpr))
        if rules <= known:
            break
        known |= rules
        at = _derivative(at)
        if any(isinstance(constant, jax.core.Tracer) for constant in at.consts):
            return None
        found.append((_of_jaxpr(at.jaxpr), *map(_digest, at.consts)))
    return tuple(found)


def with_constants_on_top(program: ClosedJaxpr) -> ClosedJaxpr:
    """Return `program` with the arrays that its inner jits hold moved to its own constants."""
    if not any(_holds_constants(equation) for equation in program.eqns):
        return program
    shapes = [
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype, weak_type=v.aval.weak_type) for v in program.jaxpr.invars
    ]
    return jax.make_jaxpr(lambda *args: _with_jits_inlined(program, args))(*shapes)


def _with_jits_inlined(program: ClosedJaxpr, args: Any) -> list[Any]:
    jaxpr = program.jaxpr
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *args), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if _holds_constants(equation):
            outputs = _with_jits_inlined(equation.params["jaxpr"], inputs)
        else:
            variables = [atom for atom in equation.invars if not isinstance(atom, Literal)]
            alone = jaxpr.replace(constvars=[], invars=variables, outvars=equation.outvars, eqns=[equation])
            outputs = jaxpr_as_fun(ClosedJaxpr(alone, []))(*(values[variable] for variable in variables))
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _holds_constants(equation: JaxprEqn) -> bool:
    """Return whether an equation is an inner jit that holds an array, directly or in a jit within it."""
    inner = equation.params.get("jaxpr")
    if equation.primitive.name not in ("jit", "pjit") or not isinstance(inner, ClosedJaxpr):
        return False
    return bool(inner.consts) or any(map(_holds_constants, inner.eqns))


def _of_jaxpr(jaxpr: Jaxpr) -> Name:
    numbers: dict[Any, int] = {}

    def number(variable: Any) -> int:
        return numbers.setdefault(variable, len(numbers))

    def atom(value: Any) -> Any:
        return _of_literal(value) if isinstance(value, Literal) else number(value)

    inputs = tuple((number(v), v.aval) for v in (*jaxpr.constvars, *jaxpr.invars))
    equations = tuple(
        (
            equation.primitive,
            tuple(map(atom, equation.invars)),
            tuple((number(v), v.aval) for v in equation.outvars),
            _of_params(equation),
        )
        for equation in jaxpr.eqns
    )
    return len(jaxpr.constvars), inputs, equations, tuple(map(atom, jaxpr.outvars))


def _of_params(equation: JaxprEqn) -> Name:
    params = equation.params
    if equation.primitive.name in CUSTOM_RULES:
        source = _source(equation)
        params = {key: value for key, value in params.items() if key not in _OF_A_TRACE} | {"source": source}
    rule: Any = params.get("rule")
    if getattr(rule, "__module__", "") == _TRUSTED_VMAP:  # each trace wraps the rule in a new object
        params = params | {"rule": inspect.unwrap(rule)}
    return tuple((key, _of_value(value)) for key, value in sorted(params.items()))


def _of_value(value: Any) -> Name:
    if isinstance(value, ClosedJaxpr):
        return (_of_jaxpr(value.jaxpr), *map(_digest, value.consts))
    if isinstance(value, Jaxpr):
        return _of_jaxpr(value)
    if isinstance(value, tuple | list):
        return (type(value), *map(_of_value, value))
    if isinstance(value, dict):
        return tuple((key, _of_value(each)) for key, each in value.items())
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _digest(value)
    if isinstance(value, int | float | complex):
        return type(value), repr(value)
    try:
        hash(value)
    except TypeError:
        return _Identity(value)
    return value


class _Identity:
    """A value that equals only itself. It holds the object, so that no other object can get the same id."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value


def _of_literal(literal: Literal) -> Name:
    value = literal.val
    return "literal", literal.aval, repr(value) if isinstance(value, bool | int | float | complex) else _digest(value)


def _digest(constant: Any) -> bytes:
    """Return a digest of the values of an array or of a random key."""
    typed = isinstance(constant, jax.Array) and jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key)
    plain = np.asarray(jax.random.key_data(constant) if typed else constant)
    return hashlib.blake2b(f"{plain.dtype}{plain.shape}".encode() + plain.tobytes(), digest_size=16).digest()


def _source(equation: JaxprEqn) -> str:
    """Return where the function with a custom rule was written, or "" if JAX does not know."""
    call = equation.params.get("call_jaxpr")
    return str(getattr(getattr(getattr(call, "jaxpr", None), "debug_info", None), "func_src_info", ""))


def _untrusted_rules(jaxpr: Jaxpr) -> Iterator[Name]:
    """Yield the names of the calls with custom rules that may capture arrays."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in CUSTOM_RULES and not any(file in _source(equation) for file in _TRUSTED):
            yield _of_value(equation.params["call_jaxpr"]), _source(equation)
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda value: isinstance(value, ClosedJaxpr | Jaxpr)):
            if isinstance(inner, ClosedJaxpr | Jaxpr):
                yield from _untrusted_rules(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)


def _derivative(program: ClosedJaxpr) -> ClosedJaxpr:
    """Trace the directional derivative of `program`, or the reverse-mode one where a rule has only that.

    Its constants are the arrays that the rules capture, because the constants of `program` itself are passed as
    arguments.
    """
    shapes = [
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in (*program.jaxpr.constvars, *program.jaxpr.invars)
    ]
    moving = [jnp.issubdtype(shape.dtype, jnp.inexact) for shape in shapes]
    count = len(program.jaxpr.constvars)

    def of_moving(fixed: list[Any], moved: list[Any]) -> list[Any]:
        of = {True: iter(moved), False: iter(fixed)}
        values = [next(of[moves]) for moves in moving]
        found = jaxpr_as_fun(ClosedJaxpr(program.jaxpr, values[:count]))(*values[count:])
        return [each for each in found if jnp.issubdtype(each.dtype, jnp.inexact)]

    fixed, moved = (
        [shape for shape, moves in zip(shapes, moving, strict=True) if moves is kind] for kind in (False, True)
    )

    def forward(fixed: Any, moved: Any, tangents: Any) -> Any:
        return jax.jvp(lambda moved: of_moving(fixed, moved), (moved,), (tangents,))

    def backward(fixed: Any, moved: Any) -> Any:
        found, pull = jax.vjp(lambda moved: of_moving(fixed, moved), moved)
        return pull(found)

    try:
        return jax.make_jaxpr(forward)(fixed, moved, moved)
    except TypeError:
        return jax.make_jaxpr(backward)(fixed, moved)
