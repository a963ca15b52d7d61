"""Our cells as Haiku cores."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..cells.contract import Cell, Params
from .haiku_cores import _original
from .layer_blocks import verified_beside
from .our_cells import Ours, bias, joined, layers_of, refused, with_update


def to_haiku(cell: Cell, params: Params) -> tuple[Callable[[], Any], dict[str, dict[str, Any]]]:
    """Turn a cell of ours into a function that makes a Haiku core, and its parameters, and compare the two.

    An LSTM becomes an `hk.LSTM` (whose forget bias is ours minus 1), a GRU with the reset before the product an
    `hk.GRU`, a relu Elman net an `hk.VanillaRNN`, a stack an `hk.DeepRNN`. Where Haiku's update gate replaces what ours
    keeps, the gate changes its signs. A missing bias becomes zeros. What Haiku cannot represent is refused with the
    reason.

    Args:
        cell: The cell, or a stack of such cells.
        params: Its parameters.

    Returns:
        The function, to be called inside `hk.transform`, and the parameters.

    Example:
        >>> core, params = rd.interop.to_haiku(rd.cells.gru, rd.cells.gru.init(key, inputs=2, hidden=3))
        >>> params["layer_0"]["w_h"].shape
        (3, 9)
    """
    import haiku as hk

    layers = layers_of(cell, params, "Haiku")
    made = [_exported(hk, layer, f"layer_{number}") for number, layer in enumerate(layers)]
    exported = {path: arrays for _, own in made for path, arrays in own.items()}

    def core() -> Any:
        return made[0][0]() if len(made) == 1 else hk.DeepRNN([make() for make, _ in made])

    original, _ = _original(exported, core)
    verified_beside(cell, params, "the exported Haiku core", original)
    return core, exported


def _exported(hk: Any, layer: Ours, name: str) -> tuple[Callable[[], Any], dict[str, dict[str, Any]]]:
    if layer.kind == "lstm":
        W, U, b = joined(layer.params, "igfo")
        b = np.zeros_like(W[:, 0]) if b is None else b.copy()
        b[2 * layer.units : 3 * layer.units] -= 1
        arrays = {f"{name}/linear": {"w": np.concatenate([U, W], axis=1).T, "b": b}}
        return lambda: hk.LSTM(layer.units, name=name), _on_device(arrays)
    if layer.kind == "gru" and layer.options["reset"] == "before":
        W, U, b = joined(with_update(layer, "replace"), "zrn")
        arrays = {name: {"w_i": U.T, "w_h": W.T, "b": np.zeros_like(W[:, 0]) if b is None else b}}
        return lambda: hk.GRU(layer.units, name=name), _on_device(arrays)
    if layer.kind == "vanilla" and layer.options["activation"] == "relu":
        own = layer.params
        arrays = {f"{name}/linear": {"w": own.U.T, "b": bias(own)}, f"{name}/linear_1": {"w": own.W.T}}
        return lambda: hk.VanillaRNN(layer.units, double_bias=False, name=name), _on_device(arrays)
    raise refused(layer, "Haiku", 'has only an LSTM, a GRU with reset="before" and a vanilla cell with relu')


def _on_device(arrays: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {path: {name: jnp.asarray(array) for name, array in own.items()} for path, own in arrays.items()}
