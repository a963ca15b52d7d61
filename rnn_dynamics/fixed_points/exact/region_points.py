"""The cycle that a sequence of regions holds, if it does: solve, see whether the solution lies in the regions."""

from typing import NamedTuple

import numpy as np

from ..cycles.cyclic_system import cyclic_matrix
from .piecewise_linear import Net
from .region_lines import negligible, one_of_many

CHUNK = 4096


class Solutions(NamedTuple):
    """Cycles, or one of each flat set of cycles, and the regions in which they were found.

    Attributes:
        points: (N, p, n).
        regions: Which kinks are on, (N, p, m).
        distance: z = C h + d, the signed distances from the kinks, (N, p, m).
        reach: By how much rounding can have moved each distance, (N, p, m).
        error: By how much rounding can have moved the points, (N,).
        dimension: Of the set of cycles in these regions, (N,).
    """

    points: np.ndarray
    regions: np.ndarray
    distance: np.ndarray
    reach: np.ndarray
    error: np.ndarray
    dimension: np.ndarray

    def at(self, which: np.ndarray) -> "Solutions":
        """Return some of them."""
        return Solutions(*(part[which] for part in self))

    def on_kink(self) -> np.ndarray:
        """Return where some state lies on a kink, as far as rounding lets one tell."""
        return (np.abs(self.distance) <= self.reach).any(axis=(1, 2))


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
    units = _units(steps)
    steps, drive = steps / units[..., None], drive / units
    sizes = np.linalg.svd(steps, compute_uv=False)
    singular = negligible(sizes, eps)[:, -1]
    points, error, dimension = np.zeros((N, p * n)), np.zeros((N, p * n)), np.zeros(N, int)
    points[~singular], error[~singular] = _isolated(steps[~singular], drive[~singular])
    for i in np.flatnonzero(singular):
        points[i], dimension[i] = one_of_many(net, steps[i], drive[i], regions[i], eps)
        error[i] = 1e-8 * (1 + np.abs(points[i]).max())  # as far as the linear program knows the set
    points, error = points.reshape(N, p, n), error.reshape(N, p, n)
    distance = points @ net.C.T + net.d
    # kinks have |(C_j, d_j)| near 1
    reach = error @ np.abs(net.C).T + 4 * np.finfo(float).eps * (np.abs(points) @ np.abs(net.C).T + np.abs(net.d))
    inside = (np.where(regions, distance, -distance) >= -reach).all(axis=(1, 2)) & (dimension >= 0)
    return Solutions(points, regions, distance, reach, error.max(axis=(1, 2)), dimension).at(inside)


def _units(steps: np.ndarray) -> np.ndarray:
    """Return powers of two to divide large equations by: next to them, the others would seem to be 0."""
    return np.exp2(np.ceil(np.log2(np.maximum(np.abs(steps).max(axis=-1), 1.0))))


def _isolated(steps: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the solutions of steps · H = drive, and how far rounding can have moved each of their numbers.

    That bound holds for each number by itself only after a step of iterative refinement (Skeel 1980).
    """
    points = np.linalg.solve(steps, drive[..., None])
    points = (points + np.linalg.solve(steps, drive[..., None] - steps @ points))[..., 0]
    rounding = (np.abs(steps) @ np.abs(points)[..., None])[..., 0] + np.abs(drive)
    error = 4 * np.finfo(float).eps * (np.abs(np.linalg.inv(steps)) @ rounding[..., None])[..., 0]
    return points, error


def equations(net: Net, regions: np.ndarray) -> np.ndarray:
    """Return the matrices that map h_0 .. h_(p-1) to h_(i+1) - M_i h_i, (N, p n, p n)."""
    return -cyclic_matrix(matrices(net, regions))


def distinct(found: Solutions) -> Solutions:
    """Keep one of the rotations of each cycle, and of a cycle on a kink one of the regions that it lies in.

    A point on a kink that lies in the regions of a larger set belongs to it, since the maps agree there, and so does a
    smaller set.
    """
    words: dict[bytes, int] = {}
    for place, regions in enumerate(found.regions):
        words.setdefault(min(np.roll(regions, -shift, axis=0).tobytes() for shift in range(len(regions))), place)
    found = found.at(np.array(sorted(words.values()), int))
    kept = np.ones(len(found.points), bool)
    for i in map(int, np.flatnonzero(found.on_kink())):
        others = kept & (found.dimension >= found.dimension[i]) & _same_or_within(found, i)
        others[i] = False
        kept[i] = not others.any()
    return found.at(kept)


def _same_or_within(found: Solutions, i: int) -> np.ndarray:
    """Return which solutions are the i-th, in some rotation, or a set that contains it, (N,)."""
    same = np.zeros(len(found.points), bool)
    for shift in range(found.points.shape[1]):
        distance, reach, points = (
            np.roll(part[i], -shift, axis=0) for part in (found.distance, found.reach, found.points)
        )
        within = (np.where(found.regions, distance, -distance) >= -reach).all(axis=(1, 2))
        near = np.abs(found.points - points).max(axis=(1, 2)) <= 2 * (found.error + found.error[i])
        same |= within & (near | (found.dimension > 0))
    return same
