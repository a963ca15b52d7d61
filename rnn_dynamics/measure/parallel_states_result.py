"""The result of `parallel_states`."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..cells.contract import State
from ..machinery.printed import Table, fields_of, number, printable, span
from .reliability import reasons


@printable
class ParallelStates(NamedTuple):
    """The states h_1 .. h_T as an iteration over all times found them, from `parallel_states`.

    Sizes are relative: a difference between two states counts in units of the largest magnitude that the number has
    over time, and the largest over the numbers of the state is taken. What is known is judged in units of the known
    states alone, since those after them may be far off.

    Attributes:
        states: The states, a pytree like h0 with a leading axis T; NaN from the first time on whose state is not known.
        converged: Whether all states are known: the iteration ended with an estimated error of at most `tolerance`,
            and the checks confirmed it. A scalar.
        known: How many of the first states are known, a scalar.
        iterations: How many iterations were run, a scalar; the last one only confirms. With `stretch` their sum.
        corrections: The largest change of a state in each iteration, relative, (most,); NaN for those not run. With
            `stretch` the largest of any stretch.
        residuals: The largest |F(h_{t-1}, x_t) - h_t| before each iteration, relative, (most,). A small residual is
            not a small error where errors grow.
        fronts: How many of the first states were known after each iteration, (most,). A shorter run would have ended
            when its T was reached. With `stretch` the fewest of any stretch.
        difference: The largest relative difference between these states and those that the step itself returns over
            up to 32 steps from some of them, at known times; a scalar.
        doubts: What is doubtful, a scalar, as a sum of `rd.Doubt`; `reasons` says it in words.
    """

    states: State
    converged: Bool[Array, ""]
    known: Int[Array, ""]
    iterations: Int[Array, ""]
    corrections: Float[Array, " most"]
    residuals: Float[Array, " most"]
    fronts: Float[Array, " most"]
    difference: Float[Array, ""]
    doubts: Int[Array, ""]

    @property
    def reliable(self) -> Bool[Array, ""]:
        """Whether there is no doubt about the states."""
        return self.doubts == 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts in words, as an array without axes; "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        T = np.shape(jax.tree.leaves(self.states)[0])[np.ndim(self.converged)]
        done = "converged" if np.all(self.converged) else f"{span(self.known)} of {T} states known"
        return f"(T={T}): {span(self.iterations)} iterations, last correction {span(last(self.corrections))}; {done}"

    def _table(self) -> Table:
        if np.ndim(self.converged):
            return fields_of(self._replace(states=jax.tree.leaves(self.states)))
        run = ~np.isnan(np.asarray(self.corrections))
        found = zip(*(np.asarray(each)[run] for each in (self.residuals, self.corrections, self.fronts)), strict=True)
        rows = [[str(i), number(residual), number(c), str(int(f))] for i, (residual, c, f) in enumerate(found, 1)]
        return Table(["iteration", "residual before it", "correction", "states known"], rows)


def last(corrections: Any) -> np.ndarray:
    """The correction of the last iteration that was run."""
    corrections = np.asarray(corrections)
    place = np.maximum(np.sum(~np.isnan(corrections), axis=-1, keepdims=True) - 1, 0)
    return np.take_along_axis(corrections, place, axis=-1)[..., 0]
