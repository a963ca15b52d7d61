"""The result of `find_fixed_points`."""

import enum
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from ..cells.contract import State
from ..machinery.printed import Table, fields_of, printable, span


class Ending(enum.IntEnum):
    """How the search from one candidate ended.

    Attributes:
        NOT_CONVERGED: At neither of the two below, within the iterations allowed, or at numbers that are not finite.
        SLOW: At a slow point: a local minimum of the speed at which the state still moves.
        FIXED: At a fixed point, to the last digits of the float type.

    Example:
        >>> rd.fixed_points.Ending(2).name
        'FIXED'
    """

    NOT_CONVERGED = 0
    SLOW = 1
    FIXED = 2


@printable
class FixedPoints(NamedTuple):
    """The distinct fixed points and slow points of a step, from `find_fixed_points`: N of them, the most visited first.

    J is the Jacobian of the step at a point. Eigenvalues are in descending order of their magnitudes. At a slow point
    one of them is 1, since (J - I)ᵀ f = 0 there, and `stable`, `undecided` and `unstable` are about the others.

    Attributes:
        points: The points, a pytree like a state with a leading axis N.
        speed: How far one step moves the state, the 2-norm of step(h) - h, (N,).
        residual: The largest component of step(h) - h, (N,).
        fixed: Whether it is a fixed point, (N,); otherwise it is a slow point.
        eigenvalues: The eigenvalues of J, (N, n), complex.
        right: The right eigenvectors, the columns of (N, n, n), complex, of norm 1.
        left: The left eigenvectors, the columns of (N, n, n), complex, so scaled that leftᴴ · right is the identity;
            NaN at a point where J has no full set of eigenvectors.
        stable: Whether all |eigenvalues| are below 1 by more than `margin_error`, (N,).
        undecided: Whether some |eigenvalue| is so close to 1 that rounding decides on which side, (N,).
        unstable: How many |eigenvalues| are above 1 by more than their error, (N,).
        margin: 1 - the largest |eigenvalue|, (N,): positive where perturbations die out.
        margin_error: How far rounding, of the point and of J, can have moved the |eigenvalue| nearest to 1, (N,).
        time_constants: The steps in which a perturbation along each eigenvector shrinks to 1/e, (N, n): -1 / ln |λ|.
            Negative where it grows, by e in as many steps; infinite at |λ| = 1.
        frequencies: How often a perturbation along each eigenvector turns, (N, n), in cycles per step: |arg λ| / 2π.
        share: The share of the candidates that ended there, (N,).
        distance: The distance to the nearest candidate, relative to the spread of the candidates, (N,).
        outlier: Whether that distance is above 2: the point is then far from where the network works, (N,). The spread
            of the candidates is their root mean square distance from their mean.
        dimension: The number of directions along which neighbouring points are fixed or slow as well, (N,): 0 for an
            isolated point, 1 on a line attractor.
        manifold: Which line or surface of such points it belongs to, (N,); -1 for an isolated point. Of a line or
            surface at most 16 well-spread points are listed, no outliers if there are others, and each candidate is
            counted at the nearest of them. `slow_manifolds` measures those that are only nearly at rest.
        input: Which of several inputs it belongs to, (N,); 0 for one input.
        jacobians: J at each point, (N, n, n).
        ending: How each candidate ended, (inputs · candidates,), as `Ending` codes.
        ended_at: The point at which each candidate ended, (inputs · candidates,); -1 where it did not converge.
        unseen: A bound for the probability that one more start of the search ends at a fixed point that is not listed,
            at a confidence of 95 %: 1 - 0.05^(1/N) if the last N starts found none. It tells nothing of points that
            hardly any such start reaches.
        incomplete: Whether it is certain that fixed points are missing: the step sends a large box into itself, no
            point is degenerate, and yet `index_sum` is not 1. More candidates may find them.
    """

    points: State
    speed: Float[Array, " N"]
    residual: Float[Array, " N"]
    fixed: Bool[Array, " N"]
    eigenvalues: Complex[Array, "N n"]
    right: Complex[Array, "N n n"]
    left: Complex[Array, "N n n"]
    stable: Bool[Array, " N"]
    undecided: Bool[Array, " N"]
    unstable: Int[Array, " N"]
    margin: Float[Array, " N"]
    margin_error: Float[Array, " N"]
    time_constants: Float[Array, "N n"]
    frequencies: Float[Array, "N n"]
    share: Float[Array, " N"]
    distance: Float[Array, " N"]
    outlier: Bool[Array, " N"]
    dimension: Int[Array, " N"]
    manifold: Int[Array, " N"]
    input: Int[Array, " N"]
    jacobians: Float[Array, "N n n"]
    ending: Int[Array, " candidates"]
    ended_at: Int[Array, " candidates"]
    unseen: float = float("nan")
    incomplete: bool = False

    @property
    def index_sum(self) -> Int[Array, " inputs"]:
        """The sum of sign det(I - J) over the isolated fixed points of each input, up to the last with a point listed.

        For a net with bounded states it is 1 if all points are known and none is degenerate (Lefschetz; Hopf). Another
        value proves that points are missing, or that one is degenerate. The reverse does not hold, since points are
        born in pairs whose signs cancel. Maps that do not send some large box into itself, such as x -> 4x(1-x), have
        other sums.

        Example:
            >>> found = rd.find_fixed_points(lambda g, h, x: jnp.tanh(g * h), 2.0, jnp.array([[0.5]]))
            >>> found.index_sum.tolist()
            [1]
        """
        isolated = np.asarray(self.fixed) & (np.asarray(self.manifold) < 0)
        J = np.asarray(self.jacobians, np.float64)
        sign = np.linalg.slogdet(np.eye(J.shape[-1]) - J)[0]
        inputs = np.asarray(self.input)
        sums = np.zeros(1 + int(inputs.max(initial=0)), np.int32)
        np.add.at(sums, inputs[isolated], sign[isolated].astype(np.int32))
        return jnp.asarray(sums)

    def _headline(self) -> str:
        ending = np.asarray(self.ending)
        lost = f"{np.mean(ending == Ending.NOT_CONVERGED):.0%} of {ending.size} candidates lost" if ending.size else ""
        missing = "; some points are missing" if np.any(self.incomplete) else ""
        return f"(n={np.shape(self.eigenvalues)[-1]}): {', '.join(_counts(self)) or 'nothing found'}; {lost}{missing}"

    def _table(self) -> Table:
        if np.ndim(self.eigenvalues) != 2:
            return fields_of(self)
        several, outliers = bool(np.any(np.asarray(self.input) > 0)), bool(np.any(np.asarray(self.outlier)))
        columns = ["point", "kind", "stability", "speed", "|λ_1|", "slowest", "candidates"]
        columns += ["input"] * several + ["outlier"] * outliers
        rows = []
        for members in _rows_of(np.asarray(self.manifold)):
            row = _row(self, members)
            row += [str(int(self.input[members[0]]))] * several
            row += ["outlier" if np.all(np.asarray(self.outlier)[members]) else ""] * outliers
            rows.append(row)
        return Table(columns, rows)


