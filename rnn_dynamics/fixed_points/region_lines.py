"""Regions with a line of cycles, or a plane: I minus the product of the matrices is singular."""

import numpy as np

from .piecewise_linear import Net


def one_of_many(
    net: Net, steps: np.ndarray, drive: np.ndarray, regions: np.ndarray, eps: float
) -> tuple[np.ndarray, int]:
    """Return a point within the set of cycles that a sequence of regions holds, and its dimension; -1 if it is empty.

    The set is steps · H = drive with H in the regions. Its corners in some random directions span it, and a mean
    of them with random weights lies inside and, unlike its middle, in no symmetric place.
    """
    p, m = regions.shape
    random = np.random.default_rng(0)
    sign = np.where(regions, -1.0, 1.0).ravel()[:, None]
    normals = sign * np.kron(np.eye(p), net.C)
    offsets = -sign[:, 0] * np.tile(net.d, p)
    left, sizes, right = np.linalg.svd(steps)
    null = right[sizes <= sizes[0] * eps * 20 * len(drive)]
    particular = np.linalg.lstsq(steps, drive, rcond=eps * 20 * len(drive))[0]
    scale = 1 + np.abs(particular).max() + np.abs(net.d).max(initial=0)
    if np.abs(steps @ particular - drive).max() > 100 * eps * len(drive) * scale * max(1, sizes[0]):
        return particular.reshape(p, -1), -1
    corners = []
    for objective in random.normal(size=(len(null) + 2, len(null))):
        for direction in (objective, -objective):
            corner = _corner(direction, normals @ null.T, offsets - normals @ particular, 1e3 * scale)
            if corner is None:
                return particular.reshape(p, -1), -1
            corners.append(corner)
    spread = np.array(corners) - corners[0]
    extent = np.linalg.svd(spread, compute_uv=False)
    weights = random.dirichlet(np.ones(len(corners)))
    point = particular + (weights @ np.array(corners)) @ null
    return point.reshape(p, -1), int((extent > 1e-6 * scale).sum())


def _corner(objective: np.ndarray, normals: np.ndarray, offsets: np.ndarray, reach: float) -> np.ndarray | None:
    """Return the y that minimises objective · y where normals · y <= offsets and |y| <= reach, if there is one."""
    from scipy.optimize import linprog

    found = linprog(objective, A_ub=normals, b_ub=offsets + 1e-9 * reach / 1e3, bounds=(-reach, reach), method="highs")
    return found.x if found.status == 0 else None
