"""Eigenvalues and eigenvectors of the Jacobians at points, and how far rounding can have moved each eigenvalue.

An eigenvalue λ with right vector r of norm 1 and left vector l, lᴴ r = 1, moves by lᴴ E r under a small change E of its
matrix, hence by at most ‖l‖ ‖E‖. Where two eigenvalues meet without two vectors, ‖l‖ is infinite and the movement is a
root of ‖E‖. It is then read from the pseudospectrum.
"""

from typing import NamedTuple

import numpy as np

# rounding of the entries of J and of the eigenvalue solver, in units of eps ‖J‖_F; LAPACK was seen to need 6 at n = 6
ROUNDING = 16.0


class EigenAnalysis(NamedTuple):
    """Eigenvalues of N matrices in descending order of magnitude, their vectors, and how far rounding moved them.

    Attributes:
        eigenvalues: (N, n).
        right: Right eigenvectors of norm 1, the columns of (N, n, n).
        left: Left eigenvectors, leftᴴ right = 1; NaN where a matrix has no full set of eigenvectors.
        error: How far each eigenvalue can have moved, (N, n).
    """

    eigenvalues: np.ndarray
    right: np.ndarray
    left: np.ndarray
    error: np.ndarray


def eigen_analysis(J: np.ndarray, shift: np.ndarray, eps: float) -> EigenAnalysis:
    """Return the eigenvalues and vectors of matrices (N, n, n), each known up to `shift` (N, n, n) and rounding.

    eps is the relative precision of the float type in which J was computed.
    """
    count, n, _ = J.shape
    if count == 0:
        none = np.zeros((0, n, n), complex)
        return EigenAnalysis(none[:, 0], none, none, np.zeros((0, n)))
    eigenvalues, right = (array.astype(complex) for array in np.linalg.eig(J))
    order = np.lexsort((-eigenvalues.imag, -np.abs(eigenvalues)), axis=-1)
    eigenvalues = np.take_along_axis(eigenvalues, order, -1)
    right = np.take_along_axis(right, order[:, None, :], -1)
    left = np.stack([_inverse(vectors).conj().T for vectors in right])
    change = ROUNDING * eps * np.linalg.norm(J, axis=(1, 2)) + np.linalg.norm(shift, axis=(1, 2))
    change = np.where(np.isfinite(change), change, np.inf)  # J is not finite next to the point: nothing is decided
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.linalg.norm(left, axis=1) * change[:, None]
    for i in np.flatnonzero([_meets(*each, eps) for each in zip(eigenvalues, left, error, strict=True)]):
        suspects = _suspects(left[i], eps)
        left[i] = np.nan
        error[i, suspects] = [pseudospectral_reach(J[i], each, change[i]) for each in eigenvalues[i, suspects]]
    return EigenAnalysis(eigenvalues, right, left, error)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse, or infinities where there is none."""
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.inf)


def _suspects(left: np.ndarray, eps: float) -> np.ndarray:
    """Return which eigenvalues have a left vector so long that their two vectors are nearly perpendicular."""
    return np.flatnonzero(~(np.linalg.norm(left, axis=0) <= 0.1 / np.sqrt(eps)))


def _meets(eigenvalues: np.ndarray, left: np.ndarray, error: np.ndarray, eps: float) -> bool:
    """Return whether two eigenvalues may be one without two eigenvectors: their vectors are nearly parallel."""
    if not np.all(np.isfinite(left)):
        return True
    suspects = _suspects(left, eps)
    if not len(suspects):
        return False
    gaps = np.abs(eigenvalues[suspects, None] - eigenvalues[None, suspects])
    np.fill_diagonal(gaps, np.inf)
    return bool(np.any(gaps <= 10 * (error[suspects, None] + error[None, suspects])))


def pseudospectral_reach(J: np.ndarray, eigenvalue: complex, change: float) -> float:
    """Return how far outwards an eigenvalue of J can move if J changes by `change`, to within a factor of 2.

    It is the largest r for which the least singular value of J - (λ + r λ/|λ|) I is at most `change`.
    """
    size = abs(eigenvalue)
    outwards = eigenvalue / size if size > 0 else 1.0
    radii = 2.0 ** np.arange(2, -55, -1)
    shifted = J - (eigenvalue + radii * outwards)[:, None, None] * np.eye(len(J))
    reached = np.linalg.svd(shifted, compute_uv=False)[:, -1] <= change
    return float(2 * radii[np.argmax(reached)]) if reached.any() else float(change)