def _counts(found: FixedPoints) -> list[str]:
    """Return how many there are of each kind, in words."""
    fixed, isolated = np.asarray(found.fixed), np.asarray(found.manifold) < 0
    stable = int(np.sum(fixed & isolated & np.asarray(found.stable)))
    lines = len(np.unique(np.asarray(found.manifold)[~isolated]))
    counts = [f"{int(np.sum(fixed & isolated))} fixed ({stable} stable)", f"{int(np.sum(~fixed & isolated))} slow"]
    return counts + [f"{lines} line{'s' * (lines > 1)} or surface{'s' * (lines > 1)} of points"] * (lines > 0)


def _rows_of(manifold: np.ndarray) -> list[np.ndarray]:
    """Return the points of each row of the summary: an isolated one, or all of one line or surface."""
    first = [i for i in range(len(manifold)) if manifold[i] < 0 or manifold[i] not in manifold[:i]]
    return [np.array([i]) if manifold[i] < 0 else np.flatnonzero(manifold == manifold[i]) for i in first]


def _row(found: FixedPoints, members: np.ndarray) -> list[str]:
    """Return the row of an isolated point, or of all points of a line or surface."""
    i, dimension = members[0], int(np.max(np.asarray(found.dimension)[members]))
    kind = "fixed" if found.fixed[i] else "slow"
    if dimension:
        kind += {1: " line", 2: " surface"}.get(dimension, f" {dimension}-dim.")
    sizes = np.abs(np.asarray(found.eigenvalues)[members])
    unstable = np.asarray(found.unstable)[members]
    stability = "stable" if np.all(np.asarray(found.stable)[members]) else f"{span(unstable)} unstable"
    if np.any(np.asarray(found.undecided)[members]) and not dimension:
        stability = "undecided"
    if dimension:
        stability = "attracting" if np.max(unstable) == 0 else stability
        stability = "neutral" if dimension == sizes.shape[1] else stability
    times = np.max(np.abs(np.asarray(found.time_constants)[members]), axis=1)
    times = np.where(np.asarray(found.undecided)[members], np.inf, times)
    return [
        str(i) if len(members) == 1 else f"{i}-{members[-1]}",
        kind,
        stability,
        span(np.asarray(found.speed)[members]),
        span(np.round(sizes[:, 0], 12)),
        span(times),
        f"{float(np.sum(np.asarray(found.share)[members])):.1%}",
    ]
