"""What is said of each point that a search found: a plain version."""

import jax
import jax.numpy as jnp
import numpy as np

from .newton import local_maps
from .problem import Problem
from .result import Ending, FixedPoints
from .search import Search


def described(problem: Problem, search: Search, x_axis: int | None = None) -> FixedPoints:
    """Merge the ends of a search and describe each distinct point."""
    del x_axis
    converged = np.flatnonzero(search.ending != Ending.NOT_CONVERGED)
    converged = converged[np.argsort(search.residual[converged], kind="stable")]
    C = len(search.vectors)
    vectors = np.concatenate([search.vectors, search.more])
    which = np.concatenate([search.input, search.more_input])
    endings = np.concatenate([search.ending, np.full(len(search.more), Ending.FIXED)])
    ended_at, points, counts = np.full(C, -1), [], []
    eps = np.finfo(search.vectors.dtype).eps
    for i in [*converged, *range(C, len(vectors))]:
        near = [
            np.max(abs(vectors[i] - vectors[p])) < eps**0.4 * search.scale
            and which[i] == which[p]
            and endings[i] == endings[p]
            for p in points
        ]
        at = int(np.argmax(near)) if any(near) else len(points)
        if at == len(points):
            points.append(i)
            counts.append(0)
        if i < C:
            counts[at] += 1
            ended_at[i] = at
    order = np.argsort(-np.array(counts, int), kind="stable")
    place = np.argsort(order)
    ended_at = np.where(ended_at >= 0, place[ended_at] if len(place) else -1, -1)
    points = np.array(points, int)[order]
    n, N = vectors.shape[1], len(points)
    v, counts = vectors[points], np.array(counts, int)[order]
    f, J = local_maps(problem.step, problem.params, search.xs, jnp.asarray(which[points]), jnp.asarray(v))
    f, J = np.asarray(f, float), np.asarray(J, float)
    values, right = np.linalg.eig(J) if N else (np.zeros((0, n)), np.zeros((0, n, n)))
    rank = np.argsort(-abs(values), axis=1)
    values = np.take_along_axis(values, rank, 1).astype(complex)
    right = np.take_along_axis(right, rank[:, None, :], 2).astype(complex)
    left = np.conj(np.swapaxes(np.linalg.inv(right), 1, 2)) if N else right
    size = abs(values)
    error = np.full(N, n * eps * 10)
    starts = np.asarray(problem.vectors, float)
    distance = np.array([np.min(np.linalg.norm(starts - p, axis=1)) for p in v])
    distance = distance / max(np.linalg.norm(np.std(starts, axis=0)), 1e-30)
    with np.errstate(divide="ignore"):
        time = -1 / np.log(size)
    return FixedPoints(
        points=jax.vmap(problem.unflatten)(jnp.asarray(v)),
        speed=np.linalg.norm(f, axis=1),
        residual=np.max(abs(f), axis=1, initial=0.0),
        fixed=endings[points] == Ending.FIXED,
        eigenvalues=values,
        right=right,
        left=left,
        stable=np.all(size < 1 - error[:, None], axis=1),
        undecided=np.any(abs(size - 1) <= error[:, None], axis=1),
        unstable=np.sum(size > 1 + error[:, None], axis=1),
        margin=1 - size[:, 0],
        margin_error=error,
        time_constants=time,
        frequencies=abs(np.angle(values)) / (2 * np.pi),
        share=counts / C,
        distance=distance,
        outlier=distance > 10,
        dimension=np.zeros(N, int),
        manifold=np.full(N, -1),
        input=which[points],
        jacobians=J,
        ending=search.ending,
        ended_at=ended_at,
    )
