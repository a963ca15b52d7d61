"""Which solutions are the same cycle: true periods, cyclic shifts, and duplicates within what rounding explains."""

import numpy as np

# two solutions are one cycle if they differ by at most so many times the sum of their errors
FACTOR = 8.0
# with an error above eps to this power of the size of the states, a solution is one of a family
UNDETERMINED = 0.25


def errors_of(states: np.ndarray, response: np.ndarray, scale: float, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each solution may be from its cycle, (S,), and whether it is one of a family, (S,).

    `response` is how rounding errors of some signs move the solution, and what Newton's method would still change.
    Members of a family are exact solutions, each at its own place, so they are compared by a tolerance of their own.
    """
    size = np.maximum(np.max(np.abs(states), axis=(1, 2)), scale)
    error = np.max(np.abs(response), axis=(1, 2)) + eps * size
    family = error > eps**UNDETERMINED * size
    return np.where(family, eps**0.75 * size, error), family


def true_period(states: np.ndarray, error: float) -> int:
    """Return the smallest divisor q of p for which h_{i+q} = h_i for all i, within the error."""
    p = len(states)
    for q in range(1, p):
        if p % q == 0 and np.max(np.abs(np.roll(states, -q, axis=0) - states)) <= 2 * FACTOR * error:
            return q
    return p


def from_first(states: np.ndarray, error: float) -> int:
    """Return the place of the first state in lexicographic order: from it on, all shifts of a cycle are the same."""
    rows = list(range(len(states)))
    for column in states.T:
        least = min(column[row] for row in rows)
        rows = [row for row in rows if column[row] <= least + 2 * FACTOR * error]
    return rows[0]


def merged(states: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the distinct cycles among S solutions, and for each solution which of them it is.

    The solutions known best choose first: each takes all that are left within FACTOR times the sum of both errors, in
    any cyclic shift. Means over the cycle do not change by a shift, so only those with equal means are compared.

    Cost:
        O(S n) for each distinct cycle, and O(p² n) for each pair with equal means.
    """
    count, p, _ = states.shape
    means = states.mean(axis=1)
    label = np.full(count, -1)
    chosen: list[int] = []
    for i in np.argsort(error, kind="stable"):
        if label[i] >= 0:
            continue
        left = np.flatnonzero(label < 0)
        reach = FACTOR * (error[i] + error[left])
        near = np.max(np.abs(means[left] - means[i]), axis=1) <= reach
        left, reach = left[near], reach[near]
        apart = [np.max(np.abs(np.roll(states[i], -s, axis=0) - states[left]), axis=(1, 2)) for s in range(p)]
        label[left[np.min(apart, axis=0) <= reach]] = len(chosen)
        label[i] = len(chosen)
        chosen.append(int(i))
    return np.array(chosen, int), label
