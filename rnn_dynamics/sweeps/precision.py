"""Whether the values of an axis are still themselves in the precision that JAX computes in now."""

import jax
import numpy as np


def check(name: str, values: np.ndarray) -> None:
    """Refuse those that it cannot hold, and those that it cannot tell apart. That 0.1 is rounded is as everywhere."""
    dtype = jax.dtypes.canonicalize_dtype(values.dtype)
    if dtype == values.dtype:
        return
    with np.errstate(all="ignore"):
        held = values.astype(dtype)
    if values.dtype.kind in "fc":
        lost = ~np.isfinite(held) | ((held == 0) & (values != 0))
    else:
        lost = held != values
    remedy = 'expected others, or jax.config.update("jax_enable_x64", True) first'
    if lost.any():
        raise ValueError(f"grid[{name!r}]: got {values[lost][0].item()!r}, which {dtype} cannot hold; {remedy}")
    if values.ndim == 1:
        order = np.argsort(values)
        merged = (np.diff(values[order]) != 0) & (np.diff(held[order]) == 0)
        if merged.any():
            first = int(np.argmax(merged))
            one, other = values[order[first : first + 2]].tolist()
            raise ValueError(f"grid[{name!r}]: got {one!r} and {other!r}, which are the same in {dtype}; {remedy}")
