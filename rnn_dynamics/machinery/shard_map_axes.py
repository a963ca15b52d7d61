"""Mark arrays inside `shard_map` with the mesh axes over which they differ from device to device.

The carry of a scan must be marked from the start as it will be in the loop. And JAX would silently add up the gradients
of all devices for an array that it takes to be the same everywhere. So every array that a measurement makes itself is
marked as varying like the trajectory.
"""

from typing import Any

import jax


def varying_axes(leaf: Any) -> frozenset[str]:
    """Return the mesh axes that `leaf` varies over; none outside `shard_map`."""
    kind = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    if hasattr(kind, "vma"):  # its name in jax 0.9; the name below is that of jax 0.12
        return kind.vma or frozenset()
    return getattr(getattr(kind, "manual_axis_type", None), "varying", frozenset())


def varying_like(tree: Any, like: Any) -> Any:
    """Mark `tree` as varying over the mesh axes that `like` varies over. Outside `shard_map`, return it unchanged."""
    wanted = frozenset().union(*map(varying_axes, jax.tree.leaves(like)))

    def marked(leaf: Any) -> Any:
        missing = wanted - varying_axes(leaf)
        return jax.lax.pcast(leaf, tuple(missing), to="varying") if missing else leaf

    return jax.tree.map(marked, tree)
