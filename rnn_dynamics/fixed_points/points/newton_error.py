"""How far a vector is from the fixed point that it approximates: to first order (I - J)⁻¹ times what f is off by."""

from typing import NamedTuple

import numpy as np


class NewtonError(NamedTuple):
    """How far N vectors are from the fixed points that they approximate.

    Attributes:
        size: A bound for the distance, (N,).
        shift: A displacement within it: the one that moves some component most, (N, n).
        correction: Newton's step towards the fixed point, (N, n).
        inverse_norm: ‖(I - J)⁻¹‖_F, (N,).
    """

    size: np.ndarray
    shift: np.ndarray
    correction: np.ndarray
    inverse_norm: np.ndarray


def rounding_of(vectors: np.ndarray, f: np.ndarray, J: np.ndarray, eps: float) -> np.ndarray:
    """Return how far rounding may have moved each component of f: about eps (|J| |h| + |h| + |f| + max |h|).

    The last term is for steps that compute a small component from large numbers.
    """
    size = np.abs(vectors)
    largest = np.max(size, axis=1, keepdims=True, initial=0.0)
    return eps * (np.einsum("kij,kj->ki", np.abs(J), size) + size + np.abs(f) + largest)


def newton_error(
    vectors: np.ndarray, f: np.ndarray, J: np.ndarray, eps: float, inverse: np.ndarray | None = None
) -> NewtonError:
    """Return the error of vectors (N, n) with f and J there; `inverse` of (I - J) is computed if it is None."""
    rounding = rounding_of(vectors, f, J, eps)
    inverse = inverses(np.eye(J.shape[-1]) - J) if inverse is None else inverse
    correction = np.einsum("kij,kj->ki", inverse, f)
    # components are rounded independently of each other
    scaled = inverse * rounding[:, None, :]
    by_rounding = np.linalg.norm(scaled, axis=2)
    worst = by_rounding.argmax(axis=1)[:, None, None] if len(vectors) else np.zeros((0, 1, 1), int)
    direction = np.take_along_axis(scaled, worst, 1)[:, 0]
    direction = direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-300)
    shift = np.einsum("kij,kj->ki", scaled, direction) + correction
    size = np.linalg.norm(by_rounding, axis=1) + np.linalg.norm(correction, axis=1)
    return NewtonError(size, shift, correction, np.linalg.norm(inverse, axis=(1, 2)))


def inverses(matrices: np.ndarray) -> np.ndarray:
    """Return the inverses of (N, n, n); where there is none, with eps² in place of singular values of zero."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        U, s, Vh = np.linalg.svd(matrices)
        return np.einsum("kji,kj,klj->kil", Vh, 1 / np.maximum(s, np.finfo(float).eps ** 2), U)


def inverses_across(matrices: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return the pseudo-inverses of (N, n, n) that leave out the `flat` (N,) least singular values of each."""
    U, s, Vh = np.linalg.svd(matrices)
    kept = np.arange(s.shape[-1]) < s.shape[-1] - flat[:, None]
    return np.einsum("kji,kj,klj->kil", Vh, np.where(kept, 1 / np.where(kept, s, 1.0), 0.0), U)
