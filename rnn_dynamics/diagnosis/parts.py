"""The parts of a state and the layers of a net, with the names that a diagnosis gives them."""

import re
from typing import Any

import jax
import numpy as np

from ..cells.contract import Params, State
from ..measure import blocks


def part_names(state: State) -> dict[str, slice]:
    """Return where each leaf of the state is in the state vector, by names such as "h" or "layer 2 c"."""
    return {layered(name): place for name, place in blocks(state).items()}


def layered(path: str) -> str:
    """Return a path such as "1.h" as "layer 2 h"; other paths unchanged."""
    found = re.fullmatch(r"(\d+)(?:\.(.*))?", path)
    if not found:
        return path
    inner = f" {found[2]}" if found[2] else ""
    return f"layer {int(found[1]) + 1}{inner}"


def is_stack(params: Params) -> bool:
    """Return whether these are the parameters of a stack: a plain tuple, one entry per layer."""
    return type(params) is tuple and len(params) > 0


def first_not_finite(tree: Any) -> tuple[str, int, list[int]] | None:
    """Return the path of the first leaf that is not finite, how many such values it has, and where the first one is."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        values = np.asarray(leaf)
        if values.dtype.kind not in "fc":
            values = values.astype(np.float32) if values.dtype.kind == "V" else values
        bad = np.argwhere(~np.isfinite(values)) if values.dtype.kind in "fc" else np.empty((0, 0))
        if len(bad):
            return jax.tree_util.keystr(path, simple=True, separator="."), len(bad), [int(i) for i in bad[0]]
    return None
