"""The results of `continuation` and `bifurcation_diagram`."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from ...cells.contract import State
from ...machinery.printed import Table, as_html, as_text, span

WORDS = {"branch": "branch point", "neimark_sacker": "Neimark-Sacker", "border_collision": "border collision"}


class Bifurcation(NamedTuple):
    """A point of a branch at which the stability of some direction changes.

    Attributes:
        kind: "fold", "flip" (period doubling), "neimark_sacker", "branch" (pitchfork or transcritical: another branch
            crosses), or "border_collision": the step has a corner there and the multipliers jump.
        value: The value of the parameter there, located to 1e-8 or to the precision of the float type.
        state: The state there; for a cycle its first state.
        multiplier: The eigenvalue on the unit circle: 1, -1 or e^{iθ}; at a border collision one that jumps.
        multiplicity: How many eigenvalues, or pairs of them, cross at this value: above 1 by a symmetry.
    """

    kind: str
    value: float
    state: State
    multiplier: complex
    multiplicity: int = 1

    def __repr__(self) -> str:
        """Return the kind, the value and the multiplier in one line."""
        return f"Bifurcation({_named(self)}, multiplier {self.multiplier:.4g})"


class Branch(NamedTuple):
    """A curve of fixed points or cycles, in the order in which it was followed: S points, from `continuation`.

    Attributes:
        values: The values of the parameter, (S,).
        points: The states, a pytree like a state with a leading axis S; for cycles with leading axes (S, period).
        multipliers: The eigenvalues of the Jacobian (over one period), in descending order of magnitude, (S, n).
        stable: Whether all |multipliers| are below 1 by more than their error, (S,).
        undecided: Whether some |multiplier| is too close to 1 to be decided, (S,).
        unstable: How many |multipliers| are above 1 by more than their error, (S,).
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

    def __repr__(self) -> str:
        """Return what was found in one line."""
        return f"Branch{self._headline()}" if _known(self.values) else f"Branch({jax.tree.structure(self)})"

    def summary(self) -> str:
        """Return the bifurcations as a table of at most 24 rows."""
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _headline(self) -> str:
        what = "fixed points" if self.period == 1 else f"cycles of period {self.period}"
        stable = f"{int(np.sum(self.stable))} stable"
        over = f"over {span(self.values)}"
        return f"({len(self.values)} {what} {over}, {stable}): {len(self.bifurcations)} bifurcations; {self.ended}"

    def _table(self) -> Table:
        rows = [
            [*_named(each).split(" at "), f"{each.multiplier:.4g}", str(each.multiplicity)]
            for each in self.bifurcations
        ]
        return Table(["bifurcation", "value", "multiplier", "multiplicity"], rows)


class Diagram(tuple[Branch, ...]):
    """The branches of a bifurcation diagram, from `bifurcation_diagram`: a tuple of `Branch` that prints as a table.

    Attributes:
        left_out: How many branches were seen and not followed, because of the limits on their number and depth.
    """

    left_out: int

    def __new__(cls, branches: Iterable[Branch], left_out: int = 0) -> "Diagram":  # noqa: PYI034 - Self is too new for beartype here
        """Return the branches as a diagram."""
        self = super().__new__(cls, branches)
        self.left_out = left_out
        return self

    def __repr__(self) -> str:
        """Return what was found in one line."""
        return f"Diagram{self._headline()}"

    def summary(self) -> str:
        """Return a table with a row for each branch, at most 24."""
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _headline(self) -> str:
        found = sum(len(branch.bifurcations) for branch in self)
        left_out = f"; {self.left_out} more were seen and not followed" if self.left_out else ""
        return f"({len(self)} branches, {found} bifurcations{left_out})"

    def _table(self) -> Table:
        columns = ["branch", "from", "period", "values", "points", "stable", "bifurcations", "ended"]
        rows = [
            [
                str(i),
                str(branch.parent) if branch.parent >= 0 else "",
                str(branch.period),
                span(branch.values),
                str(len(branch.values)),
                str(int(np.sum(branch.stable))),
                _listed(branch.bifurcations),
                branch.ended,
            ]
            for i, branch in enumerate(self)
        ]
        return Table(columns, rows)


def _named(found: Bifurcation) -> str:
    return f"{WORDS.get(found.kind, found.kind)} at {round(found.value, 10) + 0.0:.8g}"


def _listed(found: tuple[Bifurcation, ...]) -> str:
    """Return the first three, and how many more there are."""
    more = [f"{len(found) - 3} more"] if len(found) > 3 else []
    return ", ".join([*map(_named, found[:3]), *more]) or "none"


def _known(values: object) -> bool:
    return isinstance(values, jax.Array | np.ndarray) and not isinstance(values, jax.core.Tracer)
