"""Recurrent layers as frameworks store them, and the net of ours that they make.

A framework keeps the matrices of all gates in one block matrix, each in its own order; Flax keeps some of them apart.
Its reader turns them round and joins them to W (gates · n, n), U (gates · n, m) and b (gates · n,), and says the order
of the gates in letters: i, f, g, o for an LSTM, z (update), r (reset) and n (candidate) for a GRU.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.affine import Affine
from ..cells.contract import Cell, Input, Params, State
from ..cells.elman import make_elman
from ..cells.gru import GRUParams, make_gru
from ..cells.lstm import LSTMParams, lstm
from ..cells.stack import stack
from .arrays import checked_weights, parameter, precision_note
from .imported import Imported
from .verification import Run, compared_with_recorded, verified

LSTM_GATES = {"i": "input", "f": "forget", "g": "cell", "o": "output"}
GRU_GATES = {"z": "update", "r": "reset", "n": "candidate"}
GATES = {4: "LSTM", 3: "GRU", 1: "vanilla"}


class Layer(NamedTuple):
    """One layer of an imported net.

    Attributes:
        cell: The cell.
        params: Its parameters.
        kind: What it is, in the words of the source: "LSTM", "GRU", "vanilla RNN".
        inputs: The size of its input.
        units: The number of its units.
        dtype: That of its weights in the source.
        note: What else the source should say, such as "dropout as in inference".
    """

    cell: Cell
    params: Params
    kind: str
    inputs: int
    units: int
    dtype: Any
    note: str = ""


class Original(NamedTuple):
    """A live net: its layers and how to run it.

    Attributes:
        layers: What was read.
        run: The original as a function of a batch of our states and inputs, in its own precision.
        computes_in: The dtype that it computes in.
    """

    layers: list[Layer]
    run: Run
    computes_in: Any


def affine_maps(order: str, W: Any, U: Any, b: Any = None) -> dict[str, Affine]:
    """Cut the block matrices into one affine map for each letter of the order, in JAX's default precision."""
    W, U = checked_weights("recurrent weights", np.asarray(W)), checked_weights("input weights", np.asarray(U))
    gates, units = len(order), W.shape[-1]
    for name, array, columns in (("recurrent weights", W, units), ("input weights", U, U.shape[-1])):
        if array.ndim != 2 or array.shape[0] != gates * units or not units:
            raise ValueError(
                f"{name}: got shape {array.shape}, turned so that each row is that of a unit in a gate, expected "
                f"{(gates * units, columns)} for {gates} gates of {units} units"
            )
    parts: list[list[Any]] = [np.split(W, gates), np.split(U, gates), [None] * gates]
    if b is not None:
        b = checked_weights("bias", np.asarray(b))
        if b.shape != (gates * units,):
            raise ValueError(f"bias: got shape {b.shape}, expected {(gates * units,)}")
        parts[2] = np.split(b, gates)
    arrays = [[None if part is None else parameter(part) for part in of_all] for of_all in parts]
    return {letter: Affine(*maps) for letter, *maps in zip(order, *arrays, strict=True)}


def lstm_layer(W: Any, U: Any, b: Any, order: str, note: str = "") -> Layer:
    """Return an LSTM whose blocks are in this order of i, f, g and o."""
    maps = affine_maps(order, W, U, b)
    params = LSTMParams(**{LSTM_GATES[letter]: part for letter, part in maps.items()})
    return Layer(lstm, params, "LSTM", *_sizes(params.input), np.asarray(U).dtype, note)


def gru_layer(
    W: Any, U: Any, b: Any, c: Any, order: str, *, update: str = "keep", reset: str = "after", note: str = ""
) -> Layer:
    """Return a GRU whose blocks are in this order of z, r and n; c is the bias inside the reset product, or None."""
    maps = affine_maps(order, W, U, b)
    if c is not None:
        c = checked_weights("recurrent bias", np.asarray(c))
        if c.shape != maps["n"].W.shape[:1]:
            raise ValueError(f"recurrent bias: got shape {c.shape}, expected {maps['n'].W.shape[:1]}")
        c = parameter(c)
    params = GRUParams(**{GRU_GATES[letter]: part for letter, part in maps.items()}, recurrent_bias=c)
    return Layer(make_gru(update, reset), params, "GRU", *_sizes(params.update), np.asarray(U).dtype, note)


def vanilla_layer(W: Any, U: Any, b: Any, activation: str | Callable[..., Any], note: str = "") -> Layer:
    """Return an Elman net with this activation."""
    params = affine_maps("h", W, U, b)["h"]
    return Layer(make_elman(activation), params, "vanilla RNN", *_sizes(params), np.asarray(U).dtype, note)


def _sizes(part: Affine) -> tuple[int, int]:
    units, inputs = part.U.shape
    return inputs, units


