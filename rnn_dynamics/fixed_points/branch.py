"""The results of `continuation` and `bifurcation_diagram`."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Complex, Float, Int

from ..cells.contract import State


class Bifurcation(NamedTuple):
    """A point of a branch at which the stability of some direction changes.

    Attributes:
        kind: "fold", "flip" (period doubling), "neimark_sacker" or "branch" (pitchfork or transcritical).
        value: The value of the parameter there, located to 1e-8 or to the precision of the float type.
        state: The state there; for a cycle its first state.
        multiplier: The eigenvalue on the unit circle: 1, -1 or e^{iθ}.
    """

    kind: str
    value: float
    state: State
    multiplier: complex


class Branch(NamedTuple):
    """A curve of fixed points or cycles, in the order in which it was followed: S points, from `continuation`.

    Attributes:
        values: The values of the parameter, (S,).
        points: The states, a pytree like a state with a leading axis S; for cycles with leading axes (S, period).
        multipliers: The eigenvalues of the Jacobian (over one period), in descending order of magnitude, (S, n).
        stable: Whether all |multipliers| are below 1, (S,).
        undecided: Whether some |multiplier| is too close to 1 to be decided, (S,).
        unstable: How many |multipliers| are above 1, (S,).
        residual: The largest component of step(h) - h, (S,).
        bifurcations: The points where the stability changes, in the order of the branch.
        period: The period of the cycles; 1 for fixed points.
        ended: Why the branch ends where it does, in words.
        parent: The place in the diagram of the branch from which this one was switched to; -1 for a first one.
    """

    values: Float[Array, " S"]
    points: State
    multipliers: Complex[Array, "S n"]
    stable: Bool[Array, " S"]
    undecided: Bool[Array, " S"]
    unstable: Int[Array, " S"]
    residual: Float[Array, " S"]
    bifurcations: tuple[Bifurcation, ...]
    period: int
    ended: str
    parent: int = -1
