"""The result of `find_cycles`."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Complex, Float, Int

from ..cells.contract import State


class Cycles(NamedTuple):
    """The distinct cycles of a step, from `find_cycles`: N of them, by their true periods.

    Attributes:
        points: The p states of each cycle in the order in which the step visits them, a pytree like a state with
            leading axes (N, p); a cycle whose true period is shorter is repeated.
        period: The true period of each, (N,), a divisor of p.
        residual: The largest component of step(h_i) - h_(i+1) over the cycle, (N,).
        multipliers: The Floquet multipliers, the eigenvalues of the product of the Jacobians over one true period, in
            descending order of their magnitudes, (N, n), complex.
        stable: Whether all |multipliers| are below 1 by more than `margin_error`, (N,).
        undecided: Whether some |multiplier| is so close to 1 that rounding decides on which side, (N,).
        unstable: How many |multipliers| are above 1 by more than their error, (N,).
        margin: 1 - the largest |multiplier|, (N,).
        margin_error: How far rounding can have moved the |multiplier| that is nearest to 1, (N,).
        share: The share of the candidates that ended there, (N,).
        ending: How each candidate ended, (candidates,), as `Ending` codes.
        ended_at: The cycle at which each candidate ended, (candidates,); -1 where it did not converge.
    """

    points: State
    period: Int[Array, " N"]
    residual: Float[Array, " N"]
    multipliers: Complex[Array, "N n"]
    stable: Bool[Array, " N"]
    undecided: Bool[Array, " N"]
    unstable: Int[Array, " N"]
    margin: Float[Array, " N"]
    margin_error: Float[Array, " N"]
    share: Float[Array, " N"]
    ending: Int[Array, " candidates"]
    ended_at: Int[Array, " candidates"]