def gates_of(W: Any) -> int:
    """Return how many gates a recurrent block matrix holds: 4, 3 or 1."""
    shape = np.shape(W)
    gates = shape[0] // max(shape[1], 1) if len(shape) == 2 else 0
    if gates not in GATES or shape != (gates * shape[1], shape[1]):
        raise ValueError(
            f"recurrent weights: got shape {shape}, turned so that each row is that of a unit in a gate, expected a "
            "square for each of 4 gates (LSTM), 3 (GRU) or 1 (vanilla)"
        )
    return gates


def cell_and_params(layers: Sequence[Layer]) -> tuple[Cell, Params]:
    """Return the one layer's cell and parameters, or those of a stack; the sizes of the layers must fit."""
    if not layers:
        raise ValueError("got no layers, expected one or more")
    for number, (below, above) in enumerate(itertools.pairwise(layers), 1):
        if above.inputs != below.units:
            raise ValueError(
                f"layer {number}, counted from 0, takes {above.inputs} inputs, but layer {number - 1} has "
                f"{below.units} units; expected a plain chain, given from the input on"
            )
    if len(layers) == 1:
        return layers[0].cell, layers[0].params
    return stack(*(layer.cell for layer in layers)), tuple(layer.params for layer in layers)


def source_of(framework: str, layers: Sequence[Layer], of: str = "") -> str:
    """Say what was read, such as "Flax LSTM, 2 layers, 128 units"."""
    kinds = {(layer.kind, layer.units) for layer in layers}
    if len(kinds) == 1:
        (kind, units), *_ = kinds
        text = kind + (f", {len(layers)} layers" if len(layers) > 1 else "") + f", {units} units"
    else:
        text = " + ".join(f"{layer.kind} of {layer.units} units" for layer in layers)
    precisions = (note for layer in layers for note in precision_note(layer.dtype))
    notes = dict.fromkeys(note for note in (*(layer.note for layer in layers), *precisions, of) if note)
    return ", ".join([f"{framework} {text}", *notes])


def from_original(
    framework: str, original: Original, recorded: Any = None, of: str = "", *, verify: bool = True
) -> Imported:
    """Return the import of a live net, compared with it if `verify`, and with what was recorded too."""
    cell, params = cell_and_params(original.layers)
    source = source_of(framework, original.layers, of)
    imported = compared_with_recorded(cell, params, source, recorded, eps=precision_of(original))
    return verified_beside(cell, params, source, original) if verify else imported


def verified_beside(cell: Cell, params: Params, source: str, original: Original) -> Imported:
    """Compare a net of ours with a live one, which gets states and inputs in its own precision."""
    dtype = original.computes_in if jnp.finfo(original.computes_in).bits > 16 else np.float32

    def run(states: State, xs: Input) -> Any:
        with defaults_of_jax():
            return original.run(*jax.tree.map(lambda leaf: np.asarray(leaf, dtype), (states, xs)))

    eps = precision_of(original)
    return verified(cell, params, source, run, inputs=original.layers[0].inputs, eps=eps)


def precision_of(original: Original) -> float:
    """Return eps of the dtype that the original computes in."""
    return float(jnp.finfo(original.computes_in).eps)


def from_arrays(framework: str, layers: Sequence[Layer], recorded: Any = None, of: str = "") -> Imported:
    """Return the import of arrays, compared with what was recorded, if anything was."""
    cell, params = cell_and_params(layers)
    eps = max(float(jnp.finfo(layer.dtype).eps) for layer in layers)
    return compared_with_recorded(cell, params, source_of(framework, layers, of), recorded, eps=eps)


def chain(originals: Sequence[Original]) -> Original:
    """Join live nets, each of which takes the outputs of the one before."""
    counts = [len(original.layers) for original in originals]

    def run(states: State, xs: Input) -> Any:
        states = states if sum(counts) > 1 else (states,)
        start = 0
        for original, count in zip(originals, counts, strict=True):
            own = states[start : start + count]
            xs = np.asarray(original.run(own if count > 1 else own[0], xs))
            start += count
        return xs

    layers = [layer for original in originals for layer in original.layers]
    coarsest = max(originals, key=precision_of)
    return Original(layers, run, coarsest.computes_in)


@contextmanager
def defaults_of_jax() -> Iterator[None]:
    """Let a foreign module broadcast and promote as it was written to; products in full float32 on accelerators."""
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.default_matmul_precision("highest"),
    ):
        yield


def over_time(advance: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any) -> Any:
    """Scan over time inputs of shape (batch, time, inputs) and return the outputs, (batch, time, units)."""
    return jnp.swapaxes(jax.lax.scan(advance, carry, jnp.swapaxes(xs, 0, 1))[1], 0, 1)


def summed(*biases: Any) -> np.ndarray:
    """Add biases in float64, so that the sum is rounded once."""
    return np.sum([np.asarray(one, np.float64) for one in biases], axis=0)


def belongs_to(framework: str, thing: Any) -> bool:
    """Return whether the object or one of its bases was defined by this package, without importing it."""
    return any(base.__module__.split(".")[0] == framework for base in type(thing).__mro__)


def natural(name: str) -> list[Any]:
    """Order names so that "lstm_2" comes before "lstm_10", and "lstm" before both."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
