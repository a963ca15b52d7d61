"""The cycle that a sequence of regions holds, if it does: solve, see whether the solution lies in the regions."""

from typing import NamedTuple

import numpy as np

from .piecewise_linear import Net
from .region_lines import negligible, one_of_many

CHUNK = 4096


class Solutions(NamedTuple):
    """Cycles, or one of each flat set of cycles, and the regions in which they were found.

    Attributes:
        points: (N, p, n).
        regions: Which kinks are on, (N, p, m).
        distance: z = C h + d, the signed distances from the kinks, (N, p, m).
        reach: By how much rounding can have moved the distances, (N,).
        dimension: Of the set of cycles in these regions, (N,).
    """

    points: np.ndarray
    regions: np.ndarray
    distance: np.ndarray
    reach: np.ndarray
    dimension: np.ndarray

    def at(self, which: np.ndarray) -> "Solutions":
        """Return some of them."""
        return Solutions(*(part[which] for part in self))

    def on_kink(self) -> np.ndarray:
        """Return where some state lies on a kink, as far as rounding lets one tell."""
        return (np.abs(self.distance) <= self.reach[:, None, None]).any(axis=(1, 2))


def matrices(net: Net, regions: np.ndarray) -> np.ndarray:
    """Return A + V D C of each region, (..., n, n)."""
    return net.A + (net.V * regions[..., None, :]) @ net.C


def solutions(net: Net, regions: np.ndarray, eps: float) -> Solutions:
    """Return the cycles in these sequences of regions, (N, p, m); a set of cycles is represented by one of them.

    The numbers of the net are taken as exact, but `eps`, their precision, decides what is singular. A solution on a
    kink, as far as rounding lets one tell, lies in both regions.
    """
    parts = [_solved(net, regions[i : i + CHUNK], eps) for i in range(0, len(regions), CHUNK)]
    parts = parts or [_solved(net, regions, eps)]
    return Solutions(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _solved(net: Net, regions: np.ndarray, eps: float) -> Solutions:
    (N, p, _), n = regions.shape, len(net.c)
    steps = equations(net, regions)
    drive = ((net.V * regions[..., None, :]) @ net.d + net.c).reshape(N, p * n)
    sizes = np.linalg.svd(steps, compute_uv=False)
    singular = negligible(sizes, eps)[:, -1]
    points, dimension = np.zeros((N, p * n)), np.zeros(N, int)
    points[~singular] = np.linalg.solve(steps[~singular], drive[~singular][..., None])[..., 0]
    for i in np.flatnonzero(singular):
        points[i], dimension[i] = one_of_many(net, steps[i], drive[i], regions[i], eps)
    points = points.reshape(N, p, n)
    distance = points @ net.C.T + net.d
    # kinks have |(C_j, d_j)| near 1; of a set, the linear program knows its points to about 1e-9
    rounding = 8 * np.finfo(float).eps * np.maximum(sizes[:, 0], 1) / np.maximum(sizes[:, -1], 1e-300)
    reach = np.where(singular, 1e-8, rounding) * (1 + np.abs(points).max(axis=(1, 2), initial=0))
    inside = (np.where(regions, distance, -distance) >= -reach[:, None, None]).all(axis=(1, 2)) & (dimension >= 0)
    return Solutions(points, regions, distance, reach, dimension).at(inside)


def equations(net: Net, regions: np.ndarray) -> np.ndarray:
    """Return the matrices that map h_0 .. h_(p-1) to h_(i+1) - M_i h_i, (N, p n, p n)."""
    (N, p, _), n = regions.shape, len(net.c)
    steps, at = np.zeros((N, p, n, p, n)), np.arange(p)
    steps[:, at, :, at, :] = -matrices(net, regions).swapaxes(0, 1)
    steps[:, at, :, (at + 1) % p, :] += np.eye(n)
    return steps.reshape(N, p * n, p * n)


def distinct(found: Solutions) -> Solutions:
    """Keep one of the rotations of each cycle, and of a cycle on a kink one of the regions that it lies in.

    A point or set on a kink that lies in the regions of another solution belongs to it, since the maps agree there: the
    larger set is kept.
    """
    words: dict[bytes, int] = {}
    for place, regions in enumerate(found.regions):
        words.setdefault(min(np.roll(regions, -shift, axis=0).tobytes() for shift in range(len(regions))), place)
    found = found.at(np.array(sorted(words.values()), int))
    kept = np.ones(len(found.points), bool)
    for i in np.flatnonzero(found.on_kink()):
        within = np.zeros(len(kept), bool)
        for shift in range(found.points.shape[1]):
            distance = np.roll(found.distance[i], -shift, axis=0)
            within |= (np.where(found.regions, distance, -distance) >= -found.reach[i]).all(axis=(1, 2))
        others = within & kept & (found.dimension >= found.dimension[i])
        others[i] = False
        kept[i] = not others.any()
    return found.at(kept)
