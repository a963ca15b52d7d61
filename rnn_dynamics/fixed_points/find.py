"""Find fixed points and slow points of any step, from many candidates at once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import with_float32_products
from ..machinery.lapack_threads import on_one_thread
from ..machinery.state_vector import flatten
from .describe import described
from .problem import Problem, opened
from .result import FixedPoints
from .search import searched


@with_float32_products
def find_fixed_points(
    step: Step,
    params: Params,
    candidates: State,
    x: Input = None,
    *,
    x_axis: int | None = None,
    known: State | None = None,
    tolerance: float | None = None,
    iterations: int = 200,
) -> FixedPoints:
    """Find the fixed points of a step, and the slow points where it nearly rests, from many candidates at once."""
    iterations = argument.size("iterations", iterations, 1)
    if tolerance is not None:
        tolerance = argument.number("tolerance", tolerance, above=0.0)
    on_one_thread()
    entry.enter(step, params=params, candidates=candidates, x=x)
    xs, first, inputs = _inputs(x, x_axis)
    problem = opened(step, params, candidates, first)
    points = _vectors(problem, known)
    search = searched(problem, step, xs, inputs, known=points, tolerance=tolerance, iterations=iterations)
    return described(problem._replace(x=x), search)


def _inputs(x: Input, x_axis: int | None) -> tuple[Input, Input, int]:
    """Return the inputs with a leading axis, the first of them, and how many there are."""
    if x_axis is None:
        xs = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], x)
        return xs, x, 1
    if isinstance(x_axis, bool) or not isinstance(x_axis, int | np.integer):
        raise TypeError(f"x_axis: got {x_axis!r}, expected a whole number, or None for one input")
    if not jax.tree.leaves(x):
        raise ValueError(f"x_axis: got {x_axis} with x = {x!r}, expected an array of several inputs as x")
    for path, leaf in jax.tree_util.tree_leaves_with_path(x):
        if not -jnp.ndim(leaf) <= x_axis < jnp.ndim(leaf):
            name = "x" + jax.tree_util.keystr(path)
            raise ValueError(f"{name}: got shape {jnp.shape(leaf)}, which has no axis x_axis={x_axis} of inputs")
    xs = jax.tree.map(lambda leaf: jnp.moveaxis(jnp.asarray(leaf), x_axis, 0), x)
    inputs = entry.time_steps(xs, None, "x", "inputs")
    return xs, jax.tree.map(lambda leaf: leaf[0], xs), inputs


def _vectors(problem: Problem, known: State | None) -> np.ndarray:
    """Return known points as vectors, (K, n), after checking them against the candidates' states."""
    n = problem.vectors.shape[1]
    if known is None:
        return np.zeros((0, n), problem.vectors.dtype)
    entry.enter(problem.step, known=known)
    count = entry.time_steps(known, None, "known", "points")
    wanted: Any = jax.tree.structure(problem.step.out)
    got: Any = jax.tree.structure(known)
    if wanted != got:
        raise TypeError(f"known: got a tree {got}, expected {wanted}, as the candidates have")
    for (path, leaf), one in zip(
        jax.tree_util.tree_leaves_with_path(known), jax.tree.leaves(problem.step.out), strict=True
    ):
        if jnp.shape(leaf)[1:] != one.shape:
            name = "known" + jax.tree_util.keystr(path)
            raise ValueError(f"{name}: got shape {jnp.shape(leaf)}, expected {(count, *one.shape)}")
    points = jax.tree.map(lambda leaf, one: jnp.asarray(leaf, one.dtype), known, problem.step.out)
    return np.asarray(jax.vmap(lambda state: flatten(state)[0])(points))
