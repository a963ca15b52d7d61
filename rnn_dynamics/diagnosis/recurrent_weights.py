"""Change recurrent weights wherever in a tree the parameters of one of our cells are found, or put gates around them.

Parameters of other kinds stay as they are: a matrix that is merely called W might be anything.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from ..cells import Affine, GRUParams, IndRNNParams, LRUParams, OrthogonalParams, gru, stack
from ..cells.affine import init_affine
from ..cells.contract import Params, State, Step
from ..cells.initializers import gaussian
from ..machinery.lapack_threads import on_one_thread
from .gate_bias import time_constants

RECURRENT = (Affine, IndRNNParams, LRUParams, OrthogonalParams)


def _is_recurrent(node: Any) -> bool:
    return isinstance(node, RECURRENT)


def recurrent_matrices(params: Params) -> list[NDArray]:
    """Return the square matrices W of our cells."""
    nodes = jax.tree.leaves(params, is_leaf=_is_recurrent)
    return [np.asarray(node.W, np.float64) for node in nodes if isinstance(node, Affine) and _square(node.W)]


def _square(W: Any) -> bool:
    return len(W.shape) == 2 and W.shape[0] == W.shape[1]


def can_be_scaled(params: Params) -> bool:
    """Return whether there is a recurrent weight whose meaning is known."""
    nodes = [node for node in jax.tree.leaves(params, is_leaf=_is_recurrent) if _is_recurrent(node)]
    return any(not isinstance(node, Affine) or _square(node.W) for node in nodes)


def scaled(params: Params, factor: float) -> Params:
    """Return the parameters with every recurrent weight multiplied by a factor."""
    return jax.tree.map(partial(_scaled, factor=factor), params, is_leaf=_is_recurrent)


def _scaled(node: Any, factor: float) -> Any:
    name = {Affine: "W", IndRNNParams: "w", LRUParams: "gain", OrthogonalParams: "gain"}.get(type(node))
    if name is None or (name == "W" and not _square(node.W)):
        return node
    weight = getattr(node, name)
    return node._replace(**{name: weight * jnp.asarray(factor, weight.dtype)})


def with_orthogonal(params: Params) -> Params:
    """Return the parameters with every recurrent matrix W replaced by the orthogonal matrix nearest to it."""

    def changed(node: Any) -> Any:
        if not isinstance(node, Affine) or not _square(node.W):
            return node
        return node._replace(W=jnp.asarray(nearest_orthogonal(np.asarray(node.W)), node.W.dtype))

    return jax.tree.map(changed, params, is_leaf=_is_recurrent)


def nearest_orthogonal(W: NDArray) -> NDArray:
    """Return the orthogonal factor U Vᵀ of W = U S Vᵀ, its polar factor."""
    # SciPy's LAPACK can be kept on one thread; NumPy's takes many times as long next to busy processes
    from scipy.linalg import svd

    on_one_thread()
    U, _, Vt = svd(W.astype(np.float64))
    return U @ Vt


def vanilla_layers(params: Params, h0: State) -> tuple[Affine, ...] | None:
    """Return the layers of a vanilla net, or None if the parameters or the state are those of anything else."""
    layers = params if type(params) is tuple else (params,)
    states = h0 if type(params) is tuple else (h0,)
    if not layers or not all(isinstance(layer, Affine) and _square(layer.W) for layer in layers):
        return None
    sizes = [np.shape(state) for state in states] if isinstance(states, tuple) else None
    return tuple(layers) if sizes == [layer.W.shape[:1] for layer in layers] else None


def with_gated_cells(
    layers: tuple[Affine, ...], single: bool, longest: float, key: Array | None
) -> tuple[Step, Params]:
    """Return the step and parameters of GRUs whose candidates are these vanilla layers, with chrono update biases.

    The gates' weights are drawn with the key. Without one they are 0: the biases alone then open the gates at first.
    """
    keys = [None] * len(layers) if key is None else jax.random.split(key, len(layers))
    params = tuple(_gated(layer, longest, key) for layer, key in zip(layers, keys, strict=True))
    return (gru.step, params[0]) if single else (stack(*[gru] * len(layers)).step, params)


def _gated(layer: Affine, longest: float, key: Array | None) -> GRUParams:
    (hidden, inputs), dtype = layer.U.shape, layer.W.dtype
    bias = time_constants((hidden,), longest, dtype)
    if key is None:
        none = Affine(jnp.zeros_like(layer.W), jnp.zeros_like(layer.U), jnp.zeros_like(bias))
        return GRUParams(update=none._replace(b=bias), reset=none, candidate=layer)
    one, two = jax.random.split(key)
    draw = partial(init_affine, inputs=inputs, hidden=hidden, recurrent=gaussian, dtype=dtype)
    return GRUParams(update=draw(one, bias=bias), reset=draw(two), candidate=layer)
