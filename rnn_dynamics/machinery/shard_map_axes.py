"""Inside `shard_map`: the mesh axes over which an array differs from device to device."""

from typing import Any

import jax


def varying_axes(leaf: Any) -> frozenset[str]:
    """The mesh axes that `leaf` varies over; none outside `shard_map`."""
    kind = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    if hasattr(kind, "vma"):  # its name in jax 0.9; jax 0.12 has the other
        return kind.vma or frozenset()
    return getattr(getattr(kind, "manual_axis_type", None), "varying", frozenset())


def varying_like(tree: Any, like: Any) -> Any:
    """`tree` marked as varying over the mesh axes that `like` varies over, as a scan's carry must be.

    Outside `shard_map` the tree itself.
    """
    wanted = frozenset().union(*map(varying_axes, jax.tree.leaves(like)))

    def marked(leaf: Any) -> Any:
        missing = wanted - varying_axes(leaf)
        return jax.lax.pcast(leaf, tuple(missing), to="varying") if missing else leaf

    return jax.tree.map(marked, tree)
