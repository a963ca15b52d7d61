"""Find fixed points and slow points of any step, from many candidates at once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ... import argument
from ...cells.contract import Input, Params, State, Step
from ...machinery import entry
from ...machinery.compiled_programs import with_float32_products
from ...machinery.lapack_threads import on_one_thread
from ...machinery.state_vector import flatten
from ..problem import Problem, moderate, opened
from ..result import FixedPoints
from .describe import described
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
    iterations: int = 24,
) -> FixedPoints:
    """Find the fixed points of a step, and the slow points where it nearly rests, from many candidates at once.

        f(h) = step(params, h, x) - h = 0,   or a local minimum of q(h) = ½ ‖f(h)‖² > 0

    From every candidate Newton iterations run with capped steps, in float32; an end near a fixed point is polished to
    the last digits of the states' float type. Candidates that came near none descend to a local minimum of q. Then
    points at which no candidate ends are looked for: from combinations of points found and candidates, with the points
    found divided out (deflation), until several generations in a row find none. If the map sends a large box into
    itself, the generations go on, up to a maximum, while the sum of the points' indices proves that some are missing
    (`index_sum`). These points are listed with a share of 0. Nothing is drawn at random: the same arguments give the
    same result.

    A candidate that ends at numbers that are not finite, or at neither kind of point, is not an error: `ending` says
    NOT_CONVERGED. In a chaotic net most candidates that Newton leaves end so; more `iterations` find their slow points.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        candidates: The states to start from, a pytree like a state with a leading axis of candidates, such as
            `rd.visited_states` draws.
        x: The constant input; None for an undriven step.
        x_axis: The axis of several constant inputs in every leaf of x. The search then runs from all candidates for
            each input, and `input` says which one a point belongs to. Default: x is one input.
        known: Points to divide out, a pytree like a state with a leading axis. They are not listed, and a candidate
            that ends at one counts as not converged. Default: none.
        tolerance: The largest |component| of f that a fixed point may have. Default: what rounding leaves of f.
        iterations: How many iterations a descent to a slow point may take. Default: 24.

    Returns:
        A `FixedPoints`. Whether all points were found is not known. `incomplete` says where it is certain that they
        were not; `unseen` bounds the probability that one more start ends at another point.

    Cost:
        For C candidates some 30 to 60 factorisations of n by n matrices each, time O(C n³), and n directional
        derivatives for each; memory O(128 n²) at a time on a CPU. At most five programs are compiled, for a step and
        the shapes of its arguments.

    Example:
        >>> candidates = jnp.linspace(-1.0, 1.0, 8)[:, None]
        >>> found = rd.find_fixed_points(lambda gain, h, x: jnp.tanh(gain * h), 2.0, candidates)
        >>> found
        FixedPoints(n=1): 3 fixed (2 stable), 0 slow; 0% of 8 candidates lost
        >>> jnp.sort(found.points[:, 0]).round(4) + 0.0
        Array([-0.9575,  0.    ,  0.9575], dtype=float32)

        Of a net, the candidates are states that it visits; `print(found.summary())` shows a row for each point.

        >>> cell = rd.cells.gru
        >>> params = cell.init(key, inputs=1, hidden=8, gain=3.0)
        >>> net = cell.step, params
        >>> candidates = rd.fixed_points.visited_states(*net, jnp.ones(8), None, length=100, count=64, key=key)
        >>> found = rd.find_fixed_points(*net, candidates)
        >>> stable = jax.tree.map(lambda leaf: leaf[found.fixed & found.stable], found.points)

    References:
        Sussillo & Barak (2013), Neural Computation 25, 626-649, for fixed and slow points of recurrent nets.
        Golub & Sussillo (2018), Journal of Open Source Software 3(31), 1003, for the search from visited states.
        Farrell, Birkisson & Funke (2015), SIAM Journal on Scientific Computing 37, A2026-A2045, for deflation.
    """
    iterations = argument.size("iterations", iterations, 1)
    if tolerance is not None:
        tolerance = argument.number("tolerance", tolerance, above=0.0)
    on_one_thread()
    entry.enter(step, params=params, candidates=candidates, x=x)
    xs, first, inputs = _inputs(x, x_axis)
    problem = moderate(opened(step, params, candidates, first))
    points = _vectors(problem, known)
    search = searched(problem, step, xs, inputs, known=points, tolerance=tolerance, iterations=iterations)
    found = described(problem._replace(x=x), search)
    return found._replace(unseen=search.unseen, incomplete=search.incomplete)


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
    wanted: Any = jax.tree.structure(problem.step.out)
    got: Any = jax.tree.structure(known)
    if wanted != got:
        raise TypeError(f"known: got a tree {got}, expected {wanted}, as the candidates have")
    for (path, leaf), one in zip(
        jax.tree_util.tree_leaves_with_path(known), jax.tree.leaves(problem.step.out), strict=True
    ):
        if jnp.ndim(leaf) == 0 or jnp.shape(leaf)[1:] != one.shape:
            name = "known" + jax.tree_util.keystr(path)
            expected = ", ".join(map(str, ("points", *one.shape)))
            raise ValueError(f"{name}: got shape {jnp.shape(leaf)}, expected ({expected})")
    if not len(jax.tree.leaves(known)[0]):  # the points of an empty result
        return np.zeros((0, n), problem.vectors.dtype)
    entry.time_steps(known, None, "known", "points")
    points = jax.tree.map(lambda leaf, one: jnp.asarray(leaf, one.dtype), known, problem.step.out)
    return np.asarray(jax.vmap(lambda state: flatten(state)[0])(points))
