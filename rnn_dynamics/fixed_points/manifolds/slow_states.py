"""States moved onto a slow manifold, by Newton's method in the fast directions alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..local_maps import LocalMaps, local_maps
from ..problem import Problem

# no step is longer than so many times the spread of the candidates
LONGEST = 1.0


class SlowStates(NamedTuple):
    """States on a slow manifold, N of them.

    Attributes:
        vectors: (N, n).
        eigenvalues: Of the Jacobian, in descending order of magnitude, (N, n).
        slow: Which of them are slow, (N, n).
        drift: The part of step(h) - h along the slow directions, (N, n).
        converged: Whether nothing is left along the fast directions, (N,).
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray
    slow: np.ndarray
    drift: np.ndarray
    converged: np.ndarray

    def at(self, places: np.ndarray) -> "SlowStates":
        """Return some of them."""
        return SlowStates(*(array[places] for array in self))

    @property
    def dimension(self) -> np.ndarray:
        """Return how many directions are slow, (N,)."""
        return np.sum(self.slow, axis=1)


def relaxed(problem: Problem, vectors: np.ndarray, slow: float, spread: float, iterations: int) -> SlowStates:
    """Move vectors (N, n) onto the slow manifolds near them; directions with |1 - λ| of at most `slow` are slow."""
    real = problem.vectors.dtype
    count, n = vectors.shape
    tolerance = float(jnp.finfo(real).eps) ** 0.6 * spread
    found = SlowStates(
        vectors.astype(real).astype(np.float64),
        np.zeros((count, n), complex),
        np.zeros((count, n), bool),
        np.zeros((count, n)),
        np.zeros(count, bool),
    )
    rows = np.arange(count)
    for _ in range(iterations + 1):
        maps = _maps(problem, found.vectors[rows])
        finite = np.isfinite(maps.f).all(axis=1) & np.isfinite(maps.J).all(axis=(1, 2))
        rows, maps = rows[finite], LocalMaps(maps.f[finite], maps.J[finite])
        found.eigenvalues[rows], found.slow[rows], found.drift[rows], correction = _split(maps, slow)
        size = np.linalg.norm(correction, axis=1)
        found.converged[rows] = size <= tolerance
        rows, correction, size = rows[size > tolerance], correction[size > tolerance], size[size > tolerance]
        if not len(rows):
            break
        moved = found.vectors[rows] + correction * np.minimum(1, LONGEST * spread / size)[:, None]
        found.vectors[rows] = moved.astype(real)
    return found


def _maps(problem: Problem, vectors: np.ndarray) -> LocalMaps:
    xs = jax.tree.map(lambda leaf: np.asarray(leaf)[None], problem.x)
    return local_maps(problem, xs, vectors, np.zeros(len(vectors), int))


def _split(maps: LocalMaps, slow: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the eigenvalues, which are slow, the slow part of f, and Newton's step in the fast directions."""
    eigenvalues, right = (array.astype(complex) for array in np.linalg.eig(maps.J))
    order = np.argsort(-np.abs(eigenvalues), axis=1, kind="stable")
    eigenvalues = np.take_along_axis(eigenvalues, order, 1)
    right = np.take_along_axis(right, order[:, None], 2)
    components = _components(right, maps.f)
    is_slow = np.abs(1 - eigenvalues) <= slow
    drift = np.einsum("kij,kj->ki", right, np.where(is_slow, components, 0)).real
    fast = np.where(is_slow, 0, components / np.where(is_slow, 1, 1 - eigenvalues))
    return eigenvalues, is_slow, drift, np.einsum("kij,kj->ki", right, fast).real


def _components(right: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return the components of f along the eigenvectors, lᴴ f; least squares where these do not span the space."""
    try:
        return np.linalg.solve(right, f[..., None].astype(complex))[..., 0]
    except np.linalg.LinAlgError:
        return np.einsum("kij,kj->ki", np.linalg.pinv(right), f)
