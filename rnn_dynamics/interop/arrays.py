"""Arrays of another framework, by name, as NumPy arrays and as parameters of ours."""

import sys
from collections.abc import Mapping
from os import PathLike
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from .. import argument
from .weight_files import load, shown


def flat_arrays(source: Any) -> dict[str, NDArray]:
    """Return the arrays of a file, or of a dict of NumPy, JAX or torch arrays; other values of a dict are left out."""
    if isinstance(source, str | PathLike):
        return load(source)
    if not isinstance(source, Mapping):
        raise TypeError(
            f"source: got {type(source).__name__}, expected a live module, a dict of arrays, or the path of a "
            ".safetensors or .npz file"
        )
    arrays = {str(name): value for name, value in source.items() if hasattr(value, "shape")}
    return {name: as_numpy(value) for name, value in arrays.items()}


def as_numpy(value: Any) -> NDArray:
    """Return an array or a torch tensor of any device as a NumPy array with the same dtype."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return np.asarray(value)
    if value.is_meta:
        raise ValueError("source: its weights are on the device meta, which holds no numbers")
    value = value.detach().cpu()
    if value.dtype == torch.bfloat16:  # NumPy itself does not know it
        return value.contiguous().view(torch.int16).numpy().view(jnp.bfloat16)
    return value.numpy()


def checked_weights(name: str, array: NDArray) -> NDArray:
    """Return weights as they are; raise if they are not finite real numbers."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{shown(name)}: got dtype {array.dtype}, expected real floating-point numbers")
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(map(int, np.argwhere(~finite)[0]))
        raise ValueError(
            f"{shown(name)}: {int((~finite).sum())} of {array.size} values are not finite, the first at {first}"
        )
    return array


def parameter(array: NDArray) -> Array:
    """Return an array as a parameter, in JAX's default precision.

    It is copied: JAX may share the memory of NumPy's arrays, and they that of a module that goes on training.
    """
    return jnp.asarray(np.array(array, argument.floating(None)))


def precision(array: NDArray) -> float:
    """Return eps of the array's dtype, 0 for whole numbers."""
    return float(jnp.finfo(array.dtype).eps) if jnp.issubdtype(array.dtype, jnp.floating) else 0.0


def precision_note(dtype: Any) -> tuple[str, ...]:
    """Say in what precision weights of this dtype are imported, if it is not their own or a finer one of 32 bits."""
    ours, theirs = argument.floating(None), jnp.finfo(dtype)
    if theirs.bits == 16:
        return (f"{theirs.dtype} weights held in {ours}",)
    return (f"{theirs.dtype} weights rounded to {ours}",) if theirs.bits > jnp.finfo(ours).bits else ()
