"""Cells of ours as recurrent layers of PyTorch."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Cell, Params
from . import pytorch_live as live
from .layers import Described, described
from .pytorch_layout import ACTIVATIONS, Layer, Net
from .verification import verified

KINDS = {"elman": "RNN", "gru": "GRU", "lstm": "LSTM", "projected_lstm": "LSTM"}


def to_torch(cell: Cell, params: Params, *, batch_first: bool = False) -> Any:
    """Make the `nn.RNN`, `nn.GRU` or `nn.LSTM` that computes the same as a cell of ours, and compare the two.

    PyTorch has Elman nets with tanh or relu and no leak, GRUs whose reset gate acts after the recurrent product, and
    LSTMs with and without a projection, all stacked in layers of one kind and size. Anything else is refused with the
    reason. A GRU with update="replace" is converted by negating the weights of its update gate, since 1 - σ(a) = σ(-a).

    Args:
        cell: `rd.cells.lstm`, `projected_lstm`, `make_gru(..., reset="after")`, `elman` or `make_elman("relu")`, or a
            `stack` of one of these.
        params: Its parameters.
        batch_first: Whether the module takes (batch, time, units). Default: False, as in PyTorch.

    Returns:
        A new module on the CPU, in training mode and in the precision of the parameters. Our one bias is in `bias_ih`,
        `bias_hh` is 0 but for the recurrent bias of a GRU. No random number of PyTorch is drawn.

    Cost:
        O(size of the parameters), and one compilation of the cell for the comparison.

    Example:
        >>> cell = rd.cells.make_gru(reset="before")
        >>> rd.interop.to_torch(cell, cell.init(key, inputs=2, hidden=3))
        Traceback (most recent call last):
        ...
        ValueError: cell: PyTorch has no GRU with reset="before" the recurrent product, expected make_gru(reset="after")
    """
    argument.flag("batch_first", batch_first)
    described_layers = described(argument.instance("cell", cell, Cell), params)
    _check_kinds(described_layers)
    layers = [_CONVERT[layer.kind](layer) for layer in described_layers]
    _check_sizes(layers)
    kind, activation = KINDS[described_layers[0].kind], described_layers[0].options.get("activation", "tanh")
    net = Net(kind, _alike_biases(layers), (), activation, (), 0.0)
    module = live.built(net)
    module.batch_first = batch_first
    run = live.Runner(module, both=False).direction(reverse=False)
    verified(cell, params, f"{net.source}, made of a cell", run, inputs=layers[0].inputs)
    return module


def _check_kinds(layers: list[Described]) -> None:
    first = layers[0]
    for kind, options, _ in layers:
        if not kind:
            raise ValueError(
                "cell: no layer of PyTorch computes it, expected lstm, projected_lstm, make_gru(reset='after'), elman, "
                "make_elman('relu'), or a stack of one of these"
            )
        if options.get("reset") == "before":
            raise ValueError(
                'cell: PyTorch has no GRU with reset="before" the recurrent product, expected make_gru(reset="after")'
            )
        if options.get("leak", 1) != 1:
            raise ValueError(f"cell: got leak={options['leak']}, expected 1: PyTorch's RNN has no leak")
        activation = options.get("activation")
        if kind == "elman" and activation not in ACTIVATIONS:
            raise ValueError(f"cell: got the activation {activation!r}, expected tanh or relu, all that PyTorch has")
        if (kind, activation) != (first.kind, first.options.get("activation")):
            raise ValueError(f"cell: got layers of kind {first.kind} and {kind}, expected one kind in all layers")


def _check_sizes(layers: list[Layer]) -> None:
    first = layers[0]
    sizes = [layer.outputs for layer in layers]
    if len({layer.weight_hh.shape for layer in layers}) > 1:
        raise ValueError(f"cell: got layers of {sizes} units, expected one size, PyTorch's hidden_size")
    if not first.inputs:
        raise ValueError("cell: got a net without inputs, expected one input or more")
    if first.weight_hh.dtype not in (np.float32, np.float64):
        raise ValueError(f"params: got {first.weight_hh.dtype}, expected float32 or float64")
    if first.weight_hr is not None and first.outputs >= first.weight_hr.shape[1]:
        raise ValueError(
            f"cell: got a projection of {first.weight_hr.shape[1]} units to {first.outputs}, expected fewer: PyTorch's "
            "proj_size is smaller than its hidden_size"
        )


def _alike_biases(layers: list[Layer]) -> tuple[Layer, ...]:
    """Give every layer both biases if any of them has one."""
    if all(layer.bias_ih is None and layer.bias_hh is None for layer in layers):
        return tuple(layers)
    zero = np.zeros_like(layers[0].weight_hh[:, 0])
    return tuple(
        layer._replace(
            bias_ih=zero if layer.bias_ih is None else layer.bias_ih,
            bias_hh=zero if layer.bias_hh is None else layer.bias_hh,
        )
        for layer in layers
    )


def _joined(maps: Sequence[Any]) -> Layer:
    """Put the affine maps of a layer below each other."""
    W, U = (np.concatenate([np.asarray(getattr(each, part)) for each in maps]) for part in ("W", "U"))
    return Layer(weight_ih=U, weight_hh=W, bias_ih=_joined_biases([each.b for each in maps], maps[0].W))


def _joined_biases(biases: Sequence[Any], like: Any) -> NDArray | None:
    if all(bias is None for bias in biases):
        return None
    zero = np.zeros_like(np.asarray(like)[:, 0])
    return np.concatenate([zero if bias is None else np.asarray(bias) for bias in biases])


def _rnn(layer: Described) -> Layer:
    return _joined([layer.params])


def _gru(layer: Described) -> Layer:
    p = layer.params
    update = p.update if layer.options["update"] == "keep" else jax.tree.map(lambda leaf: -leaf, p.update)
    recurrent_bias = _joined_biases([None, None, p.recurrent_bias], p.candidate.W)
    return _joined([p.reset, update, p.candidate])._replace(bias_hh=recurrent_bias)


def _lstm(layer: Described) -> Layer:
    p = layer.params
    projection = np.asarray(p.P) if layer.kind == "projected_lstm" else None
    return _joined([p.input, p.forget, p.cell, p.output])._replace(weight_hr=projection)


_CONVERT = {"elman": _rnn, "gru": _gru, "lstm": _lstm, "projected_lstm": _lstm}
