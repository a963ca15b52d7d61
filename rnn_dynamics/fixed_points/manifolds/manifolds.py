"""Points that are not isolated: lines and surfaces of them, told apart, and thinned out to a few well-spread ones."""

from collections.abc import Callable
from typing import Any

import numpy as np

# points of a line or surface that are listed
LISTED = 16
# neighbours are far apart at more than so many times the median distance; all are if there are so few, or at this
# share of the spread of the candidates
GAP, TOO_FEW, NEAR = 3.0, 8, 0.1
# from both of two neighbours, a point between them is nearer than this share of their distance
BETWEEN = 0.8
# neighbours for each dimension of a principal component analysis, and the relative spread of a direction that counts
NEIGHBOURS, NARROW = 4, 0.2


def spread_out(vectors: np.ndarray, most: int) -> np.ndarray:
    """Return the places of at most `most` points far from each other: each next one the farthest from all before.

    The first is the farthest from the mean, so the ends of a line are among them.
    """
    if len(vectors) <= most:
        return np.arange(len(vectors))
    chosen = [int(np.argmax(np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)))]
    apart = np.linalg.norm(vectors - vectors[chosen[0]], axis=1)
    while len(chosen) < most and apart.max() > 0:
        chosen.append(int(np.argmax(apart)))
        apart = np.minimum(apart, np.linalg.norm(vectors - vectors[chosen[-1]], axis=1))
    return np.array(chosen)


def nearest(vectors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return for each vector the place of the nearest point."""
    return np.array([np.argmin(np.linalg.norm(points - vector, axis=1)) for vector in vectors], int)


def shortest_tree(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the shortest tree that joins all points, (N - 1, 2), and their lengths."""
    count = len(vectors)
    length, before = np.full(count, np.inf), np.zeros(count, int)
    free, at = np.ones(count, bool), 0
    edges, lengths = np.zeros((count - 1, 2), int), np.zeros(count - 1)
    for i in range(count - 1):
        free[at] = False
        apart = np.linalg.norm(vectors - vectors[at], axis=1)
        closer = free & (apart < length)
        length[closer], before[closer] = apart[closer], at
        at = int(np.argmin(np.where(free, length, np.inf)))
        edges[i], lengths[i] = (before[at], at), length[at]
    return edges, lengths


def linked(vectors: np.ndarray, bridged: Callable[[np.ndarray], np.ndarray], near: float) -> np.ndarray:
    """Return which line or surface each point is on, as numbers from 0.

    Neighbours in the shortest tree are on one. Where they are far apart, `bridged` decides.

    Args:
        vectors: The points, (N, n), N at least 1.
        bridged: Tells whether the line or surface goes on between pairs of points, given by their places, (pairs, 2).
        near: A distance above which all pairs are far apart.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges, lengths = shortest_tree(vectors)
    kept = lengths <= min(near, GAP * np.median(lengths) if len(lengths) > TOO_FEW else 0.0)
    long = np.flatnonzero(~kept)
    if len(long):
        kept[long] = bridged(edges[long])
    edges = edges[kept]
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(vectors), len(vectors)))
    return connected_components(graph, directed=False)[1].astype(int)


def extent(vectors: np.ndarray, dimension: int) -> float:
    """Return the length of a line, along it; of a surface the largest distance between two of its points."""
    from scipy.sparse.csgraph import dijkstra

    if len(vectors) < 2:
        return 0.0
    if dimension > 1:
        return float(max(np.linalg.norm(vectors - vectors[end], axis=1).max() for end in spread_out(vectors, 64)))
    tree = _tree(vectors)
    far = int(np.argmax(dijkstra(tree, directed=False, indices=0)))
    return float(np.max(dijkstra(tree, directed=False, indices=far)))


def _tree(vectors: np.ndarray) -> Any:
    """Return the shortest tree as a sparse matrix of lengths."""
    from scipy.sparse import coo_array

    edges, lengths = shortest_tree(vectors)
    # a length of 0 would be no edge
    return coo_array((np.maximum(lengths, 1e-300), (edges[:, 0], edges[:, 1])), shape=(len(vectors), len(vectors)))


def along(vectors: np.ndarray) -> np.ndarray:
    """Return the order of the points of a line from one of its ends to the other."""
    from scipy.sparse.csgraph import dijkstra

    tree = _tree(vectors)
    far = int(np.argmax(dijkstra(tree, directed=False, indices=0)))
    return np.argsort(dijkstra(tree, directed=False, indices=far), kind="stable")


def lies_between(vectors: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return whether each vector is between two others: not much nearer to one of them than to the other, (N,)."""
    farther = np.maximum(np.linalg.norm(vectors - one, axis=1), np.linalg.norm(vectors - other, axis=1))
    return farther < BETWEEN * np.linalg.norm(one - other, axis=1)


def local_dimension(vectors: np.ndarray, most: int) -> int:
    """Return along how many directions neighbouring points spread out, up to `most`: a principal component analysis.

    Directions count that have at least a fifth of the spread of the first; the median over some points.
    """
    near = min(NEIGHBOURS * (most + 1), len(vectors))
    counts = []
    for i in spread_out(vectors, LISTED):
        closest = np.argsort(np.linalg.norm(vectors - vectors[i], axis=1))[:near]
        spreads = np.linalg.svd(vectors[closest] - vectors[closest].mean(axis=0), compute_uv=False)
        counts.append(np.sum(spreads > NARROW * spreads[0]))
    return int(min(np.median(counts), most))
