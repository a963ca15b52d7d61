"""Check the arguments of a continuation, and find its first point."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...cells.contract import Input, State, Step
from ...machinery.captured_arrays import traced
from ..problem import opened
from .arclength import Point, corrected, first_point
from .curve import shorter_period
from .family import Family


def opened_family(
    step: Step, params_of: Callable[..., Any], starts: State, values: Any, x: Input, period: int, argument: str
) -> tuple[Family, np.ndarray, bool]:
    """Return the family, the starts as vectors, and whether the values increase; errors name the argument."""
    if not callable(params_of):
        raise TypeError(f"params_of: got {params_of!r}, expected a function of the parameter that returns params")
    leaves = jax.tree.leaves(starts)
    kinds = [
        jnp.finfo(jnp.result_type(leaf)).dtype for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
    ]
    dtype = np.dtype(kinds[0]) if kinds else np.dtype(float)
    grid = _checked_values(values, dtype)
    try:
        moving = traced(params_of, jax.ShapeDtypeStruct((), dtype))
    except Exception as error:
        error.add_note(
            "raised by params_of, which is traced by JAX: it must be written with jax.numpy, for a scalar array"
        )
        raise
    params = moving(jnp.asarray(grid[0], dtype))
    problem = opened(step, params, starts, x, argument)
    state = jax.tree.map(np.asarray, problem.unflatten(problem.vectors[0]))
    vectors = np.asarray(problem.vectors, np.float64)
    unit = max(1.0, float(np.abs(vectors).max()))
    family = Family((problem.step, moving), x, state, period, np.sort(grid), unit)
    return family, vectors, bool(grid[1] > grid[0])


def polished(family: Family, vector: np.ndarray, upwards: bool, argument: str) -> Point:
    """Return the fixed point or cycle near a state at the first of the values, with the tangent into the range."""
    value, sign = (family.grid[0], 1.0) if upwards else (family.grid[-1], -1.0)
    single = family.of_period(1)
    states = [vector]
    while len(states) < family.period:
        states.append(states[-1] + single.at(np.append(states[-1], value)).residual)
    u = np.append(np.concatenate(states), value)
    row = np.append(np.zeros(u.size - 1), 1.0)
    found = corrected(family, u, row, polish=True, keep=value)
    if found is None:
        off = float(np.abs(family.at(u).residual).max())
        what = "fixed point" if family.period == 1 else f"cycle of period {family.period}"
        raise ValueError(
            f"{argument}: got a state from which Newton's method finds no {what} at values[0] = {value:.7g} (its "
            f"residual, the largest component of step(h) - h, is {off:.3g}); expected a state near one: see "
            "rd.find_fixed_points and rd.find_cycles"
        )
    divisor = shorter_period(family, found.u)
    if divisor < family.period:
        raise ValueError(
            f"{argument}: got a state near a cycle of period {divisor}, with period={family.period}; expected one "
            f"near a cycle of true period {family.period}, or period={divisor}"
        )
    return first_point(family, found.u, found.local, sign * row)


def _checked_values(values: Any, dtype: np.dtype) -> np.ndarray:
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values)):
        raise TypeError("values: got an array that is being traced by jit, vmap or grad, expected a concrete one")
    grid = np.asarray(values)
    if grid.dtype.kind not in "fiu" or grid.ndim != 1 or grid.size < 2:
        raise ValueError(f"values: got shape {grid.shape} of {grid.dtype}, expected at least two real numbers in a row")
    if not np.isfinite(grid).all():
        raise ValueError(
            f"values: got {int(np.sum(~np.isfinite(grid)))} non-finite of {grid.size}, expected finite ones"
        )
    grid = grid.astype(dtype).astype(np.float64)
    apart = np.diff(grid)
    if not ((apart > 0).all() or (apart < 0).all()):
        where = int(np.argmin(np.sign(apart) * np.sign(apart[0])))
        pair = f"{grid[where]:.7g}, {grid[where + 1]:.7g}"
        raise ValueError(
            f"values: got {pair} at {where}, expected values that only increase or only decrease, in {dtype}"
        )
    return grid
