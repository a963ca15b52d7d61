"""PyTorch's names of weights, and which of them make a net.

    weight_ih_l0  (gates · n, m)    weight_hh_l0  (gates · n, n)    bias_ih_l0, bias_hh_l0  (gates · n,)
    weight_hr_l0  (p, n), the projection; weight_hh then has p columns

The gates lie below each other: i, f, g, o in an LSTM, r, z, n in a GRU. `_l1` is the next layer, `_reverse` the
direction from the end of a sequence; cells such as `nn.LSTMCell` have neither.
"""

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from numpy.typing import NDArray

from .arrays import checked_weights, precision, precision_note
from .weight_files import MOST_LAYERS, shown

KINDS = {1: "RNN", 3: "GRU", 4: "LSTM"}
ACTIVATIONS = ("tanh", "relu")
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
NAME = re.compile(
    rf"(?P<prefix>.*?)(?P<part>{'|'.join(PARTS)})(_l(?P<layer>\d{{1,4}})(?P<reverse>_reverse)?)?", re.DOTALL
)


class Layer(NamedTuple):
    """The weights of one layer in one direction, under their names in PyTorch."""

    weight_ih: NDArray
    weight_hh: NDArray
    bias_ih: NDArray | None = None
    bias_hh: NDArray | None = None
    weight_hr: NDArray | None = None

    @property
    def inputs(self) -> int:
        """The size of the layer's input."""
        return int(self.weight_ih.shape[1])

    @property
    def outputs(self) -> int:
        """The size of the layer's output."""
        return int(self.weight_hh.shape[1])


class Net(NamedTuple):
    """The layers of a PyTorch net.

    Attributes:
        kind: "RNN", "GRU" or "LSTM".
        forward: The layers, the first one nearest to the input.
        reverse: Those of the other direction; empty if there is none.
        activation: "tanh" or "relu", of an RNN.
        notes: What a reader of the import should know.
        eps: The precision of the weights.
    """

    kind: str
    forward: tuple[Layer, ...]
    reverse: tuple[Layer, ...]
    activation: str
    notes: tuple[str, ...]
    eps: float

    @property
    def source(self) -> str:
        """What was read, in words."""
        first = self.forward[0]
        layers = f"{len(self.forward)} layer{'s' * (len(self.forward) > 1)}"
        size = f"{first.weight_hh.shape[0] // gates_of(first)} units"
        projected = () if first.weight_hr is None else (f"projected to {first.outputs}",)
        return ", ".join([f"PyTorch {self.kind}", layers, size, *projected, *self.notes])


def gates_of(layer: Layer) -> int:
    """Return how many blocks the weights have: 1, 3 or 4."""
    return 4 if layer.weight_hr is not None else layer.weight_hh.shape[0] // max(layer.weight_hh.shape[1], 1)


def nets_in(arrays: dict[str, NDArray]) -> dict[str, dict[tuple[int, bool], dict[str, NDArray]]]:
    """Find the sets of weights in a flat dict: by prefix, then by layer and direction, then by part.

    A cell, whose names end without a layer, counts as a set of its own with layer 0.
    """
    found: dict[str, dict[tuple[int, bool], dict[str, NDArray]]] = {}
    for name, array in arrays.items():
        match = NAME.fullmatch(name)
        if match:
            layer = int(match["layer"] or 0), match["reverse"] is not None
            parts = found.setdefault(match["prefix"], {}).setdefault(layer, {})
            if match["part"] in parts:
                raise ValueError(f"source: holds {shown(match['part'])} with and without a layer, expected one of them")
            parts[match["part"]] = array
    return found


def others_beside(arrays: Iterable[str], prefix: str) -> list[str]:
    """Return the names beside those of a net that look like more of its weights, such as a bias under another name."""
    return [
        name
        for name in arrays
        if re.fullmatch(rf"{re.escape(prefix)}(weight|bias|kernel)[^./]*", name) and not NAME.fullmatch(name)
    ]


