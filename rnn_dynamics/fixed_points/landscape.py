"""The speed of a step in a plane of state space: where it rests, where it nearly rests, and where it flows."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import inside_transformation
from ..machinery.printed import Table, fields_of, number, printable
from ..machinery.state_vector import flatten, rows


@printable
class SpeedLandscape(NamedTuple):
    """How far one step moves the states of a plane, from `rd.speed_landscape`: R² of them.

    Attributes:
        origin: The state at the coordinates (0, 0).
        directions: The two directions, orthonormal, a pytree like a state with a leading axis 2.
        first: The coordinates along the first direction, (R,).
        second: The coordinates along the second direction, (R,).
        speed: The 2-norm of step(h) - h, (R, R): row = second, column = first.
        flow: The two components of step(h) - h in the plane, (R, R, 2). They are shorter than `speed` where a step
            leaves the plane.
    """

    origin: State
    directions: State
    first: Float[Array, " R"]
    second: Float[Array, " R"]
    speed: Float[Array, "R R"]
    flow: Float[Array, "R R 2"]

    def _headline(self) -> str:
        speeds = np.asarray(self.speed)
        row, column = np.unravel_index(np.argmin(np.where(np.isnan(speeds), np.inf, speeds)), speeds.shape)
        a, b = np.asarray(self.first)[column], np.asarray(self.second)[row]
        size = " × ".join(map(str, speeds.shape))
        return f"({size}): slowest at ({number(a)}, {number(b)}), {number(speeds[row, column])}"

    def _table(self) -> Table:
        return fields_of(self)


def speed_landscape(
    step: Step,
    params: Params,
    origin: State,
    directions: State,
    x: Input = None,
    *,
    extent: tuple[float, float, float, float] | Float[Array, " 4"] | float,
    resolution: int = 64,
) -> SpeedLandscape:
    """Measure how far one step moves the states of a plane.

        speed(a, b) = ‖step(h) - h‖₂   at   h = origin + a d₁ + b d₂

    It is 0 at fixed points, and has local minima at slow points. `rd.plot.speed_landscape` draws it.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        origin: A state in the plane.
        directions: Two directions, a pytree like a state with a leading axis 2. They are made orthonormal, the second
            one by taking out its part along the first, so that coordinates are distances in state space.
            `rd.fixed_points.principal_plane` returns an origin, directions and an extent.
        x: The input, which stays the same; None for an undriven step.
        extent: The coordinates between which to look: (least a, greatest a, least b, greatest b), or one number for
            -extent to extent in both directions.
        resolution: R, how many coordinates along each direction. Default: 64.

    Returns:
        A `SpeedLandscape`.

    Cost:
        R² steps, R of them at a time; memory O(R n).

    Example:
        >>> W = jnp.array([[2.0, 0.0], [0.0, 0.5]])
        >>> found = rd.speed_landscape(lambda W, h, x: W @ jnp.tanh(h), W, jnp.zeros(2), jnp.eye(2), extent=3.0)
        >>> found.speed.shape
        (64, 64)

        Of more than two units, look at the principal plane of the states that a net visits.

        >>> cell = rd.cells.gru
        >>> params = cell.init(key, inputs=1, hidden=8, gain=3.0)
        >>> plane = rd.fixed_points.principal_plane(rd.unroll(cell.step, params, jnp.ones(8), None, length=100))
        >>> found = rd.speed_landscape(cell.step, params, plane.origin, plane.directions, extent=plane.extent)
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.speed_landscape(ax, found)
    """
    entry.enter(step, params=params, origin=origin, directions=directions, x=x)
    if inside_transformation(params, origin, directions, x):
        raise TypeError("directions: got arrays that are being traced by jit, vmap or grad, expected concrete ones")
    size = argument.size("resolution", resolution, 2)
    traced = entry.traced_step(step, params, origin, x)
    origin = entry.closed(traced, params, origin, x, "origin")
    entry.decomposable(origin, "origin")
    vector, unflatten = flatten(origin)
    plane = jnp.asarray(_orthonormal(directions, origin), vector.dtype)
    limits = _limits(extent)
    first, second = (jnp.linspace(low, high, size, dtype=vector.dtype) for low, high in (limits[:2], limits[2:]))
    speed, flow = _landscape(traced, params, origin, x, plane, first, second)
    return SpeedLandscape(origin, jax.vmap(unflatten)(plane), first, second, speed, flow)


@entry.compiled()
def _landscape(
    step: Step,
    params: Params,
    origin: State,
    x: Input,
    directions: Float[Array, "2 n"],
    first: Float[Array, " R"],
    second: Float[Array, " R"],
) -> tuple[Float[Array, "R R"], Float[Array, "R R 2"]]:
    vector, unflatten = flatten(origin)

    def at(a: Float[Array, ""], b: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, " 2"]]:
        h = vector + a * directions[0] + b * directions[1]
        change = flatten(step(params, unflatten(h), x))[0] - h
        return jnp.linalg.norm(change), directions @ change

    # one row of the plane at a time, so that memory holds R states and not R²
    return jax.lax.map(lambda b: jax.vmap(lambda a: at(a, b))(first), second)


def _orthonormal(directions: State, origin: State) -> NDArray:
    """Return two directions as orthonormal vectors, (2, n), after checking their shapes."""
    shapes = [jax.tree.map(np.shape, directions), jax.tree.map(lambda leaf: (2, *np.shape(leaf)), origin)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"directions: got shapes {shapes[0]}, expected {shapes[1]}: two directions like the origin")
    first, second = np.asarray(rows(directions), float)
    first = first / (np.linalg.norm(first) or 1.0)
    rest = second - (first @ second) * first
    if np.linalg.norm(rest) <= 1e-6 * np.linalg.norm(second) or not first.any():
        raise ValueError("directions: got two along one line, or a direction of length 0, expected two that differ")
    rest -= (first @ rest) * first
    return np.stack([first, rest / np.linalg.norm(rest)])


def _limits(extent: tuple[float, float, float, float] | Float[Array, " 4"] | float) -> NDArray:
    """Return the least and the greatest coordinate along each direction."""
    given = np.asarray(extent, float)
    limits = np.array([-given, given, -given, given]) if given.ndim == 0 else given
    if limits.shape != (4,) or not np.isfinite(limits).all() or not (limits[::2] < limits[1::2]).all():
        raise ValueError(f"extent: got {extent}, expected a positive number, or (least a, greatest a, least b, ...)")
    return limits
