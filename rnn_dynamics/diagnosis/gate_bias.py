"""Set the biases of the gates that keep a state, wherever in a tree the parameters of a gated cell are found."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from ..cells import Affine, GRUParams, LSTMParams, OneGateParams, ProjectedAffine, ProjectedLSTMParams
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.state_vector import flatten
from .batch import traced_step

# the gate that keeps the state, by the kind of parameters
LSTMS = (LSTMParams, ProjectedLSTMParams)
KEEPS: dict[type, str] = {**dict.fromkeys(LSTMS, "forget"), GRUParams: "update", OneGateParams: "forget"}
# σ of it is 0 or 1 to rounding, in float32 too
WIDE_OPEN = 30.0


class Gated(NamedTuple):
    """A layer with a gate that keeps its state.

    place   where it is among the gated layers of the parameters
    gate    the name of the gate
    sign    +1 if a large bias of the gate keeps the state, -1 if a small one does
    writes  whether there is an input gate besides it, as in an LSTM
    """

    place: int
    gate: str
    sign: int
    writes: bool


def _is_gated(node: Any) -> bool:
    return type(node) in KEEPS


def gated_layers(step: Step, params: Params, h0: State, xs: Input) -> list[Gated]:
    """Return the layers that have a gate which keeps their state; xs has leading axes (sequences, T)."""
    traced = traced_step(step, params, h0, xs)
    x = jax.tree.map(lambda leaf: leaf[0, 0], xs)
    found = []
    for place, node in enumerate(_nodes(params)):
        # of an LSTM, c changes even where it keeps everything
        is_lstm = type(node) in LSTMS
        sign = 1 if is_lstm else keeping_sign(traced, params, h0, x, place)
        if sign:
            found.append(Gated(place, KEEPS[type(node)], sign, is_lstm))
    return found


def keeping_sign(step: Traced, params: Params, h0: State, x: Input, place: int) -> int:
    """Return the sign of a large bias with which a gate keeps the state, found by trying both; 0 if neither does.

    The parameters do not tell: a GRU's update gate keeps in one convention and replaces in the other.
    """
    plus, minus = (
        int(_kept(step, with_gate_bias(params, place, jnp.full, WIDE_OPEN, sign=sign), h0, x)) for sign in (1, -1)
    )
    units = len(_gate(_nodes(params)[place]).W)
    if max(plus, minus) < units or plus == minus:
        return 0
    return 1 if plus > minus else -1


@entry.compiled()
def _kept(step: Step, params: Params, h0: State, x: Input) -> Int[Array, ""]:
    """Return how many numbers of some state a step leaves as they are."""
    vector, unflatten = flatten(h0)
    before = jnp.cos(jnp.arange(1, vector.size + 1, dtype=vector.dtype)) / 2
    return jnp.sum(jnp.abs(flatten(step(params, unflatten(before), x))[0] - before) < 1e-4)


def _nodes(params: Params) -> list[Any]:
    return [node for node in jax.tree.leaves(params, is_leaf=_is_gated) if _is_gated(node)]


def _gate(node: Any) -> Affine | ProjectedAffine:
    return getattr(node, KEEPS[type(node)])


def with_gate_bias(
    params: Params, place: int, fill: Callable[..., Any], value: float, *, sign: int = 1, inputs: bool = False
) -> Params:
    """Return the parameters with the bias of one gate set to `sign` times `fill(shape, value, dtype)`.

    Args:
        params: Any pytree that holds parameters of gated cells.
        place: Which of them.
        fill: Makes an array of a shape and dtype from `value`.
        value: The value.
        sign: The sign with which the gate keeps the state.
        inputs: Whether the input gate of an LSTM gets the opposite bias.
    """
    seen = itertools.count()

    def changed(node: Any) -> Any:
        if not _is_gated(node) or next(seen) != place:
            return node
        gate = _gate(node)
        bias = jnp.asarray(sign * fill(gate.W.shape[:1], value, gate.W.dtype), gate.W.dtype)
        node = node._replace(**{KEEPS[type(node)]: gate._replace(b=bias)})
        if inputs and isinstance(node, LSTMS):
            write: Any = node.input._replace(b=-bias)
            node = node._replace(input=write)
        return node

    return jax.tree.map(changed, params, is_leaf=_is_gated)


def time_constants(shape: tuple[int, ...], longest: float, dtype: Any) -> Float[Array, " n"]:
    """Return biases as chrono initialisation draws them, ln U(1, longest - 1), at evenly spaced quantiles."""
    places = (np.arange(shape[0]) + 0.5) / shape[0]
    return jnp.asarray(np.log(1 + (longest - 2) * places), dtype)


def time_scales(shape: tuple[int, ...], longest: float, dtype: Any) -> Float[Array, " n"]:
    """Return biases U(0, ln(longest - 1)), at evenly spaced quantiles: as many units for each factor of time."""
    places = (np.arange(shape[0]) + 0.5) / shape[0]
    return jnp.asarray(math.log(longest - 1) * places, dtype)


def gate_bias(params: Params, place: int) -> NDArray:
    """Return the bias of the gate that keeps the state of this gated layer; zeros where there is none."""
    gate = _gate(_nodes(params)[place])
    return np.zeros(len(gate.W)) if gate.b is None else np.asarray(gate.b)
