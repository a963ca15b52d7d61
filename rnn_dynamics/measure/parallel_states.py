"""All states of a trajectory at once, instead of one after the other, where the net forgets: by Newton's method.

The states are the solution of the T equations h_t = F(h_{t-1}, x_t). Newton's method linearises all of them at a guess
and solves a linear recurrence, O(log T) deep; `machinery/parallel_iteration.py` is the loop. Errors of the
guess spread along the trajectory as gradients do. If they fade at all states that the iterations pass, few iterations
suffice. If the largest Lyapunov exponent is positive they grow, and the iterations needed grow in proportion to T.

The specification, for `method="newton"`:

    def parallel_states(step, params, h0, xs, iterations):
        h = [h0] * len(xs)
        for _ in range(iterations):
            old, new = [h0, *h], [h0]
            for t, x in enumerate(xs):  # a linear recurrence
                J = rd.step_jacobian(step, params, old[t], x)
                new.append(step(params, old[t], x) + J @ (new[t] - old[t]))
            h = new[1:]
        return np.stack(h)
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN, is_traced
from ..machinery.parallel_iteration import METHODS, default_tolerance, first_of
from ..machinery.replayed_steps import difference_from_replay
from ..machinery.state_vector import flatten
from ..machinery.trajectory_root import trajectory
from .parallel_states_result import ParallelStates, last
from .reliability import doubts_of_states

ALLOWED = 10  # how many times the tolerance a check may differ: errors may grow in transients


def parallel_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    method: str = "newton",
    tolerance: float | None = None,
    iterations: int = 100,
    stretch: int | None = None,
    guess: State | None = None,
    checks: int = 8,
    key: Array | None = None,
) -> ParallelStates:
    """Find the states h_1 .. h_T by iterations that treat all times at once, O(log T) deep each.

        h_t = F(h_{t-1}, x_t) for all t:   δ_t = A_t δ_{t-1} + F(y_{t-1}, x_t) - y_t,   y ← y + δ

    Errors of the guess spread along the trajectory as gradients do. If the net contracts at all states that the
    iterations pass, the iterations needed grow no faster than log T. If the largest Lyapunov exponent is positive, they
    grow in proportion to T, and nothing is gained: the result then says that it has not converged, and its states are
    NaN from the first unknown one on. A negative exponent is necessary for few iterations, but not sufficient. An
    iteration always makes at least one more state exact. Near an exponent of 0, rounding alone may keep the
    corrections above the tolerance.

    Derivatives are those of the states themselves, by the implicit function theorem; the iterations are not
    differentiated. For second derivatives use forward over reverse, as `jax.hessian` does. Where the states are NaN, so
    are the derivatives.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.
        method: "newton", with the whole Jacobians; "diagonal", with their diagonals only, which needs less memory and
            more iterations; or "damped", Newton whose corrections are cut to 0.3 times the size of each number, for
            nets that contract along their trajectory but not at the guess, where plain Newton loses its way. This is
            not ELK (Gonzalez et al. 2024), which damps by a penalty on the whole correction, found by a Kalman
            smoother. A net that plain Newton solves takes some more iterations damped.
        tolerance: The largest estimated error, relative to the largest magnitude over time of each number of the
            state, and at least 8 eps. Default: eps^(2/3), 2e-5 in float32 and 4e-11 in float64.
        iterations: How many to run at most, for each stretch. Default: 100. T + 1 always suffice.
        stretch: Solve stretches of so many steps one after the other, which bounds the memory. Default: all T at once.
        guess: States to start from, a pytree like h0 with a leading axis T, such as those for the parameters before an
            update. Default: h0 at all times.
        checks: From how many of the states the step itself is run, for up to 32 steps. Default: 8.
        key: A JAX random key for the times at which checks begin. Default: evenly spread.

    Returns:
        A `ParallelStates`.

    Cost:
        An iteration takes T Jacobians and O(T n³) operations, O(log T) deep, and memory O(T n²); "diagonal" takes
        O(T n) operations besides n directional derivatives of T steps, and memory O(T n). With `stretch` its length
        takes the place of T in depth and memory. A derivative takes one such linear solve with memory O(T n²). On a
        CPU the sequential `rd.unroll` is faster.

    Example:
        >>> found = rd.parallel_states(lambda a, h, x: jnp.tanh(a * h + x), 0.5, jnp.zeros(1), jnp.ones((1000, 1)))
        >>> bool(found.converged), int(found.iterations) < 10
        (True, True)

    References:
        Lim, Zhu, Selfridge & Kasim (2024), Parallelizing non-linear sequential models, arXiv:2309.12252.
        Gonzalez, Warrington, Smith & Linderman (2024), Scalable and stable parallelization of RNNs, arXiv:2407.19115.
        Gonzalez, Kozachkov, Zoltowski, Clarkson & Linderman (2025), Predictability enables parallelization,
        arXiv:2508.16817.
    """
    length, T = entry.checked(step, params, h0, xs, length)
    entry.enter(step, guess=guess)
    argument.choice("method", method, METHODS)
    if key is not None:
        argument.key(key)
    stretch = T if stretch is None else min(argument.size("stretch", stretch, 1), T)
    return _parallel_states(
        step,
        params,
        h0,
        xs,
        guess,
        key,
        length=length,
        method=method,
        tolerance=None if tolerance is None else argument.number("tolerance", tolerance, above=0, up_to=0.1),
        most=min(argument.size("iterations", iterations, 1), stretch + 1),
        stretch=stretch,
        checks=min(argument.size("checks", checks, 1), T),
    )


def converged_states(found: ParallelStates, method: str) -> State:
    """Return the states; if they have not converged, raise an error that says what was measured.

    While a program is being traced nothing is known: the states are then NaN from the first unknown one on.
    """
    if not is_traced(found) and not found.converged:
        T, correction = len(jax.tree.leaves(found.states)[0]), float(last(found.corrections))
        worst = f", and a check differs by {float(found.difference):.2g}" if found.known == 0 else ""
        raise RuntimeError(
            f"method: {method!r} did not converge in {int(found.iterations)} iterations: {int(found.known)} of {T} "
            f"states are known, and the last correction is {correction:.2g} of the largest state{worst}. If the "
            'largest Lyapunov exponent (rd.largest_exponent) is not clearly negative, take method="scan". Otherwise '
            "rd.parallel_states has more to try: damped iterations, more of them, a guess, stretches of time"
        )
    return found.states


@entry.compiled(compiler=PLAIN)
def _parallel_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    guess: State | None,
    key: Array | None,
    *,
    length: int | None,
    method: str,
    tolerance: float | None,
    most: int,
    stretch: int,
    checks: int,
) -> ParallelStates:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    start, unflatten = flatten(h0)
    tolerance = default_tolerance(start.dtype) if tolerance is None else tolerance
    least = 8 * float(jnp.finfo(start.dtype).eps)
    if tolerance < least:
        raise ValueError(
            f"tolerance: got {tolerance}, expected at least {least:.2g}, 8 times the rounding of {start.dtype}"
        )

    def advance(h: Float[Array, " n"], x: Input) -> Float[Array, " n"]:
        return flatten(step(params, unflatten(h), x))[0]

    guesses = _guessed(h0, start, guess, T)
    found, states = trajectory(advance, start, guesses, xs, stretch, method=method, tolerance=tolerance, most=most)
    difference = difference_from_replay(advance, start, states, xs, found.total, checks, key, tolerance)
    known = jnp.where(difference <= ALLOWED * tolerance, found.total, 0)
    finite = jnp.all(jnp.isfinite(first_of(states, known)))
    told = (jnp.arange(T, dtype=jnp.int32) < known)[:, None]
    states = states * jnp.where(told, 1, jnp.nan).astype(states.dtype)
    return ParallelStates(
        jax.vmap(unflatten)(states),
        known == T,
        known,
        found.iterations,
        found.corrections,
        found.residuals,
        found.fronts,
        difference,
        doubts_of_states(known == T, finite),
    )


def _guessed(h0: State, start: Float[Array, " n"], guess: State | None, T: int) -> Float[Array, "T n"]:
    """Return the guess as vectors, after checking that it has the tree and the shapes of T states."""
    if guess is None:
        return jnp.broadcast_to(start, (T, start.size))
    wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((T, *leaf.shape), leaf.dtype), h0)
    trees: list[Any] = [jax.tree.structure(guess), jax.tree.structure(wanted)]
    if trees[0] != trees[1]:
        raise TypeError(f"guess: got a tree {trees[0]}, expected {trees[1]}")
    for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(guess), jax.tree.leaves(wanted), strict=True):
        if (jnp.shape(leaf), jnp.result_type(leaf)) != (other.shape, other.dtype):
            name = "guess" + jax.tree_util.keystr(path)
            raise ValueError(
                f"{name}: got {jnp.result_type(leaf)} of shape {jnp.shape(leaf)}, expected {other.dtype} of shape "
                f"{other.shape}"
            )
    return entry.varying_like(jax.lax.stop_gradient(jax.vmap(lambda state: flatten(state)[0])(guess)), h0)