def net_of(
    layers: dict[tuple[int, bool], dict[str, NDArray]], *, layer: int | None, activation: str, notes: Iterable[str]
) -> Net:
    """Check the weights of one set and return its net, or one layer of it."""
    numbers = sorted({number for number, _ in layers})
    directions = sorted({reverse for _, reverse in layers})
    expected = [(number, reverse) for number in range(len(numbers)) for reverse in directions]
    if sorted(layers) != expected or directions[0]:
        raise ValueError(
            f"source: holds the layers {_in_words(layers)}, expected {_in_words(expected or [(0, False)])}"
        )
    if len(numbers) > MOST_LAYERS:
        raise ValueError(f"source: holds {len(numbers)} layers, expected at most {MOST_LAYERS}")
    if layer is not None:
        if layer not in numbers:
            raise ValueError(f"layer: got {layer!r}, expected one of {', '.join(map(str, numbers))}")
        layers = {(0, reverse): parts for (number, reverse), parts in layers.items() if number == layer}
        notes = (*notes, f"layer {layer} alone")
    elif len(numbers) > 1 and len(directions) > 1:
        raise ValueError(
            f"source: a bidirectional net of {len(numbers)} layers has no step: layer 1 reads what layer 0 made of "
            "the future. Pass layer=0 (or another) to get one layer in both directions"
        )
    each = {at: _layer(parts, at) for at, parts in sorted(layers.items())}
    forward = tuple(found for (_, reverse), found in each.items() if not reverse)
    backward = tuple(found for (_, reverse), found in each.items() if reverse)
    _check_chain(forward)
    eps = max(precision(array) for found in each.values() for array in found if array is not None)
    kind = KINDS[gates_of(forward[0])]
    if backward:
        notes = (*notes, "both directions")
    notes = (*notes, "relu") if activation == "relu" else notes
    return Net(kind, forward, backward, activation, (*notes, *precision_note(forward[0].weight_hh.dtype)), eps)


def _in_words(layers: Iterable[tuple[int, bool]]) -> str:
    names = [f"l{number}{'_reverse' * reverse}" for number, reverse in sorted(layers)]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _layer(parts: dict[str, NDArray], at: tuple[int, bool]) -> Layer:
    """Check the names and shapes of the weights of one layer."""
    where = _in_words([at])
    missing = {"weight_ih", "weight_hh"} - parts.keys()
    if ("bias_ih" in parts) != ("bias_hh" in parts):
        missing |= {"bias_ih", "bias_hh"} - parts.keys()
    if missing:
        raise ValueError(
            f"source: {where} has {', '.join(sorted(parts))}, but no {' and no '.join(sorted(missing))}; of "
            "parametrised or pruned weights (weight_norm, spectral_norm, prune) pass the live module"
        )
    layer = Layer(**{part: checked_weights(f"{part} of {where}", array) for part, array in parts.items()})
    if layer.weight_hh.ndim != 2 or layer.weight_ih.ndim != 2:
        raise ValueError(f"source: {where} has weights of {layer.weight_hh.ndim} axes, expected 2")
    rows, outputs = layer.weight_hh.shape
    gates = gates_of(layer)
    units = outputs if layer.weight_hr is None else rows // 4
    if gates not in KINDS or rows != gates * units or not units or not outputs:
        raise ValueError(
            f"source: weight_hh of {where} has shape {(rows, outputs)}, expected (n, n) of an RNN, (3 n, n) of "
            "a GRU or (4 n, n) of an LSTM"
        )
    shapes = {"weight_ih": (rows, layer.inputs), "bias_ih": (rows,), "bias_hh": (rows,), "weight_hr": (outputs, units)}
    for part, shape in shapes.items():
        array = getattr(layer, part)
        if array is not None and array.shape != shape:
            raise ValueError(f"source: {part} of {where} has shape {array.shape}, expected {shape}")
    return layer


def _check_chain(layers: tuple[Layer, ...]) -> None:
    for number, (below, above) in enumerate(itertools.pairwise(layers), 1):
        if above.inputs != below.outputs:
            raise ValueError(
                f"source: weight_ih of l{number} has shape {above.weight_ih.shape}, expected one column for each of "
                f"the {below.outputs} outputs of l{number - 1}"
            )
        if (gates_of(above), above.weight_hr is None) != (gates_of(below), below.weight_hr is None):
            raise ValueError(f"source: l{number - 1} and l{number} are layers of different kinds")
