"""Cells of ours as recurrent layers of PyTorch."""

from typing import Any

import numpy as np

from .. import argument
from ..cells.contract import Cell, Params
from . import pytorch_live as live
from .our_cells import Ours, joined, layers_of, recurrent_bias, with_update
from .pytorch_layout import ACTIVATIONS, Layer, Net
from .verification import verified

KINDS = {"vanilla": "RNN", "gru": "GRU", "lstm": "LSTM", "projected_lstm": "LSTM"}


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
    ours = layers_of(cell, params, "PyTorch")
    _check_kinds(ours)
    layers = [_converted(layer) for layer in ours]
    _check_sizes(layers)
    kind, activation = KINDS[ours[0].kind], ours[0].options.get("activation", "tanh")
    net = Net(kind, _alike_biases(layers), (), activation, (), 0.0)
    module = live.built(net)
    module.batch_first = batch_first
    run = live.Runner(module, both=False).direction(reverse=False)
    verified(cell, params, f"{net.source}, made of a cell", run, inputs=layers[0].inputs)
    return module


def _check_kinds(layers: list[Ours]) -> None:
    first = layers[0]
    for kind, options, _ in layers:
        if kind not in KINDS:
            raise ValueError(
                "cell: no layer of PyTorch computes it, expected lstm, projected_lstm, make_gru(reset='after'), elman, "
                "make_elman('relu'), or a stack of one of these"
            )
        if options.get("reset") == "before":
            raise ValueError(
                'cell: PyTorch has no GRU with reset="before" the recurrent product, expected make_gru(reset="after")'
            )
        activation = options.get("activation")
        if kind == "vanilla" and activation not in ACTIVATIONS:
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


def _converted(layer: Ours) -> Layer:
    """Return the weights of a layer under PyTorch's names, a missing bias as None."""
    if layer.kind == "vanilla":
        W, U, b = layer.params
        return Layer(np.asarray(U), np.asarray(W), None if b is None else np.asarray(b))
    if layer.kind == "gru":
        params = with_update(layer, "keep")
        W, U, b = joined(params, "rzn")
        c = recurrent_bias(params)
        return Layer(U, W, b, None if params.recurrent_bias is None else np.concatenate([0 * c, 0 * c, c]))
    W, U, b = joined(layer.params, "ifgo")
    return Layer(U, W, b, weight_hr=np.asarray(layer.params.P) if layer.kind == "projected_lstm" else None)
