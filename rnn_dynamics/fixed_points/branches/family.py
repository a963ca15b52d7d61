"""A map that depends on one number, and the equations of its fixed points and cycles along a curve.

The p states of a cycle and the parameter are one vector u = (h_0, ..., h_{p-1}, μ) of p n + 1 numbers. A cycle solves

    G_i(u) = F(h_i, μ) - h_{i+1} = 0,   i = 0 .. p - 1,   h_p = h_0

which are p n equations, so that the solutions are curves. One compiled program evaluates F and its derivatives; the
linear algebra, on one small matrix after the other, is NumPy's, in float64.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...cells.contract import Input, State
from ...machinery import entry
from ...machinery.captured_arrays import Traced
from ...machinery.compiled_programs import PLAIN, program
from ...machinery.state_vector import flatten
from ..cycles.cyclic_system import cyclic_matrix
from ..local_maps import states_like


class Local(NamedTuple):
    """The equations G at one u, and their derivatives.

    Attributes:
        residual: G, (p n,).
        jacobians: The Jacobian of the step at each state, (p, n, n).
        slopes: The derivative of the step with respect to the parameter, for all states, (p n,).
    """

    residual: np.ndarray
    jacobians: np.ndarray
    slopes: np.ndarray


class Family:
    """A step whose parameters depend on one number, and the cycles of one period that are followed.

    Attributes:
        period: How many states a cycle has, p.
        size: How many numbers a state has, n.
        grid: The values of the parameter that were asked for, ascending.
        scale: What counts as 1 in each component of u, (p n + 1,): for lengths of curves.
        eps: The spacing of the float type.
        unit: The size of a state that counts as large as the whole range of the parameter.
    """

    def __init__(
        self, functions: tuple[Traced, Traced], x: Input, state: State, period: int, grid: np.ndarray, unit: float
    ) -> None:
        self.functions, self.x, self.state, self.period, self.grid, self.unit = functions, x, state, period, grid, unit
        vector, self.unflatten = flatten(state)
        self.size, self.dtype = vector.size, np.dtype(vector.dtype)
        self.eps = float(np.finfo(self.dtype).eps)
        count = period * self.size
        self.scale = np.append(np.full(count, unit * np.sqrt(count)), grid[-1] - grid[0])
        self._run: Callable[..., Any] | None = None

    def of_period(self, period: int) -> "Family":
        """Return the same maps for cycles of another period."""
        return Family(self.functions, self.x, self.state, period, self.grid, self.unit)

    def rounded(self, u: np.ndarray) -> np.ndarray:
        """Return u as the float type of the step can hold it, in float64."""
        return u.astype(self.dtype).astype(np.float64)

    def at(self, u: np.ndarray) -> Local:
        """Evaluate the equations and their derivatives."""
        states = u[:-1].reshape(self.period, self.size).astype(self.dtype)
        args = (*self.functions, self.dtype.type(u[-1]), states, self.state, self.x)
        if self._run is None:
            self._run = program(_linearised, args, {}, PLAIN)
        after, jacobians, slopes = jax.device_get(self._run(*args))
        residual = (after - np.roll(states, -1, axis=0)).ravel()
        return Local(*(np.asarray(each, np.float64) for each in (residual, jacobians, slopes.ravel())))

    def floor(self, u: np.ndarray, local: Local) -> float:
        """Return how large a residual rounding leaves at a solution: that of the states and of the sums over them."""
        states = np.abs(u[:-1].reshape(self.period, self.size))
        sums = np.einsum("pij,pj->pi", np.abs(local.jacobians), states)
        return 8 * self.eps * max(1.0, float(states.max()), float(sums.max()))

    def matrix(self, local: Local) -> np.ndarray:
        """Return the derivative of G with respect to u / scale, (p n, p n + 1)."""
        return np.column_stack([cyclic_matrix(local.jacobians), local.slopes]) * self.scale

    def states(self, vectors: np.ndarray) -> State:
        """Return states with leading axes from vectors with the same leading axes, without compiling anything."""
        return states_like(self.state, vectors)


def multipliers(local: Local) -> np.ndarray:
    """Return the eigenvalues of the Jacobian over one period in descending order of magnitude, (n,)."""
    found = np.linalg.eigvals(over_one_period(local)).astype(np.complex128)
    return found[np.argsort(-np.abs(found), kind="stable")]


def over_one_period(local: Local) -> np.ndarray:
    """Return J_{p-1} ... J_0."""
    product = local.jacobians[0]
    for jacobian in local.jacobians[1:]:
        product = jacobian @ product
    return product


def _linearised(
    step: Traced,
    params_of: Traced,
    value: Float[Array, ""],
    vectors: Float[Array, "p n"],
    state: State,
    x: Input,
) -> tuple[Float[Array, "p n"], Float[Array, "p n n"], Float[Array, "p n"]]:
    _, unflatten = flatten(entry.closed(step, params_of(value), state, x))

    def after(vector: Float[Array, " n"], value: Float[Array, ""]) -> Float[Array, " n"]:
        return flatten(step(params_of(value), unflatten(vector), x))[0]

    def one(vector: Float[Array, " n"]) -> Any:
        image, slope = jax.jvp(lambda value: after(vector, value), (value,), (jnp.ones_like(value),))
        return image, jax.jacfwd(after)(vector, value), slope

    return jax.vmap(one)(vectors)
