"""The weights of PyTorch's layers as parameters of the cells that compute the same.

Ours have one bias where PyTorch has two: they are added wherever they are used as a sum, which is everywhere but in the
candidate of a GRU, whose b_hn is inside the reset product.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cells.affine import Affine
from ..cells.contract import Cell, Params
from ..cells.elman import make_elman
from ..cells.gru import GRUParams, make_gru
from ..cells.lstm import LSTMParams, lstm
from ..cells.projected_lstm import ProjectedAffine, ProjectedLSTMParams, projected_lstm
from ..cells.stack import stack
from .arrays import parameter
from .pytorch_layout import Layer


def as_cell(kind: str, layers: tuple[Layer, ...], activation: str) -> tuple[Cell, Params]:
    """Return our cell and its parameters; a stack if there are several layers."""
    cells = {"RNN": make_elman(activation), "GRU": make_gru("keep", "after"), "LSTM": lstm}
    convert = {"RNN": _rnn_params, "GRU": _gru_params, "LSTM": _lstm_params}[kind]
    cell = projected_lstm if layers[0].weight_hr is not None else cells[kind]
    params = tuple(convert(layer) for layer in layers)
    return (cell, params[0]) if len(layers) == 1 else (stack(*[cell] * len(layers)), params)


def _sum(first: NDArray | None, second: NDArray | None) -> NDArray | None:
    return None if first is None or second is None else first.astype(np.float64) + second.astype(np.float64)


def _blocks(array: NDArray | None, count: int) -> list[Any]:
    return [None] * count if array is None else np.split(array, count)


def _affine(W: NDArray, U: NDArray, b: NDArray | None) -> Affine:
    return Affine(parameter(W), parameter(U), None if b is None else parameter(b))


def _rnn_params(layer: Layer) -> Affine:
    return _affine(layer.weight_hh, layer.weight_ih, _sum(layer.bias_ih, layer.bias_hh))


def _gru_params(layer: Layer) -> GRUParams:
    W, U = _blocks(layer.weight_hh, 3), _blocks(layer.weight_ih, 3)
    b, c = _blocks(layer.bias_ih, 3), _blocks(layer.bias_hh, 3)
    return GRUParams(
        reset=_affine(W[0], U[0], _sum(b[0], c[0])),
        update=_affine(W[1], U[1], _sum(b[1], c[1])),
        candidate=_affine(W[2], U[2], b[2]),
        recurrent_bias=None if c[2] is None else parameter(c[2]),
    )


def _lstm_params(layer: Layer) -> LSTMParams | ProjectedLSTMParams:
    W, U = _blocks(layer.weight_hh, 4), _blocks(layer.weight_ih, 4)
    b = _blocks(_sum(layer.bias_ih, layer.bias_hh), 4)
    # ours are in the same order: input, forget, cell, output
    gates = map(parameter, W), map(parameter, U), (part if part is None else parameter(part) for part in b)
    if layer.weight_hr is None:
        return LSTMParams(*map(Affine, *gates))
    i, f, g, o = map(ProjectedAffine, *gates)
    return ProjectedLSTMParams(input=i, forget=f, cell=g, output=o, P=parameter(layer.weight_hr))
