"""Floquet multipliers: the eigenvalues of the product of the Jacobians over a cycle, the small ones included.

The eigenvalues of the product as a matrix P are right to about eps ‖P‖, so those far below the largest are noise. The
periodic orthogonal iteration never adds numbers of so different sizes. From any orthogonal Q_0 it computes

    J_i Q_i = Q_{i+1} R_i,   i = 0 .. q - 1,   hence  Q_0ᵀ P Q_0 = U R,   U = Q_0ᵀ Q_q,   R = R_{q-1} ··· R_0

and repeats it from Q_q, until U is diagonal in blocks. The eigenvalues are then those of the blocks of U R, and what
was taken for 0 in U is a relative change of eps in each factor. This is the first half of the periodic QR algorithm
of Bojanczyk, Golub & Van Dooren (1992).
"""

import itertools

import numpy as np

# a sweep costs as much as the whole direct way: many for small states, few for large ones
SWEEPS = 1000
# eigenvalues of one block with magnitudes as near each other as this lose nothing by standing in one matrix
ALIKE = 1e-2


def multipliers(J: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of J_{q-1} ··· J_0 for Jacobians (q, n, n), in descending order of magnitude.

    Cost:
        O(q n³) for each of up to 60 sweeps, 1000 / n for large n.
    """
    n = J.shape[1]
    Q = np.eye(n)
    best: tuple[int, np.ndarray] | None = None
    for _ in range(max(8, min(60, SWEEPS // n))):
        values, unresolved, Q = _sweep(J, Q)
        if best is None or unresolved <= best[0]:
            best = unresolved, values
        if not unresolved:
            break
    assert best is not None
    found = best[1]
    return found[np.lexsort((-found.imag, -np.abs(found)))]


def _sweep(J: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Return the eigenvalues of the blocks, the rows of those blocks that may still split, and the next Q."""
    V, R = Q, np.eye(len(Q))
    for one in J:
        V, factor = np.linalg.qr(one @ V)
        R = factor @ R
    U = Q.T @ V
    n = len(U)
    small = 4 * n * np.finfo(float).eps
    cuts = [0, *(i for i in range(1, n) if np.max(np.abs(U[i:, :i])) <= small), n]
    blocks = [slice(a, b) for a, b in itertools.pairwise(cuts)]
    found = [np.linalg.eigvals(U[b, b] @ R[b, b]).astype(complex) for b in blocks]
    alike = [np.min(np.abs(values)) >= ALIKE * np.max(np.abs(values)) for values in found]
    return np.concatenate(found), sum(len(v) for v, done in zip(found, alike, strict=True) if not done), V


def product(J: np.ndarray) -> np.ndarray:
    """Return J_{q-1} ··· J_0."""
    P = np.eye(J.shape[1])
    for one in J:
        P = one @ P
    return P
