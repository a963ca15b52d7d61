"""Check that JAX's current precision can represent the values of an axis."""

import jax
import numpy as np


def check(name: str, values: np.ndarray) -> None:
    """Raise for values that JAX cannot hold, or cannot tell apart. Ordinary rounding, as of 0.1, is accepted."""
    dtype = jax.dtypes.canonicalize_dtype(values.dtype)
    if dtype == values.dtype:
        return
    with np.errstate(all="ignore"):
        held = values.astype(dtype)
    if values.dtype.kind in "fc":
        lost = ~np.isfinite(held) | ((held == 0) & (values != 0))
    else:
        lost = held != values
    remedy = 'expected other values, or jax.config.update("jax_enable_x64", True) first'
    if lost.any():
        raise ValueError(f"grid[{name!r}]: got {values[lost][0].item()!r}, which {dtype} cannot hold; {remedy}")
    if values.ndim == 1:
        order = np.argsort(values)
        merged = (np.diff(values[order]) != 0) & (np.diff(held[order]) == 0)
        if merged.any():
            first = int(np.argmax(merged))
            one, other = values[order[first : first + 2]].tolist()
            raise ValueError(f"grid[{name!r}]: got {one!r} and {other!r}, which are the same in {dtype}; {remedy}")
