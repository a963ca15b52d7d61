"""Regions with a line of cycles, or a plane: I minus the product of the matrices is singular."""

import numpy as np

from .piecewise_linear import Net

# how far from the smallest solution of the equations the set is looked for, in units of its size and the net's offsets
REACHES = (1.0, 1e3, 1e6)


def negligible(sizes: np.ndarray, eps: float) -> np.ndarray:
    """Return which singular values are 0 as far as numbers with the precision `eps` tell."""
    count = sizes.shape[-1]
    smallest = max(20 * count * np.finfo(float).eps, 4 * np.sqrt(count) * eps)
    return sizes < smallest * np.maximum(sizes[..., :1], 1)


def one_of_many(
    net: Net, steps: np.ndarray, drive: np.ndarray, regions: np.ndarray, eps: float
) -> tuple[np.ndarray, int]:
    """Return a point within the set of cycles that a sequence of regions holds, and its dimension; -1 if it is empty.

    The set is steps · H = drive with H in the regions. Its corners in some random directions span it, and a mean of
    them with random weights lies inside it and, unlike its middle, at no special place.
    """
    p = len(regions)
    left, sizes, right = np.linalg.svd(steps)
    kept = ~negligible(sizes, eps)
    particular = right[kept].T @ ((left.T @ drive)[kept] / sizes[kept])
    scale = 1 + np.abs(particular).max() + np.abs(net.d).max(initial=0)
    if np.abs(steps @ particular - drive).max() > len(drive) * eps * max(sizes[0], 1) * scale:
        isolated = not negligible(sizes, 0.0).any()  # the net's own precision is lower than that of this computation
        return (np.linalg.solve(steps, drive), 0) if isolated else (particular, -1)
    sign = np.where(regions, -1.0, 1.0).ravel()
    normals, null = sign[:, None] * np.kron(np.eye(p), net.C), right[~kept].T
    offsets = -sign * np.tile(net.d, p) - normals @ particular + 1e-9 * scale
    corners = np.zeros((0, len(normals)))
    for reach in REACHES:
        if not len(corners):
            corners = _corners(normals @ null, offsets, reach * scale)
    if not len(corners):
        return particular, -1
    weights = np.random.default_rng(0).dirichlet(np.ones(len(corners)))
    extent = np.linalg.svd(corners - corners[0], compute_uv=False)
    return particular + null @ (weights @ corners), int((extent > 1e-6 * scale).sum())


def _corners(normals: np.ndarray, offsets: np.ndarray, reach: float) -> np.ndarray:
    """Return corners of normals · y <= offsets, |y| <= reach, which span it; none if it is empty."""
    from scipy.optimize import linprog

    k = normals.shape[1]
    directions = np.random.default_rng(0).normal(size=(k + 2, k))
    found = [
        linprog(each, A_ub=normals, b_ub=offsets, bounds=(-reach, reach), method="highs")
        for each in np.concatenate([directions, -directions])
    ]
    return np.array([each.x for each in found if each.status == 0])
