"""Merge the ends of a search that are the same point, each with the tolerance to which it is known."""

import numpy as np

# two ends are one point if they differ by at most so many times the sum of their errors
FACTOR = 4.0


def merged(vectors: np.ndarray, error: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct points among N ends, and for each end which of them it is.

    The ends known best choose first: each takes all that are left within FACTOR times the sum of both errors. So an
    end known badly joins one point, and never makes one of two. A point is represented by the least residual among the
    ends known as well as the best of it.

    Args:
        vectors: The ends, (N, n).
        error: How far each may be from the point that it approximates, (N,).
        residual: The size of step(h) - h, (N,).

    Returns:
        The places of the representatives among the ends, (points,), and the number of each end's point, (N,).

    Cost:
        O(N log N + N n) if ends are rarely near each other: only those are compared that a projection cannot tell
        apart.
    """
    count, n = vectors.shape
    direction = np.cos(np.arange(n) * np.sqrt(2.0) + 1.0)
    along = vectors @ (direction / max(np.linalg.norm(direction), 1e-300))
    by_place = np.argsort(along)
    sorted_along, largest = along[by_place], np.max(error, initial=0.0)
    rounding = 4 * np.finfo(float).eps * np.max(np.abs(vectors), initial=0.0) * np.sqrt(n)
    label = np.full(count, -1)
    representatives: list[int] = []
    for i in np.lexsort((residual, error)):
        if label[i] >= 0:
            continue
        reach = FACTOR * (error[i] + largest) + rounding
        window = by_place[slice(*np.searchsorted(sorted_along, [along[i] - reach, along[i] + reach]))]
        window = np.append(window[label[window] < 0], i)
        apart = np.linalg.norm(vectors[window] - vectors[i], axis=1)
        members = window[apart <= FACTOR * (error[i] + error[window])]
        label[members] = len(representatives)
        known_well = members[error[members] <= 2 * error[i]]
        representatives.append(int(known_well[np.argmin(residual[known_well])]))
    return np.array(representatives, int), label
