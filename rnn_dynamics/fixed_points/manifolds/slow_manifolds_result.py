"""The result of `slow_manifolds`."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float, Int

from ...cells.contract import State
from ...machinery.printed import Table, fields_of, number, printable


@printable
class SlowManifolds(NamedTuple):
    """The lines and surfaces along which states move slowly, from `slow_manifolds`: M of them, with N states on them.

    Fields of states come first, then those of whole lines or surfaces, those with most states first.

    Attributes:
        points: States on the manifolds, a pytree like a state with a leading axis N; on a line in their order along it.
        drift: How far one step moves each of them along the manifold, as a vector of the numbers of a state, (N, n).
        eigenvalues: The eigenvalues of the Jacobian there, in descending order of their magnitudes, (N, n), complex.
        slow: How many directions are slow there, the dimension of the manifold near it, (N,).
        manifold: The manifold on which each is, (N,).
        dimension: The dimension of each manifold: the median of `slow`, (M,).
        visited: Along how many directions its states spread out locally, (M,): fewer than `dimension` where the
            candidates visit only a part of it.
        extent: The length of a line, along it; of a surface the largest distance between two of its states, (M,).
        speed: How far one step moves a state on it, the 2-norm of `drift`: the median over its states, (M,).
        fastest: The largest of these speeds, (M,).
        time_constant: The steps 1 / |1 - λ| for the eigenvalue nearest to 1, the median over its states, (M,).
        across: The largest |eigenvalue| of the other directions, the median over its states, (M,): below 1 where states
            are attracted. 0 where there is no other direction.
        share: The share of the candidates that were brought onto it, (M,).
    """

    points: State
    drift: Float[Array, "N n"]
    eigenvalues: Complex[Array, "N n"]
    slow: Int[Array, " N"]
    manifold: Int[Array, " N"]
    dimension: Int[Array, " M"]
    visited: Int[Array, " M"]
    extent: Float[Array, " M"]
    speed: Float[Array, " M"]
    fastest: Float[Array, " M"]
    time_constant: Float[Array, " M"]
    across: Float[Array, " M"]
    share: Float[Array, " M"]

    def _headline(self) -> str:
        count = len(np.asarray(self.dimension))
        kinds = [{1: "line", 2: "surface"}.get(int(d), f"{int(d)}-dim. manifold") for d in np.asarray(self.dimension)]
        words = ", ".join(f"{kinds.count(kind)} {kind}{'s' * (kinds.count(kind) > 1)}" for kind in dict.fromkeys(kinds))
        left = 1 - float(np.sum(self.share)) if count else 1.0
        return f"(n={np.shape(self.eigenvalues)[-1]}): {words or 'none'}; {abs(left):.0%} of the candidates on none"

    def _table(self) -> Table:
        if np.ndim(self.eigenvalues) != 2:
            return fields_of(self)
        columns = ["manifold", "dimension", "visited", "extent", "drift", "fastest", "time constant", "across", "share"]
        values = zip(*(np.asarray(field) for field in self[-8:-1]), strict=True)
        rows = [[str(i), *map(number, row), f"{float(self.share[i]):.1%}"] for i, row in enumerate(values)]
        return Table(columns, rows)
