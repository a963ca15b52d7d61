"""The result of `find_cycles`."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from ...cells.contract import State
from ...machinery.printed import Table, fields_of, number, printable
from ..result import Ending


@printable
class Cycles(NamedTuple):
    """The distinct cycles of a step, from `find_cycles`: N of them, by their true periods, the most visited first.

    Attributes:
        points: The p states of each cycle in the order in which the step visits them, a pytree like a state with
            leading axes (N, p); a cycle whose true period is shorter is repeated.
        period: The true period of each, (N,), a divisor of p; 1 for a fixed point.
        residual: The largest component of step(h_i) - h_(i+1) over the cycle, (N,).
        multipliers: The Floquet multipliers, the eigenvalues of the product of the Jacobians over one true period, in
            descending order of their magnitudes, (N, n), complex.
        stable: Whether all |multipliers| are below 1 by more than their errors, (N,).
        undecided: Whether some |multiplier| is so close to 1 that rounding decides on which side, (N,).
        unstable: How many |multipliers| are above 1 by more than their error, (N,).
        margin: 1 - the largest |multiplier|, (N,): positive where perturbations die out.
        margin_error: How far rounding can have moved the |multiplier| that is nearest to 1, (N,).
        share: The share of the candidates that ended there, (N,): 0 if only other starts did.
        ending: How each candidate ended, (candidates,), as `Ending` codes: FIXED on a cycle, else NOT_CONVERGED.
        ended_at: The cycle at which each candidate ended, (candidates,); -1 where it did not converge, or ended on a
            known cycle.
        error: How far rounding can have moved the states of the cycle, (N,), in the units of the state.
        dimension: The number of multipliers that are 1 within their error, (N,): 0 for an isolated cycle, 1 or more
            at a fold or where cycles form a line or surface. Of such a family only one cycle is listed.
        family: How many different cycles of the family were met, of which this one is listed, (N,); 1 for an isolated
            cycle.
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
    error: Float[Array, " N"]
    dimension: Int[Array, " N"]
    family: Int[Array, " N"]

    def _headline(self) -> str:
        periods, counts = np.unique(np.asarray(self.period), return_counts=True)
        words = ", ".join(f"{count} of period {period}" for period, count in zip(periods, counts, strict=True))
        lost = np.mean(np.asarray(self.ending) == Ending.NOT_CONVERGED)
        stable = f" ({int(np.sum(self.stable))} stable)" if words else ""
        n = np.shape(self.multipliers)[-1]
        return f"(n={n}): {words or 'no cycle'}{stable}; {lost:.0%} of {np.size(self.ending)} candidates lost"

    def _table(self) -> Table:
        if np.ndim(self.multipliers) != 2:
            return fields_of(self)
        stability = np.where(self.stable, "stable", [f"{int(count)} unstable" for count in np.asarray(self.unstable)])
        stability = np.where(self.undecided, "undecided", stability)
        columns = ["cycle", "period", "stability", "μ_1", "residual", "candidates"]
        rows = [
            [
                str(i),
                f"{int(self.period[i])}" + (" (family)" if self.family[i] > 1 else ""),
                str(stability[i]),
                _complex(self.multipliers[i, 0]),
                number(self.residual[i]),
                f"{float(self.share[i]):.1%}",
            ]
            for i in range(len(self.multipliers))
        ]
        return Table(columns, rows)


def _complex(value: Array) -> str:
    """Return a real number with four digits, or a complex one as magnitude and angle in turns."""
    found = complex(value)
    return number(found.real) if found.imag == 0 else f"{abs(found):.4g} ∠ {np.angle(found) / (2 * np.pi):.4g}"
