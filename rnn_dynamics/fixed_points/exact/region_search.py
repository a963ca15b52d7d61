"""Search sequences of regions for cycles, from random ones: for nets with too many regions to exclude the others.

Solve for the cycle that a sequence of regions would hold. If it lies in them, it is one; if not, go on with the regions
in which it does lie. This is Newton's method on the p steps, whose derivative is that of the region, and the search of
SCYFI (Eisenmann, Monfared, Göring & Durstewitz, 2023).
"""

import numpy as np

from .piecewise_linear import Net
from .region_points import matrices


def searched(net: Net, period: int, starts: int, seed: list[int], iterations: int = 50) -> tuple[np.ndarray, int]:
    """Return sequences of regions that hold a cycle, (found, p, m), and how many sequences were visited."""
    random = np.random.default_rng(seed)
    regions = random.integers(0, 2, (starts, period, len(net.d))).astype(bool)
    found, visited = [regions[:0]], 0
    for _ in range(iterations):
        visited += len(regions)
        distance = _virtual_cycles(net, regions, random) @ net.C.T + net.d
        reach = 1e-9 * (1 + np.abs(distance).max(axis=(1, 2), initial=0))[:, None, None]
        there = (np.where(regions, distance, -distance) >= -reach).all(axis=(1, 2))
        found.append(regions[there])
        regions = (distance > 0)[~there]
        if not len(regions):
            break
    return np.unique(np.concatenate(found), axis=0), visited


def _virtual_cycles(net: Net, regions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the cycle of each sequence of maps, wherever it lies, (N, p, n)."""
    n, M = len(net.c), matrices(net, regions)
    b = (net.V * regions[..., None, :]) @ net.d + net.c
    product, drive = np.broadcast_to(np.eye(n), M[:, 0].shape), np.zeros((len(M), n))
    for i in range(M.shape[1]):
        product, drive = M[:, i] @ product, (M[:, i] @ drive[..., None])[..., 0] + b[:, i]
    # where I - product is singular, a cycle far away in some direction is as good a next guess as any
    h = np.linalg.solve(np.eye(n) - product + 1e-13 * random.normal(size=(n, n)), drive[..., None])[..., 0]
    points = [h]
    for i in range(M.shape[1] - 1):
        points.append((M[:, i] @ points[-1][..., None])[..., 0] + b[:, i])
    return np.stack(points, axis=1)
