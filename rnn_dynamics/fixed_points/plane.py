"""Planes in state space, to look at what happens there: through three states, or the principal plane of many."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from ..cells.contract import State
from ..machinery import entry
from ..machinery.printed import Table, fields_of, printable
from ..machinery.state_vector import flatten
from ..machinery.state_vector import rows as rows

# how far a plane reaches beyond the states in it, as a share of their range
MARGIN = 0.15


class Components(NamedTuple):
    """The principal components of vectors of n numbers.

    Attributes:
        mean: The mean of the vectors, (n,).
        directions: Orthonormal directions of decreasing variance, (components, n). A direction beyond the rank is 0.
        shares: The share of the variance along each, (components,); NaN where there is no variance.
    """

    mean: NDArray
    directions: NDArray
    shares: NDArray


@printable
class Plane(NamedTuple):
    """A plane in state space, from `rd.fixed_points.principal_plane`.

    Attributes:
        origin: A state in the plane.
        directions: Two orthonormal directions, a pytree like a state with a leading axis 2.
        shares: The share of the states' variance along each direction, (2,).
        extent: A square that holds the states, with a margin: the least and the greatest coordinate along the first
            direction, then along the second, (4,).
    """

    origin: State
    directions: State
    shares: Float[Array, " 2"]
    extent: Float[Array, " 4"]

    def _headline(self) -> str:
        return f"({' and '.join(f'{share:.0%}' for share in np.asarray(self.shares))} of the variance)"

    def _table(self) -> Table:
        return fields_of(self)


def principal_plane(states: State) -> Plane:
    """Return the plane of the first two principal components of states.

    Of three states, this is the plane through them.

    Args:
        states: At least three states that do not lie on one line, a pytree like a state with a leading axis: points,
            or the states of a trajectory, as `rd.unroll` returns them.

    Returns:
        A `Plane`: its origin is the mean of the states.

    Cost:
        One singular value decomposition of a matrix (states, n), on the host.

    Example:
        >>> corners = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> plane = rd.fixed_points.principal_plane(corners)
        >>> bool(jnp.allclose(plane.directions @ jnp.ones(3), 0, atol=1e-6))
        True
    """
    entry.enter(lambda p, h, x: h, states=states)  # there is no step to check
    count = entry.time_steps(states, None, "states", "states")
    vectors = rows(states)
    found = principal_components(vectors, 2)
    if count < 3 or not np.all(found.shares > 0):  # NaN for one point
        raise ValueError(f"states: got {count} states on one line or in one point, expected three or more in a plane")
    places = (vectors - found.mean) @ found.directions.T
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, (0.5 + MARGIN) * np.max(high - low)
    extent = np.stack([middle - half, middle + half], axis=1).ravel()
    vector, unflatten = flatten(jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], states))
    as_state = [unflatten(jnp.asarray(each, vector.dtype)) for each in (found.mean, *found.directions)]
    directions = jax.tree.map(lambda *leaves: jnp.stack(leaves), *as_state[1:])
    return Plane(as_state[0], directions, jnp.asarray(found.shares), jnp.asarray(extent))


def principal_components(vectors: NDArray, count: int) -> Components:
    """Return the first principal components of the rows of a matrix. Rows that are not finite are left out.

    The sign of a direction is such that its largest entry is positive. Numbers of any size are safe from overflow.
    """
    finite = np.asarray(vectors, float)[np.isfinite(vectors).all(axis=1)]
    n = vectors.shape[1]
    if not len(finite):
        return Components(np.zeros(n), np.eye(count, n), np.full(count, np.nan))
    scale = float(np.abs(finite).max()) or 1.0
    scaled = finite / scale
    mean = scaled.mean(axis=0)
    _, sizes, directions = np.linalg.svd(scaled - mean, full_matrices=False)
    rank = int(np.sum(sizes > max(finite.shape) * np.finfo(float).eps * max(sizes[0], 1.0)))
    if not rank:  # one point, as often as it may be there: any directions will do
        return Components(mean * scale, np.eye(count, n), np.full(count, np.nan))
    kept, shown = np.zeros((count, n)), min(rank, count)
    largest = np.argmax(np.abs(directions[:shown]), axis=1)
    kept[:shown] = directions[:shown] * np.sign(directions[np.arange(shown), largest])[:, None]
    shares = np.zeros(count)
    shares[:shown] = sizes[:shown] ** 2 / np.sum(sizes**2)
    return Components(mean * scale, kept, shares)
