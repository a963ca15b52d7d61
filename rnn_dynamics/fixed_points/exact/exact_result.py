"""The result of `exact_cycles`."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from ...machinery.printed import Table, fields_of, number, printable, span


@printable
class ExactCycles(NamedTuple):
    """The cycles of a piecewise-linear net, from `exact_cycles`: N of them, by true period, the most stable first.

    The fields that `Cycles` has too mean the same.

    Attributes:
        points: The p states of each cycle in the order in which the step visits them, (N, p, n), from the one whose
            first unit is lowest; a cycle whose true period is shorter is repeated.
        period: The true period of each, (N,), a divisor of p.
        residual: The largest component of step(h_i) - h_(i+1) over the cycle, (N,).
        multipliers: The Floquet multipliers, the eigenvalues of the product of the regions' matrices over one true
            period, in descending order of their magnitudes, (N, n), complex.
        stable: Whether all |multipliers| are below 1 by more than `margin_error`, and no state is on a kink, (N,).
        undecided: Whether some |multiplier| is so close to 1 that rounding decides on which side, or some state is on a
            kink, where the step has no Jacobian, (N,).
        unstable: How many |multipliers| are above 1 by more than their error, (N,).
        margin: 1 - the largest |multiplier|, (N,).
        margin_error: How far rounding can have moved the |multiplier| that is nearest to 1, (N,).
        regions: Which kinks are on, C h + d > 0, at each state, (N, p, m). On a kink: in the region whose matrix was
            used.
        on_kink: Whether some state lies on a kink, as far as rounding lets one tell, (N,).
        dimension: 0 for an isolated cycle. Where a line of fixed points or of cycles crosses a sequence of regions, one
            of them is listed, with 1 here, and so on for planes, (N,).
        complete: Whether these are all cycles: every other sequence of regions was excluded.
        examined: How many sets of sequences of regions were examined for it; with a search, those that it visited too.
    """

    points: Float[Array, "N p n"]
    period: Int[Array, " N"]
    residual: Float[Array, " N"]
    multipliers: Complex[Array, "N n"]
    stable: Bool[Array, " N"]
    undecided: Bool[Array, " N"]
    unstable: Int[Array, " N"]
    margin: Float[Array, " N"]
    margin_error: Float[Array, " N"]
    regions: Bool[Array, "N p m"]
    on_kink: Bool[Array, " N"]
    dimension: Int[Array, " N"]
    complete: bool
    examined: int

    def _headline(self) -> str:
        counts = ", ".join(f"{np.sum(self.period == p)} of period {p}" for p in np.unique(self.period)) or "none"
        lines = int(np.sum(np.asarray(self.dimension) > 0))
        lines_too = f", {lines} of them on lines or planes of such" if lines else ""
        whole = "these are all" if self.complete else "there may be more"
        return f"(n={np.shape(self.multipliers)[-1]}): {counts}{lines_too}; {whole}"

    def _table(self) -> Table:
        if np.ndim(self.multipliers) != 2:
            return fields_of(self)
        stability = np.where(self.stable, "stable", [f"{int(count)} unstable" for count in np.asarray(self.unstable)])
        stability = np.where(self.undecided, "undecided", stability)
        stability = np.where(self.on_kink, "on a kink", stability)
        rows = [
            [
                str(i),
                str(int(self.period[i])),
                str(stability[i]),
                span(np.abs(self.multipliers[i, :1])),
                str(int(self.dimension[i])),
                number(self.residual[i]),
            ]
            for i in range(len(self.multipliers))
        ]
        return Table(["cycle", "period", "stability", "|λ_1|", "dimension", "residual"], rows)
