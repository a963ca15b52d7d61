"""The stages of a search for fixed points: explore in float32, polish, descend."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...cells.contract import Input, Params, Step
from ...machinery import entry
from ...machinery.captured_arrays import Traced
from ...machinery.compiled_programs import is_traced
from ..problem import Problem
from .batches import new_rows, run_in_batches
from .deflation import Divided
from .iterations import Rows, descended, explored, polished
from .residual import has_reverse_derivative

# iterations of Newton's method from one start: those that have not come near a point by then wander about
EXPLORING = 16
# Newton's method has come near when its step is this small against the size of the states
NEAR = 1e-3
# a descent in float32 has come close to a slow point when a step takes away no more than this share of ‖f‖
CLOSE = 0.1


class Maps(NamedTuple):
    """The step in one precision, with its parameters and inputs."""

    step: Traced
    params: Params
    xs: Input


class Stages(NamedTuple):
    """What the stages of a search share.

    Attributes:
        maps: The step in its own precision.
        coarse: The step in float32, or in its own precision if it cannot be had.
        scale: The size of the numbers of a state.
        tolerance: The largest residual of a fixed point, or None for what rounding leaves.
        iterations: How many iterations a descent may take.
        batch: How many rows run at a time.
    """

    maps: Maps
    coarse: Maps
    scale: float
    tolerance: float | None
    iterations: int
    batch: int

    def explore(
        self, vectors: np.ndarray, which: np.ndarray, known: Divided, most: int = EXPLORING
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run capped Newton from each row; return where it ended, and who came near a fixed point."""
        kind = dtype_of(self.coarse.step)
        rows, cap = new_rows(vectors.astype(kind)), jnp.asarray(0.4 * self.scale, kind)
        near = run_in_batches(
            explored,
            self.coarse,
            (known, cap),
            rows,
            which,
            lambda at: np.asarray(
                (at.change <= NEAR * self.scale) | (at.residual <= 8 * np.finfo(kind).eps * self.scale)
            ),
            batch=self.batch,
            most=most,
            steps=4,
        )
        return np.asarray(rows.vectors), near

    def polish(self, vectors: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run Newton while the residual falls; return where it ended, and who is at a fixed point."""
        rows = new_rows(vectors.astype(dtype_of(self.maps.step)))
        run_in_batches(polished, self.maps, (), rows, which, self._fixed, batch=self.batch, most=48, steps=2)
        return np.asarray(rows.vectors), self._solved(rows)

    def descend(self, vectors: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower the speed from each row; return where it ended, who is at a fixed point, and who at a slow point."""
        kind = dtype_of(self.coarse.step)
        rows = new_rows(vectors.astype(kind))
        run_in_batches(
            descended,
            self.coarse,
            (),
            rows,
            which,
            lambda at: np.asarray((at.change <= CLOSE / 5) | (at.residual <= 1e-5 * self.scale)),
            batch=self.batch,
            most=self.iterations,
            steps=4,
            exact=False,
        )
        wide = dtype_of(self.maps.step)
        ends, fixed, slow = (
            np.asarray(rows.vectors).astype(wide),
            np.zeros(len(which), bool),
            np.zeros(len(which), bool),
        )
        close = np.flatnonzero((rows.change <= CLOSE) | (rows.residual <= 1e-5 * self.scale))
        rows = new_rows(ends[close], 1e-4)
        first = jax.tree.map(lambda leaf: leaf[0], self.maps.xs)
        exact = len(close) > 0 and has_reverse_derivative(*self.maps[:2], first, jnp.asarray(rows.vectors[0]))
        run_in_batches(
            descended,
            self.maps,
            (),
            rows,
            which[close],
            lambda at: self._fixed(at) | _slow(at),
            batch=self.batch,
            most=max(self.iterations // 3, 8),
            steps=4,
            exact=exact,
        )
        ends[close], fixed[close] = rows.vectors, self._solved(rows)
        slow[close] = _slow(rows) & ~fixed[close]
        return ends, fixed, slow

    def _fixed(self, at: Rows) -> np.ndarray:
        """Return whose residual is at the last digits of the states."""
        eps = np.finfo(at.vectors.dtype).eps
        size = np.maximum(np.max(np.abs(at.vectors), axis=1), self.scale)
        return np.asarray(at.residual <= (2 * eps * size if self.tolerance is None else self.tolerance))

    def _solved(self, at: Rows) -> np.ndarray:
        """Return whose residual is what rounding leaves, once no iteration lowers it."""
        size = np.maximum(np.max(np.abs(at.vectors), axis=1), self.scale)
        known = (at.residual <= 4 * at.rounding) & (at.rounding <= NEAR * size)  # a rounding error may be infinite
        return np.asarray(self._fixed(at) | ((self.tolerance is None) & known))


def _slow(at: Rows) -> np.ndarray:
    """Return who is at a minimum of q: no slope beyond rounding, and the Hessian is positive definite undamped."""
    kind = np.finfo(at.vectors.dtype)
    least = np.sqrt(kind.eps) + 4 * at.rounding / np.maximum(at.residual, kind.tiny)
    return np.asarray((at.change <= least) & (at.damping <= 1e-3))


def dtype_of(step: Traced) -> Any:
    """Return the float type of the numbers of a state."""
    return np.result_type(*(np.zeros(0, leaf.dtype).real.dtype for leaf in jax.tree.leaves(step.out)))


def coarse_maps(problem: Problem, step: Step, xs: Input, maps: Maps) -> Maps:
    """Return the step in float32, or `maps` if it is that already or cannot be computed in float32."""
    if dtype_of(problem.step) == np.float32:
        return maps

    def narrow(leaf: Any) -> Any:
        kind = jnp.result_type(leaf)
        wide = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
        if kind in wide and not is_traced(leaf):  # NumPy compiles nothing
            with np.errstate(over="ignore"):
                return jax.device_put(np.asarray(leaf).astype(wide[kind]))
        return jnp.asarray(leaf, wide.get(kind, kind))

    def narrowed(params: Params, state: Any, x: Input) -> Any:
        return jax.tree.map(narrow, step(params, state, x))

    params, xs = jax.tree.map(narrow, (problem.params, xs))
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params, xs)) if leaf.dtype.kind in "fc"):
        return maps
    state = jax.tree.map(lambda leaf: narrow(np.zeros(leaf.shape, leaf.dtype)), problem.step.out)
    try:
        traced = entry.traced_step(narrowed, params, state, jax.tree.map(lambda leaf: leaf[0], xs))
    except Exception:  # whatever a step raises for another float type than the one it was written for
        return maps
    return Maps(traced, params, xs)
