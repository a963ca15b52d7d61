"""Slow manifolds: lines and surfaces, such as line attractors, along which a state moves slowly while the rest decays.

At a state h, let λ be the eigenvalues of the Jacobian J of the step, with right vectors r and left vectors l, lᴴ r = 1.
h is on a slow manifold if f(h) = step(h) - h has no component lᴴ f along the fast directions. `slow_states.py` brings a
state there by Newton's method in those directions alone:

    h ← h + Σ_fast r (lᴴ f) / (1 - λ)

What is left of f then is the drift along the manifold.
"""

import jax.numpy as jnp
import numpy as np

from ... import argument
from ...cells.contract import Input, Params, State, Step
from ...machinery.compiled_programs import with_float32_products
from ...machinery.lapack_threads import on_one_thread
from ..local_maps import as_arrays, as_states
from ..points.describe import spread_of
from ..problem import Problem, moderate, opened
from .manifolds import NEAR, along, extent, lies_between, linked, local_dimension
from .slow_manifolds_result import SlowManifolds
from .slow_states import SlowStates, relaxed

# candidates that are moved, since eigenvalues are computed at each in each iteration
MOST = 256
# a line or surface has so many states at least, and is at least as long as this share of the candidates' spread
FEWEST, SHORTEST = 3, 0.1
# an eigenvalue so many eps from 1 is 1
ROUNDING = 32


@with_float32_products
def slow_manifolds(
    step: Step,
    params: Params,
    candidates: State,
    x: Input = None,
    *,
    time_constant: float = 20.0,
    iterations: int = 30,
) -> SlowManifolds:
    """Find the lines and surfaces along which states move slowly, such as line attractors, and how fast they drift.

    A line attractor of a trained net is rarely a line of fixed points. It is a line to which states return much faster
    than they move along it, with a few fixed points on it, which are all that `find_fixed_points` finds. Here each
    candidate is moved onto the line and stays where it is along it. With λ the eigenvalues of the Jacobian at h, r and
    l their right and left vectors, lᴴ r = 1, and f(h) = step(h) - h,

        h ← h + Σ_fast r (lᴴ f) / (1 - λ)        until no component lᴴ f is left for a fast λ
        drift = Σ_slow r (lᴴ f)

    A direction is slow if 1 / |1 - λ| is at least `time_constant`, the steps in which a disturbance along it fades or
    grows. Directions that turn, with λ = e^{iθ} far from 1, are not slow. States belong to one line or surface if
    states between them can be moved onto it as well.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        candidates: The states to start from, a pytree like a state with a leading axis; those that a trajectory visits
            (`visited_states`) lie near the manifolds that matter. Of more than 256, every so many-th is used.
        x: The constant input; None for an undriven step.
        time_constant: The steps for which a slow direction lasts at least. Default: 20.
        iterations: The most steps of Newton's method. Default: 30.

    Returns:
        A `SlowManifolds`.

    Cost:
        For each of up to 256 candidates the eigenvectors of up to `iterations` Jacobians, O(n³) each: one to twenty
        seconds at n = 64. Candidates near the manifold need few iterations.

    Example:
        >>> turns = lambda p, h, x: h * (1.2 - 0.2 * jnp.sum(h**2))
        >>> angles = jnp.linspace(0.0, 6.2, 40)
        >>> ring = rd.slow_manifolds(turns, None, 1.1 * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1))
        >>> ring
        SlowManifolds(n=2): 1 line; 0% of the candidates on none

    References:
        Seung (1996), PNAS 93, 13339-13344, for line attractors.
        Maas & Pope (1992), Combustion and Flame 88, 239-264, for manifolds without fast components.
        Sussillo & Barak (2013), Neural Computation 25, 626-649, for slow points of trained nets.
    """
    slow = 1 / argument.number("time_constant", time_constant, above=1.0)
    iterations = argument.size("iterations", iterations, 1)
    on_one_thread()
    problem = moderate(opened(step, params, candidates, x))
    start = np.asarray(problem.vectors, np.float64)
    chosen = np.unique(np.linspace(0, len(start) - 1, min(MOST, len(start))).round().astype(int))
    spread = spread_of(start)
    states = relaxed(problem, start[chosen], slow, spread, iterations)
    states = states.at(np.flatnonzero(states.converged & (states.dimension > 0)))
    groups = _groups(problem, states, slow, spread, iterations)
    return _result(problem, states, [each for each in groups if _is_long(states.at(each), spread)], len(chosen))


def _groups(problem: Problem, states: SlowStates, slow: float, spread: float, iterations: int) -> list[np.ndarray]:
    """Return the states of each manifold, the largest first."""

    def bridged(edges: np.ndarray) -> np.ndarray:
        one, other = states.vectors[edges[:, 0]], states.vectors[edges[:, 1]]
        between = relaxed(problem, (one + other) / 2, slow, spread, iterations)
        return between.converged & (between.dimension > 0) & lies_between(between.vectors, one, other)

    if not len(states.vectors):
        return []
    labels = linked(states.vectors, bridged, NEAR * spread)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted(groups, key=len, reverse=True)


def _is_long(states: SlowStates, spread: float) -> bool:
    return len(states.vectors) >= FEWEST and extent(states.vectors, 1) > SHORTEST * spread


def _result(problem: Problem, states: SlowStates, groups: list[np.ndarray], count: int) -> SlowManifolds:
    """Return what is known of the manifolds, in the float type of the states."""
    dimensions = [int(np.median(states.dimension[group])) for group in groups]
    groups = [
        group[along(states.vectors[group])] if dimension == 1 else group
        for group, dimension in zip(groups, dimensions, strict=True)
    ]
    eps = float(jnp.finfo(problem.vectors.dtype).eps)
    rows = [_of_one(states.at(group), dimension, eps) for group, dimension in zip(groups, dimensions, strict=True)]
    columns = np.array(rows, float).reshape(-1, 6).T
    listed = states.at(np.concatenate([np.zeros(0, int), *groups]))
    size = np.array([len(group) for group in groups], int)
    numbers = {
        "drift": listed.drift,
        "eigenvalues": listed.eigenvalues,
        "slow": listed.dimension,
        "manifold": np.repeat(np.arange(len(groups)), size),
        "dimension": np.array(dimensions, int),
        "visited": columns[0].astype(int),
        **dict(zip(("extent", "speed", "fastest", "time_constant", "across"), columns[1:], strict=True)),
        "share": size / count,
    }
    return SlowManifolds(as_states(problem, listed.vectors), **as_arrays(numbers, problem.vectors.dtype))


def _of_one(states: SlowStates, dimension: int, eps: float) -> tuple[float, ...]:
    """Return `visited` to `across` of the manifold on which these states are."""
    speed = np.linalg.norm(states.drift, axis=1)
    off = np.min(np.abs(1 - states.eigenvalues), axis=1)
    lasts = np.where(off > ROUNDING * eps, 1 / np.maximum(off, eps), np.inf)
    across = np.max(np.where(states.slow, 0.0, np.abs(states.eigenvalues)), axis=1)
    return (
        local_dimension(states.vectors, dimension),
        extent(states.vectors, dimension),
        float(np.median(speed)),
        float(np.max(speed)),
        float(np.median(lasts)),
        float(np.median(across)),
    )
