"""Read the weights of a live model: with verification the first time, and only the weights after that."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import interop
from ..cells.contract import Cell, Params
from ..interop.imported import Imported, unverified
from ..interop.verification import without_verification

# the function of `rd.interop` that reads the models of a package
IMPORTERS = {
    "torch": "from_torch",
    "flax": "from_flax",
    "equinox": "from_equinox",
    "keras": "from_keras",
}


def importer_of(model: Any) -> Callable[..., Imported]:
    """Return the function of `rd.interop` that imports this model."""
    for package in (cls.__module__.split(".")[0] for cls in type(model).__mro__):
        if package in IMPORTERS:
            return getattr(interop, IMPORTERS[package])
    raise TypeError(
        f"model: got {type(model).__name__}, expected a recurrent layer of {', '.join(IMPORTERS)}; give rd.watch(.., "
        "importer=) a function from your model to what rd.interop returns, or cell= to pass params= of one of our cells"
    )


def imported(model: Any, params: Any, importer: Callable[..., Imported] | None, *, verify: bool) -> Imported:
    """Import a live model, of Flax linen with its parameters. Without `verify` the weights are only converted."""
    if importer is None:
        importer = importer_of(model)
        if not verify and "verify" in inspect.signature(importer).parameters:
            importer = partial(importer, verify=False)
    given = (model,) if params is None else (model, params)
    with nullcontext() if verify else without_verification():
        net = importer(*given)
    if not isinstance(net, Imported):
        raise TypeError(f"importer: returned {type(net).__name__}, expected what a function of rd.interop returns")
    return net


def own(cell: Cell, params: Params) -> Imported:
    """Return parameters of one of our cells as an import, in 32 bits or more."""

    def measurable(leaf: Any) -> Any:
        dtype = jnp.result_type(leaf)
        narrow = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32
        return jnp.asarray(leaf, jnp.float32) if narrow else leaf

    return unverified(cell, jax.tree.map(measurable, params), "parameters of a cell of rnn_dynamics")


def first_non_finite(tree: Any) -> str:
    """Return the name of the first weight of a model, or leaf of a tree, that is not finite; "" if there is none."""
    for name, leaf in named_leaves(tree):
        if np.ndim(leaf) and jnp.issubdtype(np.asarray(leaf).dtype, jnp.floating) and not np.isfinite(leaf).all():
            return name
    return ""


def named_leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each weight: of a PyTorch module, of a Keras layer, or of a pytree."""
    if hasattr(tree, "named_parameters"):
        yield from ((name, leaf.detach().float().cpu().numpy()) for name, leaf in tree.named_parameters())
    elif hasattr(tree, "trainable_weights"):
        yield from ((weight.path, np.asarray(weight)) for weight in tree.trainable_weights)
    else:
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if isinstance(leaf, jax.Array | np.ndarray) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                yield jax.tree_util.keystr(path).lstrip("."), leaf
